"""What a run's driver has to write down. Notes gather while a commit is under way and go with the next one.

`settled()` returns when everything noted before the call is durable: an attempt is written down before its
request is sent. Results are in no such hurry: they wait a few milliseconds for company.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from aflow_site.kernel.clock import Clock
from aflow_site.kernel.waits import set_within
from workflows.domain.shapes import run_shape, step_shape
from workflows.engine.records import ItemRecord, RunRecord, StepRecord
from workflows.engine.writer import Writer
from workflows.services.journal import Change

LINGER = 0.004  # seconds that a result waits for others

Announce = Callable[[UUID, int], None]  # run id, number of its last event


class Book:
    def __init__(self, run: RunRecord, writer: Writer, clock: Clock, announce: Announce) -> None:
        self._run = run
        self._writer = writer
        self._clock = clock
        self._announce = announce
        self._steps: dict[int, StepRecord] = {}
        self._items: dict[int, dict[int, ItemRecord]] = {}
        self._item_steps: dict[int, StepRecord] = {}
        self._run_fields: dict[str, Any] = {}
        self._events: list[tuple[str, Any, dict[str, Any]]] = []
        self._logs: list[tuple[Any, ...]] = []
        self._taken: list[tuple[int, str]] = []
        self._progressed: dict[str, Any] = {}
        self._dirty = False
        self._hurry = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._in_flight: asyncio.Future[None] = loop.create_future()  # of the commit under way, or the last
        self._in_flight.set_result(None)
        self._next_commit: asyncio.Future[None] = loop.create_future()
        self._failure: Exception | None = None

    # --- notes -----------------------------------------------------------------------------------

    def run_changed(self, event: str, **fields: Any) -> None:
        """Fields of the run's row, and the event that tells of them."""
        self._run_fields.update(fields)
        run = self._run
        shape = run_shape(run, workflow=run.workflow, version=run.version, tags=run.tags)
        self._events.append((event, self._clock.now(), {"run": shape}))
        self._touch()

    def step_changed(self, step: StepRecord, event: str) -> None:
        self._steps[step.pk] = step
        self._events.append((event, self._clock.now(), {"step": self._step_shape(step)}))
        self._touch()

    def items_changed(self, step: StepRecord, items: Iterable[ItemRecord]) -> None:
        self._steps[step.pk] = step
        self._item_steps[step.pk] = step
        changed = self._items.setdefault(step.pk, {})
        for item in items:
            changed[item.index] = item
        self._touch()

    def log(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows of (step, item, attempt, at, stream, text)."""
        self._logs.extend(rows)
        self._touch()

    def progressed(self, step: StepRecord) -> None:
        """The body told how far it is; several tellings before a commit are one event."""
        self._steps[step.pk] = step
        self._progressed[step.key] = step.progress
        self._touch()

    def taken(self, message: int, step: StepRecord) -> None:
        """The step used the message: written with what follows from it."""
        self._taken.append((message, step.key))
        self._touch()

    # --- writing ---------------------------------------------------------------------------------

    async def everything_settled(self) -> None:
        """Like `settled`, and nothing is left to write when it returns."""
        await self.settled()
        while self._flusher is not None:
            await asyncio.shield(self._flusher)

    async def settled(self) -> None:
        """Everything noted so far is durable. Raises ClaimLost, or DatabaseError when that is impossible."""
        if self._failure is not None:
            raise self._failure
        if self._dirty:
            self._hurry.set()
            await asyncio.shield(self._next_commit)
        else:
            await asyncio.shield(self._in_flight)

    async def park(self, wakes: int, event: str | None, **fields: Any) -> None:
        """Writes fields of the run's row and parks it, unless there is news that the driver does not know.

        Everything else must be settled. Raises Woken, ClaimLost, or DatabaseError.
        """
        assert not self._dirty
        assert self._flusher is None
        run, now = self._run, self._clock.now()
        events = []
        if event is not None:
            shape = run_shape(run, workflow=run.workflow, version=run.version, tags=run.tags)
            events.append((event, now, {"run": shape}))
        change = Change(
            run_id=run.id,
            fence=run.fence,
            run={**fields, "parked": True, "claimed_by": None},
            events=events,
            unless_woken_since=wakes,
        )
        self._announce(run.id, await self._writer.commit(change))

    def _touch(self) -> None:
        self._dirty = True
        if self._flusher is None and self._failure is None:
            self._flusher = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        try:
            while self._dirty:
                await self._linger()
                change = self._take()
                seq = await self._writer.commit(change)
                self._in_flight.set_result(None)
                self._announce(self._run.id, seq)
        except Exception as exc:
            self._fail(exc)
        finally:
            self._flusher = None

    async def _linger(self) -> None:
        if not self._hurry.is_set():
            await set_within(self._hurry, LINGER)
        self._hurry.clear()

    def _fail(self, exc: Exception) -> None:
        """Nothing more will be written: whoever waits, now or later, gets the reason."""
        self._failure = exc
        for future in (self._in_flight, self._next_commit):
            if not future.done():
                future.set_exception(exc)
            future.exception()  # marks it as seen: not everybody has someone waiting

    def _take(self) -> Change:
        """Snapshots of all that was noted: the writer's thread must not see records that still move."""
        now = self._clock.now()
        for pk, items in self._items.items():
            listed = [[item.index, str(item.state), item.attempts] for item in items.values()]
            data = {"step": self._step_shape(self._item_steps[pk]), "items": listed}
            self._events.append(("items.changed", now, data))
        for key, progress in self._progressed.items():
            self._events.append(("step.progress", now, {"step": key, "progress": progress}))
        change = Change(
            run_id=self._run.id,
            fence=self._run.fence,
            run=self._run_fields,
            steps=[_step_row(step) for step in self._steps.values()],
            items=[_item_row(pk, item) for pk, items in self._items.items() for item in items.values()],
            events=self._events,
            logs=self._logs,
            taken=self._taken,
        )
        self._taken, self._progressed = [], {}
        self._run_fields, self._steps, self._items, self._item_steps = {}, {}, {}, {}
        self._events, self._logs, self._dirty = [], [], False
        self._in_flight = self._next_commit
        self._next_commit = asyncio.get_running_loop().create_future()
        return change

    def _step_shape(self, step: StepRecord) -> dict[str, Any]:
        return step_shape(step, needs=step.needs, running=step.running)


def _step_row(step: StepRecord) -> tuple[Any, ...]:
    return (
        step.pk,
        str(step.state),
        step.attempts,
        step.losses,
        step.excused,
        step.retry_at,
        step.due_at,
        step.reason,
        step.progress,
        step.input,
        step.output,
        step.error,
        step.agent_id,
        step.total,
        step.completed,
        step.failed,
        step.usage.as_dict(),
        step.started_at,
        step.finished_at,
    )


def _item_row(step_pk: int, item: ItemRecord) -> tuple[Any, ...]:
    return (
        step_pk,
        item.index,
        str(item.state),
        item.attempts,
        item.losses,
        item.excused,
        item.retry_at,
        item.cause,
        item.input,
        item.output,
        item.error,
        item.agent_id,
        item.started_at,
        item.finished_at,
    )
