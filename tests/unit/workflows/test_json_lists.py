"""A list inside a JSON text, read element by element: the same values as of the text as a whole."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aflow_site.kernel.json import to_json
from workflows.domain import json_lists
from workflows.domain.json_lists import NoList, elements

KEYS = st.sampled_from(["a", "b", "a.b", "item", "", "é", "0"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
)


def at(value: Any, path: list[str | int]) -> Any:
    """None where the path leads nowhere."""
    for part in path:
        fits = isinstance(value, dict) if isinstance(part, str) else isinstance(value, list)
        if not fits or (part not in value if isinstance(part, str) else part >= len(value)):
            return None
        value = value[part]
    return value


@given(VALUES, st.lists(KEYS | st.integers(0, 3), max_size=3), st.integers(1, 7))
def test_the_same_elements_as_of_the_whole(value: Any, path: list[str | int], at_once: int) -> None:
    text = to_json(value)
    expected = at(json.loads(text), path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lists, "READ_AT_ONCE", at_once)
        if isinstance(expected, list):
            found = list(elements(io.BytesIO(text), path))
            # Not ==, for which 1, 1.0 and True are the same.
            assert repr(found) == repr(expected)
        else:
            with pytest.raises(NoList):
                list(elements(io.BytesIO(text), path))


@given(st.lists(st.integers(0, 3) | KEYS, max_size=2))
def test_every_value_of_a_nested_list(path: list[str | int]) -> None:
    value: Any = [1, [2.5, {"a": [None, "x"]}], {}, []]
    for part in reversed(path):
        value = [0] * part + [value] if isinstance(part, int) else {"other": [1, {}], part: value, "z": 1}
    assert list(elements(io.BytesIO(to_json(value)), path)) == [1, [2.5, {"a": [None, "x"]}], {}, []]


@pytest.mark.parametrize("text", [b"", b"[1, 2", b"[1, NaN]", b"[1] 2"])
def test_what_is_no_json_is_told(text: bytes) -> None:
    with pytest.raises(NoList):
        list(elements(io.BytesIO(text), []))


def test_the_file_is_read_to_its_end() -> None:
    file = io.BytesIO(to_json({"files": [1, 2], "more": ["x" * 1000] * 1000}))
    assert list(elements(file, ["files"])) == [1, 2]
    assert not file.read()


def test_the_list_is_never_held() -> None:
    text = to_json({"before": ["x" * 10] * 100_000, "files": [f"element {n:06}" for n in range(100_000)]})
    file = io.BytesIO(text)
    tracemalloc.start()
    try:
        last = None
        for value in elements(file, ["files"]):
            last = value
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert last == "element 099999"
    assert peak < 1_000_000  # of a list that takes 8 MB
