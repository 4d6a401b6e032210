"""JSON read in pages: the same text as of the whole, or a refusal; never anything else."""

from __future__ import annotations

import io
import json
import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aflow_site.kernel.json import DEEPEST, from_json, to_json
from pools.domain import json_pages
from pools.domain.json_pages import NotInPages, members

KEYS = st.sampled_from(["output", "a", "", "é", '"', "\\", "0", "[", "{,"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.sampled_from('a,"\\[]{}:é😀\n\x00 '), max_size=6)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=4)
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
FORMS: list[dict[str, Any]] = [
    {"separators": (",", ":"), "ensure_ascii": False},
    {"indent": 1},
    {"separators": (" , ", " :\t"), "ensure_ascii": True},
]


def rewritten(text: bytes, at_once: int) -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_pages, "READ_AT_ONCE", at_once)
        return {key: b"".join(parts) for key, parts in members(io.BytesIO(text))}


@given(OBJECTS, st.sampled_from(FORMS), st.integers(1, 40))
def test_the_same_text_as_of_the_whole(value: dict[str, Any], form: dict[str, Any], at_once: int) -> None:
    found = rewritten(json.dumps(value, **form).encode(), at_once)
    # By their texts, for 1, 1.0 and True are the same to ==. With a number of more than 64 bits in a page
    # there are spaces between its values.
    assert {key: repr(from_json(text)) for key, text in found.items()} == {
        key: repr(one) for key, one in value.items()
    }
    if not any(text.count(b" ") for text in map(to_json, value.values())):
        assert found == {key: to_json(one) for key, one in value.items()}


@given(OBJECTS, st.data(), st.integers(1, 40))
def test_what_is_taken_is_what_the_whole_says(value: dict[str, Any], data: Any, at_once: int) -> None:
    """With a byte changed, left out or put in, it is refused, or read as the whole is."""
    text = bytearray(json.dumps(value, ensure_ascii=False).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 1))] = data.draw(
            st.sampled_from(
                [b"", b",", b'"', b"[", b"]", b"{", b"}", b":", b"\\", b"0", b"-", b"\xc3", b"\x0b"]
            )
        )
    try:
        found = rewritten(bytes(text), at_once)
    except (NotInPages, RecursionError):
        return
    expected = from_json(bytes(text))
    assert {key: repr(from_json(one)) for key, one in found.items()} == {
        key: repr(one) for key, one in expected.items()
    }


REFUSED = [
    b"",
    b"[1]",
    b"1",
    b"{",
    b'{"a"',
    b'{"a":',
    b'{"a":}',
    b'{"a":1',
    b'{"a":1]',
    b'{"a":1,}',
    b'{"a":1}}',
    b'{"a":1} 2',
    b"{a:1}",
    b'{"a":[1}',
    b'{"a":[1,]}',
    b'{"a":[,1]}',
    b'{"a":[,]}',
    b'{"a":[1,,2]}',
    b'{"a":[1 2]}',
    b'{"a":[{"b":1]}',
    b'{"a":[{]}]}',
    b'{"a":[1',
    b'{"a":["b]}',
    b'{"a":["\\',
    b'{"a":[NaN]}',
    b'{"a":[1e400]}',
    b'{"a":["\xc3"]}',
    b'{"a":["\\ud800"]}',
    b'{"a":[\x0b]}',
    b'{"a":["\n"]}',
    b'{"a":1,"a":2}',
    b'{"a":1,"\\u0061":2}',
    b'{"a":{"b":[1],"b":[2]}}',
    b'\xef\xbb\xbf{"a":1}',
]


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("at_once", [1, 3, 65536])
def test_what_cannot_be_read_in_pages(text: bytes, at_once: int) -> None:
    with pytest.raises(NotInPages):
        rewritten(text, at_once)


@pytest.fixture
def room() -> Iterator[None]:
    """For values as deep as the parser takes them."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.parametrize("objects", [1, 3, 200])
def test_how_deep_a_value_may_go_does_not_depend_on_the_way(room: None, objects: int) -> None:
    def text(depth: int) -> bytes:
        lists = depth - objects
        return b'{"a":' * objects + b"[" * lists + b"1" + b"]" * lists + b"}" * objects

    deepest = text(DEEPEST - 1)  # and the number in it
    assert rewritten(deepest, 65536) == {"a": deepest[5:-1]}
    with pytest.raises(NotInPages, match="values in each other"):
        rewritten(text(DEEPEST), 65536)
    with pytest.raises(RecursionError, match="values in each other"):
        to_json(from_json(text(DEEPEST)))


def test_what_is_deeper_than_python_goes() -> None:
    with pytest.raises((NotInPages, RecursionError)):
        rewritten(b'{"a":' * 1500 + b"1" + b"}" * 1500, 65536)


@pytest.mark.parametrize("text", [b'{"a":["%b"]}', b'{"%b":1}', b'{"a":"%b"}', b'{"a":[[%b1]]}'])
def test_what_is_large_in_one_piece_is_left_to_the_whole(text: bytes) -> None:
    filling = b"1," * json_pages.MOST_HELD
    with pytest.raises(NotInPages, match="large by itself"):
        rewritten(text % filling, 65536)


def test_neither_the_text_nor_its_lists_are_ever_held() -> None:
    value = {
        "output": {
            "first": [f"item {n:06}" for n in range(100_000)],
            "second": [{"n": n} for n in range(50_000)],
        }
    }
    file = io.BytesIO(to_json(value))
    most = 0
    tracemalloc.start()
    try:
        for _key, parts in members(file):
            for part in parts:
                most = max(most, len(part))
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2 * json_pages.READ_AT_ONCE
    assert peak < 1_000_000  # of a text of 2 MB, and values of 25
