"""A workflow whose steps talk with the executor while they run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from agentainer_flow import Context, step, workflow


@workflow(name="talking")
class Talking:
    @step
    def count(self, ctx: Context) -> list[Any]:
        ctx.progress(0.5, "half")
        ctx.metric("rows", 3)
        return [ctx.state.increment("n"), ctx.state.increment("n", 2), ctx.state.get("none", "default")]

    @step
    async def count_async(self, ctx: Context) -> list[Any]:
        await ctx.emit_progress(0.5)
        counts = await asyncio.gather(*(ctx.state.increment("n") for _ in range(3)))
        return [sorted(counts), await ctx.state.all()]

    @step(parallel=True)
    def each(self, ctx: Context, item: int) -> Any:
        return ctx.state.set(str(item), ctx.params)

    @step(reduce=True)
    def total(self, ctx: Context, results: Iterator[int]) -> int:
        return sum(results)

    @step(reduce=True)
    async def total_async(self, ctx: Context) -> int:
        results: AsyncIterator[int] = ctx.input
        return sum([one async for one in results])
