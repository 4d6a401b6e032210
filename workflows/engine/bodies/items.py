"""The items of a map: which are to be sent, which are in flight, and what became of them.

Does not: hold leases or send anything.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aflow_site.kernel.waits import set_within
from pools.facade.contracts import AgentError, Lease
from workflows.domain.retry import delay_after_loss, delay_before, longest_wait, may_retry, own_attempts
from workflows.domain.states import StepState
from workflows.domain.steps import Retry
from workflows.engine.bodies.listing import Listing
from workflows.engine.context import RunContext
from workflows.engine.invoking import Outcome
from workflows.engine.records import ItemRecord, StepRecord
from workflows.engine.stepstate import dead_letter, fail_item, set_item_state

CLOSE_PAGE = 1000  # rows at a time for items that will never start


@dataclass(slots=True)
class ItemsCall:
    """The items of one request."""

    items: list[ItemRecord]

    @property
    def indexes(self) -> list[int]:
        return [item.index for item in self.items]


class ItemQueue:
    """Of one map. `values` is its list; rows are made when items are begun, or accounted for at the end."""

    def __init__(self, context: RunContext, step: StepRecord, retry: Retry) -> None:
        self.values = Listing()
        self.first_failure: dict[str, Any] | None = None
        self._context = context
        self._step = step
        self._retry = retry
        self._next_index = 0
        self._again: deque[ItemRecord] = deque()  # to be sent again at once
        self._later: list[tuple[datetime, int, ItemRecord]] = []  # to be sent again at a time
        self._open: dict[int, ItemRecord] = {}  # in flight
        self._changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Items that could be sent now."""
        return len(self._again) + len(self.values) - self._next_index

    def take_up(self, begun: list[ItemRecord], next_index: int) -> None:
        """`begun`: items with a row that have not ended."""
        self._next_index = next_index
        for item in begun:
            if item.state is StepState.RUNNING:
                set_item_state(item, StepState.QUEUED)
                item.excused += 1  # its attempt died with its driver, or was never sent
            if item.retry_at is not None:
                heapq.heappush(self._later, (item.retry_at, item.index, item))
            else:
                self._again.append(item)
        self._step.running = 0
        if begun:
            self._context.book.items_changed(self._step, begun)

    async def wait_for_work(self, over: Callable[[], bool]) -> bool:
        """Waits until an item can be sent (True) or the map is over (False)."""
        while not over():
            self._wake_due()
            if self._again or self._next_index < len(self.values):
                return True
            self._changed.clear()
            wait = None
            if self._later:
                left = (self._later[0][0] - self._context.clock.now()).total_seconds()
                wait = min(max(0.001, left), longest_wait(self._retry))
            await set_within(self._changed, wait)
        return False

    def _wake_due(self) -> None:
        now = self._context.clock.now()
        latest = now + timedelta(seconds=longest_wait(self._retry))
        while self._later and not now < self._later[0][0] <= latest:
            self._again.append(heapq.heappop(self._later)[2])

    # --- sending ---------------------------------------------------------------------------------

    def take(self, most: int, batch_size: int) -> list[ItemsCall]:
        """Up to `most` calls of `batch_size` items each."""
        calls = []
        for _ in range(most):
            items = self._take_items(batch_size)
            if not items:
                break
            calls.append(ItemsCall(items))
        return calls

    def _take_items(self, count: int) -> list[ItemRecord]:
        items: list[ItemRecord] = []
        while self._again and len(items) < count:
            items.append(self._again.popleft())
        fresh = min(count - len(items), len(self.values) - self._next_index)
        return items + self._begin(fresh)

    def _begin(self, count: int) -> list[ItemRecord]:
        """The next items that were never begun; fewer at the end of the list."""
        first = self._next_index
        values = self.values.read(first, count)
        self._next_index += len(values)
        return [ItemRecord(first + place, value) for place, value in enumerate(values)]

    def started(self, calls: list[ItemsCall], lease: Lease) -> None:
        now = self._context.clock.now()
        items = [item for call in calls for item in call.items]
        for item in items:
            item.attempts += 1
            item.agent_id = lease.agent_id
            item.retry_at = None
            item.started_at = item.started_at or now
            set_item_state(item, StepState.RUNNING)
            self._open[item.index] = item
        self._step.running += len(items)
        self._context.book.items_changed(self._step, items)

    def unsend(self, calls: list[ItemsCall]) -> None:
        """These were written down as started, and were not sent."""
        items = [item for call in calls for item in call.items]
        for item in items:
            item.attempts -= 1
            set_item_state(item, StepState.QUEUED)
            del self._open[item.index]
        self._again.extendleft(reversed(items))
        self._step.running -= len(items)
        if items:
            self._context.book.items_changed(self._step, items)
        self._changed.set()

    # --- results ---------------------------------------------------------------------------------

    def record(self, call: ItemsCall, outcome: Outcome, *, over: Callable[[], bool]) -> None:
        now = self._context.clock.now()
        feed = self._context.feeds.get(self._step.key)
        for item, result in zip(call.items, outcome.results, strict=True):
            del self._open[item.index]
            self._step.running -= 1
            if result.error is None:
                item.output, item.error, item.finished_at = result.output, None, now
                set_item_state(item, StepState.COMPLETED)
                self._step.completed += 1
                if feed is not None:
                    feed.add(item.index)
            else:
                self._failed(item, result.error, now, outcome)
        self._context.book.items_changed(self._step, call.items)
        if self._later or self._again or over():
            self._changed.set()

    def _failed(self, item: ItemRecord, error: AgentError, now: datetime, outcome: Outcome) -> None:
        lost = outcome.agent_lost
        if lost and not outcome.began:
            item.excused += 1
        else:
            item.losses += lost
        item.error = error.as_dict()
        own = own_attempts(item.attempts, item.losses, item.excused)
        if not may_retry(self._retry, own, item.losses, error_type=error.type, agent_lost=lost):
            self._give_up(item, dead_letter(error, item.losses) if lost else error, now)
            return
        set_item_state(item, StepState.QUEUED)
        wait = (
            delay_after_loss(item.losses, began=outcome.began)
            if lost
            else delay_before(self._retry, own + 1, self._context.random.random())
        )
        if not wait:
            self._again.append(item)
            return
        item.retry_at = now + timedelta(seconds=wait)
        heapq.heappush(self._later, (item.retry_at, item.index, item))

    def _give_up(self, item: ItemRecord, error: AgentError, now: datetime) -> None:
        fail_item(item, error.as_dict(), now)
        self._step.failed += 1
        self.first_failure = self.first_failure or {**error.as_dict(), "item": item.index}

    # --- the end ---------------------------------------------------------------------------------

    async def fail_rest(self, error: AgentError) -> None:
        """No agent is to be had: every item left fails with the reason, and the map's strategy decides."""
        now = self._context.clock.now()
        left = [*self._again, *(item for _, _, item in self._later)]
        self._again.clear()
        self._later.clear()
        for items in self._pages(left):
            for item in items:
                self._give_up(item, error, now)
            self._context.book.items_changed(self._step, items)
            await self._context.book.settled()
        self._changed.set()

    async def cancel_rest(self) -> None:
        """The step ends early: what has not ended is cancelled, begun or not."""
        now = self._context.clock.now()
        begun = [*self._open.values(), *self._again, *(item for _, _, item in self._later)]
        self._open.clear()
        self._again.clear()
        self._later.clear()
        self._step.running = 0
        for items in self._pages(begun):
            for item in items:
                set_item_state(item, StepState.CANCELLED)
                item.finished_at = now
            self._context.book.items_changed(self._step, items)
            await self._context.book.settled()

    def _pages(self, begun: list[ItemRecord]) -> Iterator[list[ItemRecord]]:
        """The begun items and then all that were never begun, a page at a time."""
        for start in range(0, len(begun), CLOSE_PAGE):
            yield begun[start : start + CLOSE_PAGE]
        while self._next_index < len(self.values):
            yield self._begin(CLOSE_PAGE)
