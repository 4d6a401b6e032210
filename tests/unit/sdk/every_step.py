"""A workflow with each type of step that has no body, as users write them; the tests compile and run it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from agentainer_flow import (
    Context,
    RetryPolicy,
    approval,
    branch,
    case,
    loop,
    mapreduce,
    step,
    subworkflow,
    wait,
    workflow,
)

PARAMS = {
    "type": "object",
    "properties": {"files": {"type": "array", "default": []}, "root": {"type": "string", "default": "/"}},
}


def measure(file: str, ctx: Context) -> int:
    return len(file) + len(ctx.params["root"])


def add(results: list[int]) -> int:
    return sum(results)


@workflow(name="every-step", params=PARAMS, timeout="2h", failure_strategy="continue")
class EveryStep:
    check = subworkflow("code-census", {"root": "${params.root}"}, version=3, timeout="5m")

    route = branch([case("steps.check.output.files > 1000", "large", "tell")], otherwise="small")

    def length(self, ctx: Context, file: str) -> int:
        return len(file)

    def total(self, ctx: Context, lengths: list[int]) -> dict[str, Any]:
        return {"total": sum(lengths), "root": ctx.params["root"]}

    large = mapreduce(
        over="params.files",
        mapper=measure,
        reducer=add,
        batch_size=10,
        pool_size=2,
        max_parallel=4,
        timeout="30s",
        error_strategy="continue_on_partial",
        min_success_rate=0.5,
        compensate="forget",
    )

    @step
    def forget(self, ctx: Context) -> Any:
        return ctx.input

    tell = approval("Is it?", form={"type": "object"}, approvers="user:ann", timeout=60, on_reject="continue")

    @mapreduce(mapper=length, reducer=total, retry_policy=RetryPolicy(retry_on=[TimeoutError, "timeout"]))
    def small(self, ctx: Context, files: list[str]) -> dict[str, Any]:
        return {"items": files}

    # The ways join here.
    @step(input={"first": "${params.files}"})
    def draft(self, ctx: Context, first: list[str], small: Any, check: Any) -> Any:
        return {"first": first, "small": small, "check": check}

    @step
    def improve(self, ctx: Context, item: Any, index: int) -> Any:
        return {"item": item, "index": index}

    rest = wait("10ms", when="steps.improve.output.index > 0", name="A rest")

    @step(depends_on=improve)
    def judge(self, ctx: Context, improve: Any, draft: Any) -> bool:
        return bool(improve and draft)

    refine = loop(steps=[improve, rest, judge], until="steps.judge.output", max_iterations=5)

    at = wait(until=datetime(2027, 1, 31, 9, tzinfo=UTC))
    event = wait(event="go-${params.root}", timeout="1h", name="go")

    @step(depends_on=refine)
    def listing(self, ctx: Context) -> list[str]:
        return []

    @step(parallel=True, batch_size=5, input={"root": "${params.root}"})
    def each(self, ctx: Context, file: str, root: str) -> str:
        return root + file

    @step(reduce=True, streaming=True)
    def join(self, ctx: Context, results: Iterator[str]) -> str:
        return " ".join(results)

    @step(always_run=True, depends_on=[join, event], when=True)
    def clean(self, ctx: Context) -> Any:
        return ctx.input
