"""Local runs keep the platform's rules: order, conditions, failures, retries, undoing, time-outs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentainer_flow import Context, RunFailed, step, workflow
from agentainer_flow.errors import FlowError, InvalidRequest
from agentainer_flow.testing import LocalExecution, run_workflow_locally
from tests.unit.local.every_rule import EveryRule


def states(run: LocalExecution) -> dict[str, str]:
    return {step["id"]: step["state"] for step in run.steps()}


def attempts(run: LocalExecution) -> dict[int, int]:
    return {item["index"]: item["attempts"] for item in run.items("square")}


def test_a_whole_run() -> None:
    run = run_workflow_locally(EveryRule)
    output = run.result()
    assert output["after"] == "completed"
    assert output["end"]["check"] == {"total": 55, "pair": [1, 2]}
    assert [one["square"] for one in output["end"]["squares"]] == [0, 1, 4, 9, 16, 25]
    found = states(run)
    assert (found["long"], found["short"], found["praise"], found["unlist"]) == (
        "skipped",
        "completed",
        "completed",
        "skipped",
    )
    assert attempts(run) == {0: 2, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1}
    assert run.values() == {"total": 55}
    assert run.step("total")["counts"]["total"] == 0
    assert run.step("square")["counts"] == {"total": 6, "completed": 6, "failed": 0, "running": 0}


def test_failed_items_leave_holes_and_are_told_to_conditions() -> None:
    run = run_workflow_locally(EveryRule, {"bad": [1, 3]})
    squares = run.result()["end"]["squares"]
    assert [one and one["square"] for one in squares] == [0, None, 4, None, 16, 25]
    assert states(run)["praise"] == "skipped"
    failed = run.items("square", "failed")
    assert [(one["index"], one["attempts"], one["error"]["type"]) for one in failed] == [
        (1, 1, "Broken"),
        (3, 1, "Broken"),
    ]


def test_too_many_failures_fail_the_map_and_undo_what_was_done() -> None:
    run = run_workflow_locally(EveryRule, {"bad": [0, 1, 2, 3]})
    assert run.state == "failed"
    assert run.error is not None
    assert (run.error["step"], run.error["type"]) == ("square", "map_failed")
    assert "of 6 items failed" in run.error["message"]
    found = states(run)
    assert (found["listing"], found["unlist"], found["clean"]) == ("compensated", "completed", "completed")
    assert run.step("clean")["output"] == {"after": "skipped", "end": None}
    with pytest.raises(RunFailed, match="map_failed") as raised:
        run.result()
    assert (raised.value.type, raised.value.step) == ("map_failed", "square")


@pytest.mark.parametrize(
    ("fault", "kind", "sentence"),
    [
        ("raise", "KeyError", "'asked for'"),
        ("number", "bad_output", "output.total is nan"),
        ("nul", "bad_output", "The output holds a NUL character"),
        ("stop", "StopIteration", "3"),
        ("interrupt", "KeyboardInterrupt", ""),
    ],
)
def test_what_a_body_does_wrong_is_its_step_s_error(fault: str, kind: str, sentence: str) -> None:
    run = run_workflow_locally(EveryRule, {"fault": fault})
    assert run.error is not None
    assert (run.error["step"], run.error["type"]) == ("check", kind)
    assert sentence in run.error["message"]
    if fault == "raise":
        trace = run.error["traceback"]
        assert trace.count("File ") == 1, "the traceback begins at the user's code"
        assert 'raise KeyError("asked for")' in trace


def test_a_task_that_a_body_cancelled_is_its_own_failure() -> None:
    @workflow
    class Hasty:
        @step
        async def work(self, ctx: Context) -> None:
            task = asyncio.create_task(asyncio.sleep(60))
            task.cancel()
            await task

        @step(always_run=True)
        def clean(self, ctx: Context) -> str:
            return "clean"

    run = run_workflow_locally(Hasty)
    assert run.error is not None
    assert (run.error["step"], run.error["type"]) == ("work", "CancelledError")
    assert states(run)["clean"] == "completed"


def test_a_backslash_before_a_zero_is_no_nul() -> None:
    @workflow
    class Written:
        @step
        def work(self, ctx: Context) -> str:
            return "\\u0000"

    assert run_workflow_locally(Written).result() == "\\u0000"


def test_a_body_that_takes_too_long_fails_in_time() -> None:
    run = run_workflow_locally(EveryRule, {"fault": "slow"})
    assert run.error is not None
    assert (run.error["step"], run.error["type"]) == ("slow", "timeout")
    assert run.error["message"] == "The deadline passed before the body finished."


def test_a_loop_counts_its_rounds_in_the_state() -> None:
    run = run_workflow_locally(EveryRule, {"way": "long", "rounds": 3})
    end = run.result()["end"]
    assert (end["rounds"], end["seen"]) == (3, [0, 1, 2])
    assert [one for one in states(run) if one.startswith("long.")] == ["long.2.improve"]
    assert [run.step(f"long.{number}.improve")["output"] for number in range(3)] == [1, 2, 3]


def test_a_loop_without_an_end_fails() -> None:
    run = run_workflow_locally(EveryRule, {"way": "long", "rounds": 9})
    assert run.error is not None
    assert (run.error["step"], run.error["type"]) == ("long", "max_iterations")


def test_an_empty_list_is_no_trouble() -> None:
    run = run_workflow_locally(EveryRule, {"count": 0})
    assert run.result()["end"]["squares"] == []


def test_params_are_filled_in_and_checked() -> None:
    with pytest.raises(InvalidRequest, match=r"params\.count.*integer") as raised:
        run_workflow_locally(EveryRule, {"count": "six", "colour": 1})
    assert {fault.path for fault in raised.value.faults} == {"params.count", "params"}


def test_values_do_not_leak_between_bodies() -> None:
    code = "def main(values):\n    values.append(1)\n    return values"
    step: dict[str, Any] = {"type": "task", "run": {"code": code}, "input": {"values": "${params.values}"}}
    document = {
        "name": "leaks",
        "params": {"type": "object", "properties": {"values": {"type": "array"}}},
        "steps": [{"id": "a", **step}, {"id": "b", "needs": ["a"], **step}],
    }
    given = [0]
    run = run_workflow_locally(document, {"values": given})
    assert run.result() == [0, 1]
    assert given == [0]


def test_a_missing_expression_is_told_where_it_stands() -> None:
    document = {
        "name": "w",
        "steps": [{"id": "a", "type": "task", "run": {"code": "main = dict"}, "input": {"x": "${params.x}"}}],
    }
    run = run_workflow_locally(document)
    assert run.error is not None
    assert run.error["type"] == "bad_input"
    assert "there is no 'x'" in run.error["message"]


def test_trouble_of_the_run_itself_is_raised_where_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cel", None)
    document = {
        "name": "w",
        "steps": [
            {"id": "a", "type": "task", "run": {"code": "def main(): ..."}, "when": "${1234 + 1 == 1235}"}
        ],
    }
    with pytest.raises(FlowError, match=r"agentainer-flow\[local\]"):
        run_workflow_locally(document)
