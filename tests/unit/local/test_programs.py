"""Programs as users write them, word for word."""

from __future__ import annotations

from typing import Any

from agentainer_flow import Context, ErrorHandler, compile_workflow, mapreduce, parallel, step, workflow
from agentainer_flow.testing import mock_agent, run_workflow_locally
from workflows.domain.validation import check_document

ITEMS = {"type": "object", "properties": {"items": {"type": "array", "default": [1, 2, 3]}}}


@workflow(params=ITEMS)
class Partial:
    @mapreduce(
        mapper="processor:latest",
        reducer="aggregator:latest",
        pool_size=10,
        error_strategy="continue_on_partial",
    )
    def process(self, ctx: Context, items: list[int]) -> dict[str, Any]:
        return {"items": items}


def test_a_mapreduce_goes_on_with_what_it_has() -> None:
    with (
        mock_agent("processor").fails("OSError", times=2).returns(5),
        mock_agent("aggregator").does(lambda given: given["results"]),
    ):
        run = run_workflow_locally(Partial)
        assert sorted(run.result(), key=str) == [5, None, None]
        with mock_agent("processor").fails("OSError"):
            none = run_workflow_locally(Partial)
    assert none.error is not None
    assert "0.0% can still succeed, and one at least must." in none.error["message"]


@workflow(params=ITEMS)
class Pooled:
    @step
    def listing(self, ctx: Context, items: list[int]) -> list[int]:
        return items

    @step(
        parallel=True,
        pool_config={"mode": "pooled", "size": 5, "warm_up": True, "max_uses": 100, "idle_timeout": 300},
    )
    async def process(self, ctx: Context, item: int) -> int:
        return item * item

    @parallel(max_workers=2)
    def again(self, ctx: Context, item: int) -> int:
        return item + 1


def test_a_step_with_a_pool_of_its_own() -> None:
    assert run_workflow_locally(Pooled).result() == [2, 5, 10]
    assert compile_workflow(Pooled)["steps"][2]["type"] == "map"


@workflow(params=ITEMS)
class NoReducer:
    @mapreduce(mapper="processor:latest", pool_size=5)
    async def process_all(self, ctx: Context, items: list[int]) -> dict[str, Any]:
        return {"items": items}


def test_a_mapreduce_without_a_reducer() -> None:
    with mock_agent("processor").does(lambda given: -given["item"]):
        assert run_workflow_locally(NoReducer).result() == [-1, -2, -3]


@workflow(name="child")
class Child:
    @step
    def work(self, ctx: Context) -> str:
        return "done"


@workflow(params=ITEMS)
class Classic:
    @step
    def listing(self, ctx: Context, items: list[int]) -> list[int]:
        ctx.state.set("count", len(items))
        return items

    @step(
        depends_on=["listing"],
        parallel=True,
        dynamic=True,
        error_handler=ErrorHandler.CONTINUE,
    )
    def process(self, ctx: Context, item: int) -> int:
        if item == 2:
            raise ValueError("two")
        ctx.state.increment("processed")
        return item

    @step(depends_on=["process"], reduce=True)
    def total(self, ctx: Context, results: list[int | None]) -> int:
        return sum(result or 0 for result in results)

    @step(depends_on=["total"], when="steps.total.output > 100")
    def large(self, ctx: Context) -> str:
        return "large"

    @step(depends_on=["total"])
    async def child(self, ctx: Context) -> Any:
        return await ctx.run_workflow("child")

    @step(depends_on=["large", "child"], always_run=True)
    def clean(self, ctx: Context, total: int, child: str) -> Any:
        return [total, child, ctx.state.all()]


def test_the_classic_three_steps() -> None:
    run = run_workflow_locally(Classic, workflows=[Child])
    assert run.result() == [4, "done", {"count": 3, "processed": 2}]
    assert run.step("large")["state"] == "skipped"


def test_the_platform_takes_them_all() -> None:
    for cls in (Partial, Pooled, NoReducer, Classic):
        assert check_document(compile_workflow(cls))[1] == []
