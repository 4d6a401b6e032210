"""A workflow of every kind of step, as users write them; the tests compile, bundle and run it."""

from __future__ import annotations

import asyncio
from typing import Any

from agentainer_flow import Context, RetryPolicy, WorkflowClient, step, workflow

PARAMS = {
    "type": "object",
    "properties": {"size": {"type": "integer", "default": 3}, "factor": {"type": "integer"}},
}


@workflow(name="sample", description="Every kind", params=PARAMS, max_parallel=4, retry_policy=RetryPolicy(2))
class Sample:
    def __init__(self) -> None:
        self.calls = 0

    @step(timeout="30s")
    def numbers(self, ctx: Context, size: int, factor: int = 10) -> list[int]:
        self.calls += 1
        ctx.log("size", size)
        return [factor * number for number in range(size)]

    @step(
        name="square",
        parallel=True,
        dynamic=True,
        max_workers=2,
        error_strategy="continue_on_partial",
        min_success_rate=0.5,
        pool_config={
            "size": 2,
            "warm_up": True,
            "max_agent_uses": 100,
            "idle_timeout": "5m",
            "capacity_type": "spot",
            "zone": "north",
        },
    )
    async def squares(self, ctx: Context, number: int) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"square": number**2, "index": ctx.item_index, "attempt": ctx.attempt, "params": ctx.params}

    @step(reduce=True, pool_size=1)
    def total(self, ctx: Context, squares: list[dict[str, Any]]) -> int:
        return sum(square["square"] for square in squares)

    @step(depends_on=["total", numbers])
    def report(self, ctx: Context, total: int, numbers: list[int], factor: int = 1) -> dict[str, Any]:
        return {"total": total, "numbers": numbers, "factor": factor, "run": ctx.run_id, "calls": self.calls}

    @step(depends_on="numbers", image="published:1")
    def publish(self, ctx: Context) -> None: ...

    @step(depends_on=["numbers", "total"])
    def look(self, ctx: Context) -> Any:
        return ctx.input

    def helper(self, ctx: Context, value: int) -> int:
        return value + 1


def deploy() -> None:
    """Modules import the client too; agents have no HTTP library and must not need one."""
    WorkflowClient().deploy(Sample)
