"""Messages between agent and worker, however the stream is cut; and the JSON of outputs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentainer_flow.agent import frames
from agentainer_flow.agent.frames import BrokenFrame, Decoder, frame, head
from agentainer_flow.agent.outputs import BadOutput, encode, line

KINDS = st.sampled_from([frames.RUN, frames.LINE, frames.ITEM])


@given(st.lists(st.tuples(KINDS, st.binary(max_size=60))), st.integers(1, 40))
def test_messages_arrive_whole_however_they_are_cut(messages: list[tuple[bytes, bytes]], size: int) -> None:
    stream = b"".join(frame(kind, payload) for kind, payload in messages)
    decoder = Decoder()
    found = [one for at in range(0, len(stream), size) for one in decoder.feed(stream[at : at + size])]
    assert found == messages


def test_a_length_beyond_all_limits_breaks_the_stream() -> None:
    with pytest.raises(BrokenFrame):
        Decoder().feed(head(frames.ITEM, frames.MAX_FRAME + 1))


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
ODD = st.sampled_from([float("nan"), float("-inf"), {1}, b"x", "\ud800", object(), {1: 2}, {"\ud800": 3}])


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=12)


@given(nested(PLAIN))
def test_json_values_pass_unchanged(value: Any) -> None:
    encoded = encode(value)
    assert json.loads(encoded) == value
    assert b"\n" not in encoded


@given(nested(PLAIN), ODD, st.lists(TEXT | st.none(), max_size=4))
def test_anything_else_is_refused_with_its_place(beside: Any, odd: Any, path: list[str | None]) -> None:
    value = odd
    for name in path:
        value = [beside, value] if name is None else {"beside": beside, name: value}
    with pytest.raises(BadOutput, match=r"^output"):
        encode(value)


def test_our_own_messages_never_fail() -> None:
    assert line({"text": "\ud800ä"}) == '{"text":"?ä"}'.encode()
