"""Maps, and the reduce of a mapreduce after them."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from agentainer_flow.errors import FlowError, api_error
from agentainer_flow.local.calls import RESULTS, Caller, One, Outcome
from agentainer_flow.local.expressions import ExpressionError, resolve
from agentainer_flow.local.records import Error, ItemRecord, StepRecord, error_of
from agentainer_flow.local.scopes import Scope
from agentainer_flow.sdk.bundling import home_of
from agentainer_flow.sources.agent import with_secrets
from agentainer_flow.sources.reading import read_items

if TYPE_CHECKING:
    from agentainer_flow.local.graph import Graph
    from agentainer_flow.local.run import LocalRun

WIDTH = 100  # calls at once without a max_parallel


class _NotRead(Exception):
    def __init__(self, error: Error) -> None:
        super().__init__(error["message"])
        self.error = error


class MapBody:
    """Its items go over a few lanes, batch after batch."""

    def __init__(
        self, run: LocalRun, graph: Graph, step: Mapping[str, Any], record: StepRecord, scope: Scope
    ) -> None:
        self._run = run
        self._graph = graph
        self._step = step
        self._record = record
        self._scope = scope
        self._behaviour: Mapping[str, Any] = step["run"] if step["type"] == "map" else step["mapper"]
        self._caller = Caller(run, record, step, self._behaviour)
        self._ready: deque[ItemRecord] = deque()
        self._later: set[asyncio.Task[None]] = set()
        self._first_failure: Error | None = None
        self._batch = int(step.get("batch_size", 1))  # a source may say another
        self._changed = asyncio.Event()

    async def run(self) -> None:
        record = self._record
        try:
            values = await self._list()
        except _NotRead as exc:
            self._graph.fail(record, exc.error)
            return
        record.items = [ItemRecord(index, value) for index, value in enumerate(values)]
        self._to_input = self._item_input()
        self._ready.extend(record.items)
        record.attempts = 1
        self._graph.begin(record)
        await self._feed()
        failure = self._verdict()
        if failure is not None:
            first = self._first_failure or error_of("", "")
            message = f"{failure} {first['message']}".strip()
            self._graph.fail(record, error_of("map_failed", message, first["traceback"]))
        elif self._step["type"] == "mapreduce" and self._step.get("reducer"):
            await self._reduce(self._step["reducer"])
        else:
            self._graph.complete(record, self._outputs())

    def _outputs(self) -> list[Any]:
        return [item.output for item in self._record.items]

    async def _reduce(self, reducer: Mapping[str, Any]) -> None:
        record = self._record
        record.progress = {"phase": "reduce"}
        caller = Caller(self._run, record, self._step, reducer)
        outcome = await caller.until_done({RESULTS: self._outputs()}, lambda _state: None)
        if outcome.error is None:
            self._graph.complete(record, outcome.output)
        else:
            self._graph.fail(record, outcome.error)

    # --- its list --------------------------------------------------------------------------------

    async def _list(self) -> list[Any]:
        values = self._scope.resolve(self._step["over"])
        if isinstance(values, dict) and "source" in values:
            self._batch = int(values.get("batch_size") or self._batch)
            if isinstance(values["source"], list):
                return values["source"]
            return await self._read(values)
        if not isinstance(values, list):
            kind = "nothing" if values is None else type(values).__name__
            raise ExpressionError(f"`over` must give a list; here it gave {kind}")
        return values

    async def _read(self, source: Mapping[str, Any]) -> list[Any]:
        """As an agent would, and tried again as its calls are. Raises _NotRead."""
        attempts, retry = 0, self._caller.retry
        while True:
            attempts += 1
            try:
                with self._run.clock.busy():
                    return await asyncio.to_thread(self._items_of, source)
            except FlowError as exc:
                error = error_of(type(exc).__name__, str(exc))
            if not retry.again(attempts, error):
                raise _NotRead(error)
            await self._run.clock.sleep(retry.wait(attempts + 1, self._run.random.random()))

    def _items_of(self, source: Mapping[str, Any]) -> list[Any]:
        cls = self._run.definition.cls
        given = with_secrets(self._secret, source.get("options"))
        root = None if cls is None else home_of(cls)
        return list(read_items(source["source"], format=source.get("format"), options=given, root=root))

    def _secret(self, name: str) -> str:
        if name not in self._run.secrets:
            raise api_error(404, {"code": "not_found", "detail": f"There is no secret {name} in this team."})
        return self._run.secrets[name]

    def _item_input(self) -> Callable[[ItemRecord], Any]:
        alias, template = self._step.get("as", "item"), self._step.get("input")
        if template is None:
            bare = self._batch > 1 and "image" in self._behaviour
            return lambda item: item.value if bare else {alias: item.value}
        roots = self._scope.roots(template)
        return lambda item: resolve(
            template, {**roots, "item": item.value, alias: item.value, "index": item.index}
        )

    # --- lanes -----------------------------------------------------------------------------------

    async def _feed(self) -> None:
        most = self._run.document.get("max_parallel")
        width = min(self._step.get("max_parallel") or WIDTH, most or WIDTH)
        calls = math.ceil(len(self._ready) / self._batch)
        lanes = [asyncio.ensure_future(self._lane()) for _ in range(min(width, calls))]
        try:
            while not self._over():
                self._changed.clear()
                news = asyncio.ensure_future(self._changed.wait())
                try:
                    done, _ = await asyncio.wait({news, *lanes}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    news.cancel()
                for lane in [one for one in lanes if one in done]:
                    lane.result()  # raises what it could not cope with
                    lanes.remove(lane)
        finally:
            for task in (*lanes, *self._later):
                task.cancel()
            await asyncio.gather(*lanes, *self._later, return_exceptions=True)

    async def _lane(self) -> None:
        while not self._over():
            items = [self._ready.popleft() for _ in range(min(self._batch, len(self._ready)))]
            if not items:
                changed = self._changed
                if not self._later:
                    return
                await changed.wait()
                await asyncio.sleep(0)
                continue
            await self._send(items)

    async def _send(self, items: list[ItemRecord]) -> None:
        for item in items:
            item.attempts += 1
            item.state = "running"
        self._record.running += len(items)
        calls = [One(self._to_input(item), item.index, item.attempts) for item in items]
        outcomes = await self._caller.once(calls, batch=self._batch > 1)
        self._record.running -= len(items)
        for item, outcome in zip(items, outcomes, strict=True):
            self._ended(item, outcome)
        self._changed.set()

    def _ended(self, item: ItemRecord, outcome: Outcome) -> None:
        if outcome.error is None:
            item.output, item.error, item.state = outcome.output, None, "completed"
            self._record.completed += 1
            self._run.results_of(self._record).add(item.output)
            return
        item.error = outcome.error
        if not self._caller.retry.again(item.attempts, outcome.error):
            item.state = "failed"
            self._record.failed += 1
            self._first_failure = self._first_failure or outcome.error
            return
        item.state = "queued"
        task = asyncio.ensure_future(self._again(item))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _again(self, item: ItemRecord) -> None:
        wait = self._caller.retry.wait(item.attempts + 1, self._run.random.random())
        await self._run.clock.sleep(wait)
        self._ready.append(item)
        self._changed.set()

    # --- how it stands ---------------------------------------------------------------------------

    def _over(self) -> bool:
        record = self._record
        ended = record.completed + record.failed == len(record.items)
        return ended or self._verdict() is not None

    def _verdict(self) -> str | None:
        """Why the map has failed; None while it has not. It fails as soon as its strategy cannot be met."""
        strategy, failed = self._step.get("error_strategy", "fail_fast"), self._record.failed
        total = len(self._record.items)
        if strategy == "fail_fast" and failed:
            return "An item failed, and the map's error strategy is fail_fast."
        if strategy != "continue_on_partial" or not total:
            return None
        best, needed = (total - failed) / total, self._step.get("min_success_rate")
        if best > 0 if needed is None else best >= needed:
            return None
        wanted = "one at least must" if needed is None else f"min_success_rate is {needed:.1%}"
        return f"{failed} of {total} items failed: {best:.1%} can still succeed, and {wanted}."
