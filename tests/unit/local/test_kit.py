"""The testing kit: cases for unittest, contexts for single bodies, runs out of a class."""

from __future__ import annotations

import asyncio
import re
import threading
import time
import unittest
from typing import Any

import pytest

from agentainer_flow import Context, step, workflow
from agentainer_flow.errors import Conflict, DefinitionError, FlowError
from agentainer_flow.testing import MockContext, WorkflowTestCase, mock_agent, run_workflow_locally


@workflow(params={"type": "object", "properties": {"n": {"type": "integer", "default": 2}}})
class Report:
    @step(image="fetcher:1")
    def fetch(self, ctx: Context) -> None: ...

    @step
    def publish(self, ctx: Context, fetch: dict[str, int], n: int) -> int:
        ctx.state.increment("published")
        ctx.log("rows", fetch["rows"])
        ctx.metric("rows", fetch["rows"])
        ctx.emit_progress(0.5, "half")
        return fetch["rows"] * n


class ReportTest(WorkflowTestCase):
    def test_it(self) -> None:
        fetcher = self.mock_agent("fetcher").returns({"rows": 3})
        run = self.run_workflow(Report, {"n": 4})
        self.assert_completed(run, 12)
        self.assert_step(run, "publish", "completed")
        self.assert_state(run, published=1)
        fetcher.assert_called_times(1)

    def test_no_block_is_needed(self) -> None:
        mock_agent("fetcher").fails("OSError", "no way")
        run = self.run_workflow(Report)
        self.assert_failed(run, "OSError", "fetch")
        for wrong in (
            lambda: self.assert_completed(run),
            lambda: self.assert_failed(run, "ValueError"),
            lambda: self.assert_failed(run, "OSError", "publish"),
            lambda: self.assert_step(run, "publish", "completed"),
            lambda: self.assert_state(run, published=1),
        ):
            with pytest.raises(AssertionError):
                wrong()


def test_the_case_runs_under_unittest_and_leaves_no_mock() -> None:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(ReportTest).run(result)
    assert (result.testsRun, result.failures, result.errors) == (2, [], [])
    assert run_workflow_locally(Report).step("fetch")["error"]["type"] == "no_agent"


def test_a_class_runs_itself() -> None:
    cls: Any = Report
    with mock_agent("fetcher").returns({"rows": 1}):
        run = cls.run_local(n=7)
    assert run.result() == 7
    assert [(log["stream"], log["text"]) for log in run.logs("publish")] == [
        ("log", "rows 1"),
        ("metric", '{"name": "rows", "value": 1}'),
    ]
    assert run.step("publish")["progress"] == {"value": 0.5, "message": "half"}
    kinds = [event["type"] for event in run.events()]
    assert kinds[0] == "run.started"
    assert kinds[-1] == "run.completed"
    assert (run.run["state"], run.run["output"]) == ("completed", 7)


async def test_it_runs_where_an_event_loop_runs() -> None:
    with mock_agent("fetcher").returns({"rows": 1}):
        assert run_workflow_locally(Report).result() == 2


def test_what_is_no_workflow_is_told() -> None:
    with pytest.raises(DefinitionError, match="is not a workflow"):
        run_workflow_locally(int)
    with pytest.raises(DefinitionError, match='a document has a "name"'):
        run_workflow_locally({})
    with pytest.raises(DefinitionError, match="params is a dict, not"):
        run_workflow_locally(Report, ["day"])  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match=r"mode is ExecutionMode\.SYNC or"):
        run_workflow_locally(Report, mode="sync")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"signals": [1]}, "signals is a dict"),
        ({"decisions": [1]}, "decisions is a dict"),
        ({"state": [1]}, "state is a dict"),
        ({"secrets": [1]}, "secrets is a dict"),
        ({"agents": ["fetcher"]}, "agents are made by mock_agent"),
    ],
)
def test_what_a_run_cannot_be_given_is_told(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DefinitionError, match=sentence):
        run_workflow_locally(Report, **given)


CODE = {"code": "def main():\n    return 1"}


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (["a"], "a step is an object"),
        ([{"type": "task"}], "a step is an object"),
        ([{"id": "a", "type": "taks"}], "Did you mean 'task'?"),
        ([{"id": "a", "type": "task"}, {"id": "a", "type": "task"}], "step a: another step has this id"),
        (
            [{"id": "one", "type": "task", "needs": ["ones"]}],
            "needs ones, which is no step beside it; did you",
        ),
        (
            [
                {
                    "id": "l",
                    "type": "loop",
                    "steps": [{"id": "x", "type": "task", "needs": ["l"]}],
                    "until": True,
                }
            ],
            "step l: step x needs l, which is no step beside it",
        ),
        (
            [{"id": "a", "type": "task", "needs": ["b"]}, {"id": "b", "type": "task", "needs": ["a"]}],
            "wait for each other: a → b → a",
        ),
    ],
)
def test_a_document_whose_steps_cannot_be_ordered_is_told(steps: list[Any], sentence: str) -> None:
    given = [{**step, "run": CODE} if isinstance(step, dict) else step for step in steps]
    with pytest.raises(DefinitionError, match=re.escape(sentence)):
        run_workflow_locally({"name": "x", "steps": given})


def test_a_context_for_a_single_body() -> None:
    context = MockContext(params={"n": 2}, state={"published": 4})
    assert Report().publish(context, fetch={"rows": 2}, n=3) == 6
    assert context.values() == {"published": 5}
    assert (context.logs, context.metrics, context.told) == (
        ["rows 2"],
        [("rows", 2)],
        [{"value": 0.5, "message": "half"}],
    )

    async def body(ctx: Context) -> Any:
        await ctx.state.add_to_set("seen", 1)
        return await ctx.state.get("seen")

    assert asyncio.run(body(context)) == [1]
    context.state.set("text", "a")
    with pytest.raises(Conflict, match="no number"):
        context.state.increment("text")


# --- whose turn it is -------------------------------------------------------------------------------------


@workflow
class Neighbours:
    @step
    def items(self, ctx: Context) -> list[int]:
        return [0, 1]

    @step(parallel=True)
    def meet(self, ctx: Context, item: int) -> str:
        """Each waits for the other: they take turns whenever they ask the run."""
        ctx.state.set(f"here-{item}", True)
        while not ctx.state.get(f"here-{1 - item}"):
            time.sleep(0.001)
        return threading.current_thread().name


def test_bodies_that_wait_for_each_other_take_turns() -> None:
    assert len(run_workflow_locally(Neighbours).result(60)) == 2


at_once: list[int] = [0, 0]


@workflow
class Alone:
    @step
    def items(self, ctx: Context) -> list[int]:
        return list(range(10))

    @step(parallel=True)
    def work(self, ctx: Context, item: int) -> None:
        at_once[0] += 1
        at_once[1] = max(at_once)
        time.sleep(0.002)
        at_once[0] -= 1


def test_one_sync_body_runs_at_a_time() -> None:
    at_once[:] = [0, 0]
    assert run_workflow_locally(Alone).state == "completed"
    assert at_once == [0, 1]


@workflow
class Overdue:
    @step(timeout="50ms", error_strategy=None)
    def late(self, ctx: Context) -> None:
        time.sleep(0.3)
        try:
            ctx.state.set("late", True)
        except FlowError as exc:
            gone.append(str(exc))
        told.set()


gone: list[str] = []
told = threading.Event()


def test_a_body_that_ran_out_of_time_says_nothing_more() -> None:
    run = run_workflow_locally(Overdue)
    assert run.state == "failed"
    assert told.wait(60)
    assert run.values() == {}
    assert "has ended" in gone[0]
