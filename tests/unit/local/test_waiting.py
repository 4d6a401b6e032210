"""Waits, events, people and sub-workflows in local runs, and the clock they live by."""

from __future__ import annotations

import time
from typing import Any

import pytest

from agentainer_flow import (
    Context,
    DefinitionError,
    ExecutionMode,
    RetryPolicy,
    RunCancelled,
    approval,
    step,
    subworkflow,
    wait,
    workflow,
)
from agentainer_flow.errors import Conflict, FlowError, InvalidRequest, WaitTimeout
from agentainer_flow.testing import LocalExecution, ManualClock, run_workflow_locally

FORM = {"type": "object", "properties": {"why": {"type": "string"}}, "required": ["why"]}


@workflow
class Patient:
    rest = wait("10m")
    asked = approval("Go on?", form=FORM, timeout="24h", on_reject="continue")
    event = wait(event="parcel", timeout="1h")

    @step
    def tell(self, ctx: Context, asked: dict[str, Any], event: Any) -> Any:
        return [asked["approved"], asked["data"], event]


def begin(clock: ManualClock) -> LocalExecution:
    return run_workflow_locally(Patient, clock=clock, mode=ExecutionMode.ASYNC)


def test_a_test_steps_the_clock() -> None:
    clock = ManualClock()
    run = begin(clock)
    clock.settle()
    assert (run.state, run.step("rest")["state"]) == ("waiting", "waiting")
    clock.advance("9m")
    assert run.step("rest")["state"] == "waiting"
    clock.advance("1m")
    assert (run.step("rest")["state"], run.step("asked")["state"]) == ("completed", "waiting")
    with pytest.raises(InvalidRequest, match="'why' is a required property"):
        run.decide("asked", approve=True, data={})
    with pytest.raises(Conflict, match="does not wait"):
        run.decide("rest", approve=True)
    run.decide("asked", approve=True, data={"why": "so"})
    run.until("event", "waiting")
    run.signal("parcel", 5)
    assert run.result(60) == [True, {"why": "so"}, 5]
    assert run.state == "completed"
    with pytest.raises(Conflict, match="ended"):
        run.signal("parcel", 6)


def test_a_clock_without_a_run_only_moves() -> None:
    clock = ManualClock()
    before = clock.now()
    clock.advance("10m", timeout=5)
    assert clock.now() == before + 600


@pytest.mark.parametrize("duration", [-5, "soon", float("nan"), float("inf")])
def test_a_clock_goes_forward(duration: Any) -> None:
    with pytest.raises(ValueError, match=r"time goes forward|write a duration"):
        ManualClock().advance(duration)


def test_time_runs_out_for_people_and_events() -> None:
    clock = ManualClock()
    run = begin(clock)
    clock.advance("2d")
    run.wait(60)
    assert run.step("asked")["output"]["approved"] is False
    assert run.step("asked")["output"]["by"] is None
    assert run.error is not None
    assert (run.error["step"], run.error["type"]) == ("event", "timeout")


def test_waits_take_no_time_and_news_may_be_sent_before() -> None:
    begun = time.monotonic()
    run = run_workflow_locally(
        Patient, signals={"parcel": 7}, decisions={"asked": {"approve": True, "data": {"why": "so"}}}
    )
    assert run.result() == [True, {"why": "so"}, 7]
    assert time.monotonic() - begun < 300
    assert run_workflow_locally(Patient, signals={"parcel": 1}, decisions={"asked": False}).result() == [
        False,
        None,
        1,
    ]


def test_decisions_are_checked_before_the_run_begins() -> None:
    with pytest.raises(InvalidRequest, match="data: None is not of type 'object'"):
        run_workflow_locally(Patient, decisions={"asked": True})
    with pytest.raises(DefinitionError, match="no approval ask to decide"):
        run_workflow_locally(Patient, decisions={"ask": False})
    with pytest.raises(DefinitionError, match="a decision is True, False"):
        run_workflow_locally(Patient, decisions={"asked": "yes"})


@workflow
class ForEver:
    event = wait(event="never")


def test_a_run_that_waits_for_nobody_says_for_whom() -> None:
    with pytest.raises(FlowError, match=r"step event waits for the event never \(signals="):
        run_workflow_locally(ForEver)


def test_a_run_can_be_cancelled_and_waited_for() -> None:
    run = run_workflow_locally(ForEver, mode=ExecutionMode.ASYNC)
    run.until("event", "waiting")
    with pytest.raises(WaitTimeout, match="goes on"):
        run.wait(0.01)
    run.cancel()
    with pytest.raises(RunCancelled):
        run.result(60)
    assert run.step("event")["state"] == "cancelled"


@workflow(timeout="5m")
class Late:
    rest = wait("10m")


def test_the_time_out_of_a_run() -> None:
    run = run_workflow_locally(Late)
    assert run.error is not None
    assert run.error["message"] == "The run took longer than its time-out of 300 s."
    assert run.step("rest")["state"] == "cancelled"


NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@workflow(params=NUMBER)
class Child:
    @step
    def work(self, ctx: Context, n: int) -> int:
        if n < 0:
            raise ValueError("below 0")
        return n + 1


@workflow(params=NUMBER)
class Parent:
    child = subworkflow(Child, {"n": "${params.n}"}, retry_policy=RetryPolicy(2))
    other = subworkflow("by-name", {"n": "${steps.child.output}"})


@workflow(name="by-name", params=NUMBER)
class ByName:
    again = subworkflow(Child, {"n": "${params.n}"})


def test_sub_workflows_run_here_too() -> None:
    assert run_workflow_locally(Parent, {"n": 1}, workflows=[ByName]).result() == 3


def test_their_failures_are_their_step_s() -> None:
    run = run_workflow_locally(Parent, {"n": -1}, workflows=[ByName])
    assert run.error is not None
    assert (run.error["step"], run.error["type"]) == ("child", "run_failed")
    assert "below 0" in run.error["message"]
    assert run.step("child")["attempts"] == 2
    missing = run_workflow_locally(Parent, {"n": 1})
    assert missing.error is not None
    assert "There is no workflow by-name here; give it to the run: workflows=[…]." in missing.error["message"]
