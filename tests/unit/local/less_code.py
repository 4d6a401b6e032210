"""Three map-reduces, each with its steps written out and with `@mapreduce`: the same work and output."""

from __future__ import annotations

from typing import Any

from agentainer_flow import Context, mapreduce, step, workflow
from agentainer_flow.patterns import batch_process

FILES = {"type": "object", "properties": {"files": {"type": "array", "default": ["a", "b", "c"]}}}


@workflow(params=FILES)
class ThumbnailsInSteps:
    @step
    def listing(self, ctx: Context, files: list[str]) -> list[str]:
        return files

    @step(
        parallel=True,
        dynamic=True,
        depends_on=["listing"],
        pool_config={"mode": "pooled", "size": 5},
    )
    async def shrink(self, ctx: Context, file: str) -> Any:
        agent = await ctx.deploy_agent("thumbnailer:2")
        try:
            return await agent.wait()
        finally:
            await agent.stop()

    @step(reduce=True, depends_on=["shrink"])
    async def collect(self, ctx: Context, results: list[Any]) -> Any:
        agent = await ctx.deploy_agent("album:1", start=False)
        try:
            return await agent.invoke({"results": results})
        finally:
            await agent.stop()


@workflow(params=FILES)
class Thumbnails:
    pages = mapreduce(over="params.files", mapper="thumbnailer:2", reducer="album:1", pool_size=5)


@workflow(params=FILES)
class ScanInSteps:
    @step
    def listing(self, ctx: Context, files: list[str]) -> list[list[str]]:
        size = 2
        return [files[start : start + size] for start in range(0, len(files), size)]

    @step(
        parallel=True,
        dynamic=True,
        depends_on=["listing"],
        max_workers=4,
        pool_config={"mode": "pooled", "size": 4},
    )
    async def scan(self, ctx: Context, files: list[str]) -> Any:
        agent = await ctx.deploy_agent("scanner:1", start=False)
        try:
            return await agent.invoke({"items": files})
        finally:
            await agent.stop()

    @step(reduce=True, depends_on=["scan"])
    def collect(self, ctx: Context, results: list[list[Any]]) -> list[Any]:
        return [one for batch in results for one in batch]


@workflow(params=FILES)
class Scan:
    scanned = batch_process("scanner:1", over="params.files", batch_size=2, pool_size=4, max_parallel=4)


@workflow(params=FILES)
class SumInSteps:
    @step
    def listing(self, ctx: Context, files: list[str]) -> list[str]:
        return sorted(files)

    @step(
        parallel=True,
        dynamic=True,
        depends_on=["listing"],
        execution_mode="pooled",
    )
    async def measure(self, ctx: Context, file: str) -> Any:
        agent = await ctx.deploy_agent("measure:1")
        try:
            return await agent.wait()
        finally:
            await agent.stop()

    @step(reduce=True, depends_on=["measure"])
    async def add(self, ctx: Context, results: list[int]) -> Any:
        agent = await ctx.deploy_agent("adder:1", start=False)
        try:
            return await agent.invoke({"results": results})
        finally:
            await agent.stop()


@workflow(params=FILES)
class Sum:
    @mapreduce(mapper="measure:1", reducer="adder:1")
    def total(self, ctx: Context, files: list[str]) -> dict[str, Any]:
        return {"items": sorted(files)}
