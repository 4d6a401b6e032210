"""A map: its items go over a few lanes, each of which holds a lease and feeds its agent item after item.

A lane offers its lease back to the pool's queue after a quantum, so that a long map starves nobody. Items are
written down before they are sent, a few milliseconds of work at a time; their rows are made on the way.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pools.facade.contracts import AgentError, ItemResult, Lease, LeaseOutcome
from workflows.domain.document import MapStep
from workflows.domain.expressions import ExpressionError, compile_template
from workflows.domain.planner import MapCounts, judge_map
from workflows.domain.retry import delay_before, may_retry
from workflows.domain.states import StepState, check_step
from workflows.engine.context import NoAgent, RunContext
from workflows.engine.invoking import Outcome, send
from workflows.engine.loading import unfinished_items
from workflows.engine.records import ItemRecord
from workflows.engine.single import set_step_state, step_call

QUANTUM = 1.0  # seconds that a lane keeps a lease while others may wait
AHEAD = 0.025  # seconds of work that a lane writes down at once
MAX_AHEAD = 50  # calls
CLOSE_PAGE = 1000  # rows at a time for items that will never start


@dataclass(slots=True)
class _Call:
    """The items of one request."""

    items: list[ItemRecord]

    @property
    def indexes(self) -> list[int]:
        return [item.index for item in self.items]


def _set_item_state(item: ItemRecord, state: StepState) -> None:
    check_step(item.state, state)
    item.state = state


class MapRun:
    """Drives one `map` from queued to its end. Cancelling its task stops the requests under way."""

    def __init__(self, context: RunContext, step: MapStep) -> None:
        self.context = context
        self.step = step
        self.record = context.run.steps[step.id]
        self.retry = context.run.document.retry_of(step)
        self.call = step_call(context, step, batch=step.batch_size > 1)
        self._values: list[Any] = []
        self._next_index = 0
        self._taken_up = False
        self._again: deque[ItemRecord] = deque()  # to be sent again at once
        self._later: list[tuple[datetime, int, ItemRecord]] = []  # to be sent again at a time
        self._open: dict[int, ItemRecord] = {}  # in flight
        self._changed = asyncio.Event()
        self._lanes: set[asyncio.Task[None]] = set()
        self._reason: str | None = None
        self._first_failure: dict[str, Any] | None = None
        self._call_seconds = AHEAD  # moving average; begins careful: one call at a time

    # --- the whole -------------------------------------------------------------------------------

    async def run(self) -> None:
        try:
            self._values = await self._list()
            self._to_input = await self._item_input()
        except ExpressionError as exc:
            self._close(StepState.FAILED, AgentError("bad_input", str(exc)).as_dict())
            return
        await self._take_up()
        self._begin()
        try:
            await self._feed()
        finally:
            await self._stop_lanes()
        verdict = judge_map(self.step, self._counts())
        if verdict.state is StepState.COMPLETED:
            self._close(StepState.COMPLETED, None)
        elif verdict.state is StepState.FAILED:
            await self.cancel_items()
            self._close(StepState.FAILED, self._failure(verdict.reason or "The map failed."))

    async def _list(self) -> list[Any]:
        template = self.step.over
        values = compile_template(template)(await self.context.scope(template))
        if not isinstance(values, list):
            kind = "nothing" if values is None else type(values).__name__
            raise ExpressionError(f"`over` must give a list; here it gave {kind}")
        return values

    async def _item_input(self) -> Callable[[tuple[Any, int]], Any]:
        """A function from (item, index) in a scope to what the agent gets."""
        template = self.step.input
        if template is None:
            template = {self.step.as_: "${item}"}
        resolve = compile_template(template)
        scope = await self.context.scope(template)

        def to_input(place: Any) -> Any:
            item, index = place
            return resolve({**scope, "item": item, self.step.as_: item, "index": index})

        return to_input

    async def _take_up(self) -> None:
        """Goes on where the rows say that a former driver left off."""
        begun, self._next_index = await self.context.read(unfinished_items, self.record.pk)
        self._taken_up = True
        for item in begun:
            if item.state is StepState.RUNNING:
                _set_item_state(item, StepState.QUEUED)
                item.losses += 1  # its attempt died with its driver, and is not the step's fault
            if item.retry_at is not None:
                heapq.heappush(self._later, (item.retry_at, item.index, item))
            else:
                self._again.append(item)
        self.record.running = 0
        if begun:
            self.context.book.items_changed(self.record, begun)

    def _begin(self) -> None:
        record = self.record
        record.total = len(self._values)
        record.attempts = max(record.attempts, 1)
        record.started_at = record.started_at or self.context.clock.now()
        if record.total:
            set_step_state(record, StepState.RUNNING)
            self.context.book.step_changed(record, "step.started")

    def _close(self, state: StepState, error: dict[str, Any] | None) -> None:
        record = self.record
        record.error = error
        record.running = 0
        record.finished_at = self.context.clock.now()
        set_step_state(record, state)
        self.context.book.step_changed(record, f"step.{state}")

    def _counts(self) -> MapCounts:
        record = self.record
        return MapCounts(total=record.total, completed=record.completed, failed=record.failed)

    def _failure(self, reason: str) -> dict[str, Any]:
        first = self._first_failure or {}
        return {
            "type": "map_failed",
            "message": f"{reason} {first.get('message', '')}".strip(),
            "traceback": first.get("traceback"),
            "item": first.get("item"),
        }

    async def cancel_items(self) -> None:
        """Accounts for every item that will not end by itself: begun ones, and those without a row yet."""
        if not self._taken_up and self.record.total:  # a former driver began it, and this one never did
            with contextlib.suppress(ExpressionError):
                self._values = await self._list()
            await self._take_up()
        begun = [*self._open.values(), *self._again, *(item for _, _, item in self._later)]
        for item in begun:
            _set_item_state(item, StepState.CANCELLED)
            item.finished_at = self.context.clock.now()
        self._open.clear()
        self._again.clear()
        self._later.clear()
        self.record.running = 0
        self.context.book.items_changed(self.record, begun)
        while self._next_index < len(self._values):
            page = range(self._next_index, min(self._next_index + CLOSE_PAGE, len(self._values)))
            self._next_index = page.stop
            never = [ItemRecord(i, self._values[i], StepState.CANCELLED) for i in page]
            self.context.book.items_changed(self.record, never)
            await self.context.book.settled()

    # --- lanes -----------------------------------------------------------------------------------

    async def _feed(self) -> None:
        calls = math.ceil(self._counts().open / self.step.batch_size)
        width = min(calls, self.step.max_parallel or 100, self.context.run.document.max_parallel or 10_000)
        self._lanes = {asyncio.create_task(self._lane(number)) for number in range(width)}
        pending = set(self._lanes)
        while pending and judge_map(self.step, self._counts()).state is None:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for lane in done:
                lane.result()  # raises what the lane could not cope with

    async def _stop_lanes(self) -> None:
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)

    def _over(self) -> bool:
        return judge_map(self.step, self._counts()).state is not None

    async def _lane(self, number: int) -> None:
        grant = 0
        while await self._has_work():
            grant += 1
            async with self.context.slots:
                await self._with_lease(f"{number}.{grant}")

    async def _has_work(self) -> bool:
        """Waits until an item can be sent (True) or the map is over (False)."""
        while not self._over():
            self._wake_due()
            if self._again or self._next_index < len(self._values):
                return True
            self._changed.clear()
            wait = None
            if self._later:
                wait = max(0.001, (self._later[0][0] - self.context.clock.now()).total_seconds())
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                continue
        return False

    async def _with_lease(self, grant: str) -> None:
        run = self.context.run
        try:
            lease = await self.context.lease(self.record, f"{run.id}/{self.record.key}/{grant}/{run.fence}")
        except NoAgent as exc:
            self._no_agent(exc.error)
            return
        outcome, uses = LeaseOutcome.OK, 0
        loop = asyncio.get_running_loop()
        give_back_at = loop.time() + QUANTUM
        try:
            while uses < lease.uses_left and loop.time() < give_back_at and not self._over():
                calls = self._take(lease.uses_left - uses)
                if not calls:
                    break
                # If this is cancelled half-way, the pools find out whether the agent is free again.
                outcome = LeaseOutcome.ERROR
                sent, outcome = await self._send_all(lease, calls)
                uses += sent
                if outcome is LeaseOutcome.POISON:
                    break
        finally:
            await self.context.give_back(lease, outcome, uses=uses)

    async def _send_all(self, lease: Lease, calls: list[_Call]) -> tuple[int, LeaseOutcome]:
        """Writes the calls down, sends them one after another; those not sent go back to the queue."""
        self._started(calls, lease)
        await self.context.book.settled()
        loop = asyncio.get_running_loop()
        ends = LeaseOutcome.OK
        for place, call in enumerate(calls):
            begun = loop.time()
            inputs = tuple(item.input for item in call.items)
            attempt = max(item.attempts for item in call.items)
            outcome = await self._send(lease, inputs, call, attempt)
            self.record.usage.used(lease.agent_id)
            self._call_seconds += 0.2 * (loop.time() - begun - self._call_seconds)
            self._record(call, outcome)
            if outcome.agent_gone or self._over():
                self._unsend(calls[place + 1 :])
                return place + 1, outcome.lease
            if outcome.lease is LeaseOutcome.ERROR:
                ends = LeaseOutcome.ERROR
        return len(calls), ends

    async def _send(self, lease: Lease, inputs: tuple[Any, ...], call: _Call, attempt: int) -> Outcome:
        try:
            sent = tuple(
                self._to_input((value, item.index)) for value, item in zip(inputs, call.items, strict=True)
            )
        except ExpressionError as exc:
            error = AgentError("bad_input", str(exc))
            return Outcome((ItemResult(error=error),) * len(inputs))
        return await send(self.context.broker, lease, self.call.invocation(sent, call.indexes, attempt))

    # --- items -----------------------------------------------------------------------------------

    def _take(self, most: int) -> list[_Call]:
        """The next calls for one lane: about AHEAD seconds of work, and no more than its fair share."""
        waiting = len(self._again) + len(self._values) - self._next_index
        share = math.ceil(waiting / self.step.batch_size / max(1, len(self._lanes)))
        limit = max(1, min(most, share, MAX_AHEAD, int(AHEAD / max(self._call_seconds, 1e-6))))
        calls = []
        for _ in range(limit):
            items = self._take_items(self.step.batch_size)
            if not items:
                break
            calls.append(_Call(items))
        return calls

    def _take_items(self, count: int) -> list[ItemRecord]:
        items: list[ItemRecord] = []
        while self._again and len(items) < count:
            items.append(self._again.popleft())
        fresh = min(count - len(items), len(self._values) - self._next_index)
        indexes = range(self._next_index, self._next_index + fresh)
        items.extend(ItemRecord(index, self._values[index]) for index in indexes)
        self._next_index = indexes.stop
        return items

    def _wake_due(self) -> None:
        now = self.context.clock.now()
        while self._later and self._later[0][0] <= now:
            self._again.append(heapq.heappop(self._later)[2])

    def _started(self, calls: list[_Call], lease: Lease) -> None:
        now = self.context.clock.now()
        items = [item for call in calls for item in call.items]
        for item in items:
            item.attempts += 1
            item.agent_id = lease.agent_id
            item.retry_at = None
            item.started_at = item.started_at or now
            _set_item_state(item, StepState.RUNNING)
            self._open[item.index] = item
        self.record.running += len(items)
        self.context.book.items_changed(self.record, items)

    def _unsend(self, calls: list[_Call]) -> None:
        items = [item for call in calls for item in call.items]
        for item in items:
            item.attempts -= 1
            _set_item_state(item, StepState.QUEUED)
            del self._open[item.index]
        self._again.extendleft(reversed(items))
        self.record.running -= len(items)
        if items:
            self.context.book.items_changed(self.record, items)
        self._changed.set()

    def _record(self, call: _Call, outcome: Outcome) -> None:
        now = self.context.clock.now()
        for item, result in zip(call.items, outcome.results, strict=True):
            del self._open[item.index]
            self.record.running -= 1
            if result.error is None:
                item.output, item.error, item.finished_at = result.output, None, now
                _set_item_state(item, StepState.COMPLETED)
                self.record.completed += 1
            else:
                self._item_failed(item, result.error, now, agent_lost=outcome.agent_lost)
        if outcome.logs:
            rows = [(call.items[line.item], line) for line in outcome.logs if line.item < len(call.items)]
            self.context.book.log(
                (self.record.key, item.index, item.attempts, line.at, line.stream, line.text)
                for item, line in rows
            )
        self.context.book.items_changed(self.record, call.items)
        if self._later or self._again or self._over():
            self._changed.set()

    def _item_failed(self, item: ItemRecord, error: AgentError, now: datetime, *, agent_lost: bool) -> None:
        item.losses += agent_lost
        item.error = error.as_dict()
        if not may_retry(self.retry, item.attempts, item.losses, agent_lost=agent_lost):
            item.finished_at = now
            _set_item_state(item, StepState.FAILED)
            self.record.failed += 1
            self._first_failure = self._first_failure or {**item.error, "item": item.index}
            return
        _set_item_state(item, StepState.QUEUED)
        if agent_lost:
            self._again.append(item)
            return
        wait = delay_before(self.retry, item.attempts - item.losses + 1, self.context.random.random())
        item.retry_at = now + timedelta(seconds=wait)
        heapq.heappush(self._later, (item.retry_at, item.index, item))

    def _no_agent(self, error: AgentError) -> None:
        """The pool is broken: every item left fails with its reason, and the map's strategy decides."""
        now = self.context.clock.now()
        left = [*self._again, *(item for _, _, item in self._later)]
        self._again.clear()
        self._later.clear()
        left += [ItemRecord(i, self._values[i]) for i in range(self._next_index, len(self._values))]
        self._next_index = len(self._values)
        for item in left:
            item.error, item.finished_at = error.as_dict(), now
            _set_item_state(item, StepState.FAILED)
            self._first_failure = self._first_failure or {**item.error, "item": item.index}
        self.record.failed += len(left)
        self.context.book.items_changed(self.record, left)
        self._changed.set()
