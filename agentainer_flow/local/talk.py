"""What a body says and asks in a local run, where the run itself listens."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any

from agentainer_flow.agent.outputs import BadOutput, encode
from agentainer_flow.agent.talk import in_loop
from agentainer_flow.local.baton import Turn
from agentainer_flow.local.values import Refused

if TYPE_CHECKING:
    from agentainer_flow.local.hiring import Errands
    from agentainer_flow.local.records import StepRecord
    from agentainer_flow.local.run import LocalRun


class LocalTalk:
    """Of one attempt; any thread may use it. `source`: the map whose results the body may take as they
    come."""

    def __init__(
        self,
        run: LocalRun,
        step: StepRecord,
        item: int | None,
        turn: Turn,
        source: StepRecord | None = None,
    ) -> None:
        self._turn = turn
        self._run = run
        self._step = step
        self._item = item
        self._source = source
        self.errands: Errands | None = None  # what the body may have others do

    def call(self, op: str, args: dict[str, Any]) -> Any:
        """The result; something to await where an event loop runs. Raises Refused."""
        args = _json(args, "args")
        loop = self._run.loop
        if in_loop() and asyncio.get_running_loop() is loop:
            return self._answer(op, args)
        if op.startswith("state.") and not in_loop() and not self._run.baton.wanted:
            self._turn.check()
            return self._run.values.apply(op.removeprefix("state."), args)
        future = asyncio.run_coroutine_threadsafe(self._answer_thread(op, args), loop)
        return asyncio.wrap_future(future) if in_loop() else future.result()

    async def _answer_thread(self, op: str, args: dict[str, Any]) -> Any:
        """A sync body waits: it is somebody else's turn."""
        async with self._turn.lent():
            return await self._answer(op, args)

    async def _answer(self, op: str, args: dict[str, Any]) -> Any:
        with self._run.clock.resting():
            if op.startswith("state."):
                return self._run.values.apply(op.removeprefix("state."), args)
            if op == "results.next" and self._source is not None:
                return await self._next_results(self._source, args)
            if self.errands is None:
                raise Refused("not_supported", f"There is no operation {op} here.")
            return await self.errands.call(op, args)

    async def _next_results(self, source: StepRecord, args: dict[str, Any]) -> dict[str, Any]:
        after, most = int(args.get("after", 0)), int(args.get("max", 100))
        order = self._run.results_of(source)
        while len(order.outputs) <= after and source.state in ("queued", "running"):
            await order.more()
        page = order.outputs[after : after + most]
        return {"results": page, "cursor": after + len(page), "done": not page}

    def progress(self, value: Any) -> None:
        told = _json(value, "progress")
        if self._item is None:
            self._step.progress = told

    def metric(self, name: str, value: float) -> None:
        if not isinstance(name, str) or not 0 < len(name) <= 100:
            raise Refused("invalid", "A metric's name is text of 1 to 100 characters.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Refused("invalid", f"The metric {name} must be a finite number.")
        self._run.log(self._step.key, self._item, "metric", json.dumps({"name": name, "value": value}))


def _json(value: Any, name: str) -> Any:
    try:
        return json.loads(encode(value, name))
    except BadOutput as exc:
        raise Refused("invalid", str(exc)) from None
