"""What bodies say while they run: log lines, progress, metrics, and calls that want an answer.

A body's call comes over its own request (docs/adr/0010), so it is fenced with it: the calls of an attempt
that was superseded end with their connection.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aflow_site.kernel.errors import FlowError, InvalidInput
from pools.facade.contracts import LogLine
from workflows.engine.context import RunContext
from workflows.engine.errands import Errands
from workflows.engine.loading import outputs_at
from workflows.engine.records import StepRecord
from workflows.services import state

Operation = Callable[[Mapping[str, Any]], Awaitable[Any]]
Sink = Callable[[list[Any]], Awaitable[None]]


class Unsupported(FlowError):
    code = "not_supported"
    status = 501
    title = "Not supported"


class BodyListener:
    """Of one request. `items`: the index and the attempt of each; empty for a step of one call. `errands`:
    what its bodies may have others do; None for images, whose calls end by themselves. `sink`: takes the
    items of a source."""

    def __init__(
        self,
        context: RunContext,
        step: StepRecord,
        attempt: int,
        items: Sequence[tuple[int, int]] = (),
        source: StepRecord | None = None,
        errands: Errands | None = None,
        sink: Sink | None = None,
    ) -> None:
        self._context = context
        self._step = step
        self._attempt = attempt
        self._items = items
        self._source = source
        self._errands = errands
        self._sink = sink

    def log(self, line: LogLine) -> None:
        self._write(line.item, line.at, line.stream, line.text)

    def metric(self, name: str, value: float, item: int) -> None:
        text = json.dumps({"name": name, "value": value})
        self._write(item, self._context.clock.now(), "metric", text)

    def progress(self, value: Any, item: int) -> None:
        if self._items:
            return  # a map's progress is its items
        self._step.progress = value
        self._context.book.progressed(self._step)

    def _write(self, item: int, at: Any, stream: str, text: str) -> None:
        index, attempt = self._items[item] if item < len(self._items) else (None, self._attempt)
        self._context.book.log([(self._step.key, index, attempt, at, stream, text)])

    async def call(self, op: str, args: Mapping[str, Any], item: int) -> Any:
        """The answer to a body's call. Raises FlowError, whose sentence the body gets."""
        family, _, name = op.partition(".")
        if family == "state":
            return await self._state(name, args)
        if op == "results.next" and self._source is not None:
            return await self._next_results(args)
        if op == "source.items" and self._sink is not None:
            return await self._sink(_list(args, "items"))
        if self._errands is not None and self._errands.has(op):
            return await self._errands.call(op, args)
        raise Unsupported(f"There is no operation {op} here.")

    async def close(self) -> None:
        """The request has ended."""
        if self._errands is not None:
            await self._errands.close()

    async def _state(self, name: str, args: Mapping[str, Any]) -> Any:
        context = self._context
        if name == "all":
            return await context.state_values()
        return await context.read(state.apply, context.run.id, name, args, fence=context.run.fence)

    async def _next_results(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The next page of a map's results, as soon as there is one."""
        after, most = _number(args, "after", 0), min(_number(args, "max", 100), 1000)
        assert self._source is not None
        source, context = self._source, self._context
        feed = context.feed(source)
        while len(feed.order) <= after and source.state not in ("completed", "failed", "cancelled"):
            await feed.wait()
        indexes = feed.order[after : after + most]
        await context.book.settled()
        results = await context.read(outputs_at, context.run.team_id, source.pk, indexes)
        done = not indexes
        return {"results": results, "cursor": after + len(indexes), "done": done}


def _number(args: Mapping[str, Any], name: str, default: int) -> int:
    value = args.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidInput(f"{name} must be a whole number of 0 or more.")
    return value


def _list(args: Mapping[str, Any], name: str) -> list[Any]:
    value = args.get(name)
    if not isinstance(value, list):
        raise InvalidInput(f"{name} must be a list.")
    return value
