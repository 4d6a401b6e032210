"""A streamed answer, however its bytes are cut: what bodies say and ask, then the result."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.facade.contracts import InvocationResult, LogLine
from pools.services.broker.lines import Lines, Message, Metric, Progress, Question
from tests.fakes.pools import invocation


def told(*lines: Any) -> bytes:
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def read(
    raw: bytes, size: int = 0, items: int = 1, status: int = 200
) -> tuple[list[Message], InvocationResult]:
    lines = Lines(items)
    step = size or max(1, len(raw))
    messages = [one for at in range(0, len(raw), step) for one in lines.feed(raw[at : at + step])]
    request = invocation(*range(items), batch=items > 1)
    result, last = lines.end(request, status, 1.0)
    return messages + last, result


def test_messages_in_their_order_and_then_the_result() -> None:
    raw = told(
        {"log": {"at": 1.5, "stream": "stdout", "text": "hello", "item": 2}},
        {"progress": 0.5, "item": 1},
        {"progress": {"value": 1, "message": "m"}},
        {"metric": {"name": "rows", "value": 3, "item": 1}},
        {"call": {"id": 4, "op": "state.get", "args": {"key": "k"}, "item": 1}},
        {"outputs": [{"output": 3}, {"output": 4}], "seconds": 0.25},
    )
    messages, result = read(raw, items=2)
    call = messages.pop()
    assert messages == [
        LogLine(datetime.fromtimestamp(1.5, UTC), "stdout", "hello", 2),
        Progress(0.5, 1),
        Progress({"value": 1, "message": "m"}, 0),
        Metric("rows", 3.0, 1),
    ]
    assert isinstance(call, Question)
    assert (call.number, call.op, call.args, call.item) == (4, "state.get", {"key": "k"}, 1)
    assert [item.output for item in result.results] == [3, 4]
    assert result.startup_seconds == 0.75


@given(st.integers(1, 50), st.booleans())
def test_it_does_not_matter_how_bytes_are_cut(size: int, ends: bool) -> None:
    raw = told({"progress": "ä"}, {"log": {"at": 1, "text": "x\ny"}}, {"output": "ü"})
    messages, result = read(raw if ends else raw[:-1], size)
    assert (messages, result) == read(raw)
    assert result.results[0].output == "ü"


def test_a_line_is_told_before_the_next_one_comes() -> None:
    lines = Lines(1)
    assert lines.feed(told({"progress": 1})[:-1]) == []
    assert lines.feed(b"\r\n") == [Progress(1, 0)]


def test_calls_do_not_count_toward_the_size() -> None:
    lines = Lines(1)
    call = told({"call": {"id": 1, "op": "state.set", "args": {"key": "k", "value": "x" * 1000}}})
    for _ in range(50):
        (question,) = lines.feed(call)
        assert isinstance(question, Question)
        assert question.size == len(call) - 1
    assert lines.size == 50
    lines.feed(told({"log": {"text": "x" * 1000}}))
    assert lines.size > 1000


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\n",
        b'{"log": {"text": "and then nothing"}}\n',
        b'{"log": {"text": "half',
        b'{"progress": 1}',
        b'{"call": {"id": 1, "op": "x"}}\n',
        b'{"metric": {"name": "x", "value": 1}}\n',
        b'rubbish\n{"output": 1}\n',
        b'[1]\n{"output": 1}\n',
        b'{"call": {"op": "x"}}\n{"output": 1}\n',
        b'{"call": 5}\n{"output": 1}\n',
        b'{"call": {"id": true, "op": "x"}}\n{"output": 1}\n',
        b'{"output": 1}\n{"log": {"text": "after the result"}}\n',
    ],
)
def test_answers_that_cannot_be_used(raw: bytes) -> None:
    (result,) = read(raw)[1].results
    assert result.error is not None
    assert result.error.type == "bad_answer"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"id": 1, "op": "x", "args": {"a": 2**70}}, ("x", {"a": 2**70})),
        ({"id": 1, "op": "x"}, ("x", {})),
        ({"id": 1, "op": ""}, ("", {})),
        ({"id": 1, "op": "x" * 101}, ("", {})),
        ({"id": 1, "op": 5}, ("", {})),
        ({"id": 1, "op": "x", "args": [1]}, ("", {})),
        ({"id": 1}, ("", {})),
    ],
)
def test_calls_that_are_none_have_no_name(call: dict[str, Any], expected: Any) -> None:
    (question,), result = read(json.dumps({"call": call}).encode() + b'\n{"output": 1}')
    assert isinstance(question, Question)
    assert (question.op, question.args) == expected
    assert result.results[0].output == 1


@pytest.mark.parametrize(
    "line",
    [
        {"log": "text alone"},
        {"metric": 1},
        {"metric": {"name": "", "value": 1}},
        {"metric": {"name": "x" * 101, "value": 1}},
        {"metric": {"name": "x", "value": "1"}},
        {"metric": {"name": "x", "value": True}},
        {"metric": {"value": 1}},
    ],
)
def test_what_cannot_be_understood_is_no_reason_to_fail(line: Any) -> None:
    messages, result = read(told(line, {"output": 1}))
    assert messages == []
    assert result.results[0].output == 1


@pytest.mark.parametrize("item", [-1, 2, 1.0, True, "1", None])
def test_positions_outside_the_request_are_the_first(item: Any) -> None:
    messages, _ = read(told({"progress": 1, "item": item}), items=2)
    assert messages == [Progress(1, 0)]


def test_answers_of_images_may_have_keys_of_any_name() -> None:
    for extra in ({"call": 1}, {"metric": 2}):
        messages, result = read(told({"output": 1, **extra}))
        assert (messages, result.results[0].output) == ([], 1)


def test_of_several_answers_the_last_one_counts() -> None:
    assert read(told({"note": 1}, {"output": 1}, {"output": 2}))[1].results[0].output == 2


def test_an_error_in_lines_keeps_its_status() -> None:
    (result,) = read(told({"detail": "x"}), status=500)[1].results
    assert result.error is not None
    assert "500" in result.error.message
