"""A workflow that can go wrong in many ways, by its params; run here and on the platform."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from agentainer_flow import Context, RetryPolicy, branch, loop, step, wait, workflow

PARAMS = {
    "type": "object",
    "properties": {
        "count": {"type": "integer", "default": 6},
        "bad": {"type": "array", "default": []},
        "way": {"type": "string", "default": "short"},
        "fault": {"type": "string", "default": ""},
        "rounds": {"type": "integer", "default": 2},
    },
}


class Broken(Exception):
    """Not worth another attempt."""


@workflow(name="every-rule", params=PARAMS, retry_policy=RetryPolicy(1))
class EveryRule:
    @step(compensate="unlist")
    def listing(self, ctx: Context, count: int) -> list[int]:
        return list(range(count))

    @step
    def unlist(self, ctx: Context, listing: list[int]) -> int:
        return len(listing)

    @step(
        parallel=True,
        batch_size=2,
        max_workers=1,
        retry_policy=RetryPolicy(2, backoff="constant", delay="10ms", jitter=False, retry_on=[ValueError]),
        error_strategy="continue_on_partial",
        min_success_rate=0.5,
    )
    async def square(self, ctx: Context, number: int) -> dict[str, Any]:
        if number in ctx.params["bad"]:
            raise Broken("a bad number")
        if number == 0 and ctx.attempt == 1:
            raise ValueError("the first time")
        return {"square": number**2, "index": ctx.item_index, "attempt": ctx.attempt}

    @step(reduce=True, streaming=True)
    def total(self, ctx: Context, results: Iterator[Any]) -> int:
        return sum(one["square"] for one in results)

    @step
    def check(self, ctx: Context, total: int, fault: str) -> dict[str, Any]:
        ctx.state.set("total", total)
        if fault == "raise":
            raise KeyError("asked for")
        if fault == "number":
            return {"total": float("nan")}
        if fault == "nul":
            return {"total": "a\x00b"}
        if fault == "stop":
            raise StopIteration(3)
        if fault == "interrupt":
            raise KeyboardInterrupt
        return {"total": total, "pair": (1, 2)}

    @step(depends_on=[check], timeout="1s", error_strategy=None)
    def slow(self, ctx: Context, fault: str) -> bool:
        if fault == "slow":
            time.sleep(30)
        return True

    route = branch(short="params.way == 'short'", otherwise="long")

    @step
    def short(self, ctx: Context) -> str:
        return "short"

    @step
    def improve(self, ctx: Context, item: Any, index: int) -> int:
        ctx.state.append_to_list("seen", index)
        return int(ctx.state.increment("rounds"))

    long = loop([improve], until="steps.improve.output >= params.rounds", max_iterations=3, input=None)

    pause = wait("100ms")

    @step(when="size(steps.square.failed) == 0")
    def praise(self, ctx: Context) -> str:
        return "none failed"

    @step(depends_on=[praise, pause])
    async def end(self, ctx: Context, square: list[Any], check: Any) -> dict[str, Any]:
        return {
            "squares": square,
            "check": check,
            "rounds": await ctx.state.get("rounds", 0),
            "seen": await ctx.state.get("seen", []),
        }

    @step(always_run=True, depends_on=[end], input={"state": "${steps.end.state}"})
    def clean(self, ctx: Context, state: str, end: Any) -> dict[str, Any]:
        return {"after": state, "end": end}
