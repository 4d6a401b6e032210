"""The context alone, where no agent runs the body."""

from __future__ import annotations

from typing import Any

import pytest

from agentainer_flow.context import Context, typed
from agentainer_flow.errors import FlowError, InvalidRequest, NotSupportedError
from agentainer_flow.runtime import call

CALLS: list[tuple[str, tuple[Any, ...], str, dict[str, Any]]] = [
    ("get", ("k",), "get", {"key": "k", "default": None}),
    ("get", ("k", 1), "get", {"key": "k", "default": 1}),
    ("set", ("k", 1), "set", {"key": "k", "value": 1}),
    ("delete", ("k",), "delete", {"key": "k"}),
    ("increment", ("k",), "increment", {"key": "k", "by": 1}),
    ("increment", ("k", 2.5), "increment", {"key": "k", "by": 2.5}),
    ("append_to_list", ("k", 1), "append_to_list", {"key": "k", "value": 1}),
    ("add_to_set", ("k", 1), "add_to_set", {"key": "k", "value": 1}),
    ("compare_and_set", ("k", 1, 2), "compare_and_set", {"key": "k", "expected": 1, "value": 2}),
    ("all", (), "all", {}),
]


class Recorder:
    """A line to nobody."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def call(self, op: str, args: dict[str, Any]) -> Any:
        self.said.append((op, args))
        return "result"

    def progress(self, value: Any) -> None:
        self.said.append(value)

    def metric(self, name: str, value: float) -> None:
        self.said.append((name, value))


@pytest.mark.parametrize(("method", "given", "op", "args"), CALLS)
def test_each_operation_is_one_call(
    method: str, given: tuple[Any, ...], op: str, args: dict[str, Any]
) -> None:
    talk = Recorder()
    assert getattr(Context(talk=talk).state, method)(*given) == "result"
    assert talk.said == [(f"state.{op}", args)]


def test_what_is_told_is_told_at_once() -> None:
    talk = Recorder()
    ctx = Context(talk=talk)
    ctx.progress(1)
    ctx.emit_progress(2, "two")
    ctx.metric("m", 3)
    assert talk.said == [1, {"value": 2, "message": "two"}, ("m", 3)]


async def test_what_is_told_may_be_awaited_in_async_code() -> None:
    talk = Recorder()
    ctx = Context(talk=talk)
    for told in (ctx.progress(1), ctx.emit_progress(2), ctx.metric("m", 3)):
        await told
    assert talk.said == [1, 2, ("m", 3)]


def test_where_no_agent_runs_the_body_progress_goes_nowhere_and_calls_say_so() -> None:
    ctx = Context()
    ctx.progress(1)
    ctx.metric("m", 1)
    for ask in (lambda: ctx.state.get("k"), lambda: call("results.next", {})):
        with pytest.raises(FlowError, match="only while an agent runs the body"):
            ask()


def test_params_come_with_the_call_or_beside_it() -> None:
    assert Context({"params": {"a": 1}}).params == {"a": 1}
    assert Context({"params": {"a": 1}}, params={"b": 2}).params == {"b": 2}
    assert Context().params == {}


def test_what_is_not_there_says_what_may_have_been_meant() -> None:
    with pytest.raises(AttributeError, match="has no 'deploy'"):
        _ = Context().deploy
    with pytest.raises(AttributeError, match="did you mean secrets"):
        _ = Context().secret


def test_json_is_a_line_of_the_log_and_its_text() -> None:
    lines: list[tuple[str, str]] = []
    context = Context(log=lambda *line: lines.append(line))
    assert context.json({"ä": [1, None]}) == '{"ä": [1, null]}'
    assert lines == [("log", '{"ä": [1, null]}')]
    with pytest.raises(InvalidRequest, match="takes what has a JSON form"):
        context.json(float("nan"))


class Failed(Exception):
    def __init__(self, kind: str) -> None:
        super().__init__("why")
        self.kind = kind


def test_failed_calls_are_the_sdks_errors() -> None:
    assert type(typed(Failed("ended"))) is FlowError
    assert type(typed(Failed("not_supported"))) is NotSupportedError
    invalid = typed(Failed("invalid"))
    assert isinstance(invalid, InvalidRequest)
    assert (invalid.code, str(invalid)) == ("invalid", "why")
    other = OSError()
    assert typed(other) is other
