"""Drives the steps of one graph: the document's own, or those of one iteration of a loop.

Plan, act, write down, again. What is under way may be cancelled at any await, and another graph over the same
records then goes on; `close` is for steps that are to end where they stand.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import Error as DatabaseTrouble

from aflow_site.kernel import tracing
from pools.facade.contracts import AgentError
from workflows.domain.graph import nodes_of
from workflows.domain.planner import Planner, SkipReason
from workflows.domain.states import STEP_ACTIVE, STEP_FINAL, RunState, StepState
from workflows.domain.steps import (
    AnyStep,
    ApprovalStep,
    BranchStep,
    CallingStep,
    LoopStep,
    MapReduceStep,
    MapStep,
    WaitStep,
    WorkflowStep,
)
from workflows.domain.work import ExpressionError
from workflows.engine.bodies.base import StepBody
from workflows.engine.bodies.child import ChildRun
from workflows.engine.bodies.choosing import BranchRun, holds
from workflows.engine.bodies.looping import LoopRun
from workflows.engine.bodies.mapping import MapRun
from workflows.engine.bodies.mapreduce import MapReduceRun
from workflows.engine.bodies.single import SingleStep
from workflows.engine.bodies.waiting import ApprovalRun, WaitRun
from workflows.engine.context import RunContext
from workflows.engine.records import StepRecord
from workflows.engine.scope import Scope
from workflows.engine.stepstate import end_step, set_step_state
from workflows.services.journal import ClaimLost

log = logging.getLogger(__name__)

# Bodies that find their place by themselves when a former driver had them under way.
_GO_ON = (MapStep, MapReduceStep, LoopStep, WorkflowStep)


class Graph:
    """`records`: the steps by their ids. `cancelled` may be set at any time, followed by `look`."""

    def __init__(
        self, context: RunContext, steps: Sequence[AnyStep], records: Mapping[str, StepRecord], scope: Scope
    ) -> None:
        self.context = context
        self.cancelled = False
        self._steps = {step.id: step for step in steps}
        nodes = nodes_of(steps)
        self._planner = Planner(nodes, go_on=context.run.document.failure_strategy == "continue")
        self._streams = any(node.streams for node in nodes)
        self._records = records
        self._turned = set(records)  # steps whose state the planner does not know yet
        for key, record in records.items():
            record.turned = partial(self._turned.add, key)
        self._scope = scope
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ended: list[tuple[str, asyncio.Task[None]]] = []  # since it looked last
        self._bodies: dict[str, StepBody] = {}
        self._changed = asyncio.Event()

    def look(self) -> None:
        """Something that the plan depends on has changed."""
        self._changed.set()

    async def run(self) -> RunState:
        """Drives the graph to its end: completed, failed or cancelled. Raises ClaimLost, database errors."""
        try:
            self._take_up()
            return await self._advance()
        finally:
            await self._stop(list(self._tasks))

    async def close(self) -> None:
        """Every step that has not ended is cancelled where it stands."""
        await self._stop_steps([key for key, r in self._records.items() if r.state in STEP_ACTIVE])
        for record in self._records.values():
            if record.state is StepState.PENDING:
                end_step(self.context.book, record, StepState.CANCELLED, self.context.clock.now())

    def _take_up(self) -> None:
        for key, step in self._steps.items():
            record = self._records[key]
            if record.state is StepState.RUNNING and not isinstance(step, _GO_ON):
                set_step_state(record, StepState.QUEUED)
                record.excused += 1  # its attempt died with its driver, and is not the step's fault
                self.context.book.step_changed(record, "step.retrying")
            if record.state in STEP_ACTIVE:
                self._launch(key)

    async def _advance(self) -> RunState:
        while True:
            self._changed.clear()
            await self._collect()
            self._tell_planner()
            move = self._planner.moves()
            if move.outcome is not None:
                return move.outcome
            for key in move.undone:
                record = self._records[key]
                set_step_state(record, StepState.COMPENSATED)
                self.context.book.step_changed(record, "step.compensated")
            for key, reason in move.skip:
                self._skip(self._records[key], reason)
            for key in move.start:
                self._queue(key)
            if move.stop:
                await self._stop_steps(list(move.stop))
            if not (move.skip or move.stop or move.undone):
                await self._changed.wait()

    def _tell_planner(self) -> None:
        """What has changed since it planned last: not every step is looked at for each that ends."""
        for key in self._turned:
            record = self._records[key]
            self._planner.note(
                key,
                record.state,
                chosen=_chosen(record),
                order=(record.finished_at or self.context.run.created_at, record.position),
            )
        self._turned.clear()
        self._planner.cancelled = self.cancelled

    # --- steps -----------------------------------------------------------------------------------

    def _queue(self, key: str) -> None:
        record, step = self._records[key], self._steps[key]
        set_step_state(record, StepState.QUEUED)
        if isinstance(step, CallingStep) and step.total_timeout is not None:
            record.due_at = self.context.clock.now() + timedelta(seconds=step.total_timeout)
        self.context.book.step_changed(record, "step.queued")
        self._launch(key)

    def _launch(self, key: str) -> None:
        body = self._body(key)
        if self._streams:
            body.on_begin = self.look
        task = asyncio.create_task(self._traced(key, body), name=f"{self.context.run.id}/{key}")
        task.add_done_callback(lambda ended: self._has_ended(key, ended))
        self._tasks[key], self._bodies[key] = task, body

    def _body(self, key: str) -> StepBody:
        step, record = self._steps[key], self._records[key]
        context, scope = self.context, self._scope
        match step:
            case MapStep():
                return MapRun(context, step, record, scope)
            case MapReduceStep():
                return MapReduceRun(context, step, record, scope)
            case BranchStep():
                return BranchRun(context, step, record, scope)
            case LoopStep():
                return LoopRun(context, step, record, scope, Graph)
            case WorkflowStep():
                return ChildRun(context, step, record, scope)
            case ApprovalStep():
                return ApprovalRun(context, step, record, scope)
            case WaitStep():
                return WaitRun(context, step, record, scope)
        return SingleStep(context, step, record, scope)

    async def _traced(self, key: str, body: StepBody) -> None:
        record = self._records[key]
        with tracing.span("step", step_id=record.key, type=record.type, pool=record.pool or None):
            await self._guarded(key, body)

    async def _guarded(self, key: str, body: StepBody) -> None:
        """The step, if its condition holds, within its total time-out."""
        step, record = self._steps[key], self._records[key]
        if step.when is not None and record.state is StepState.QUEUED and not record.attempts:
            try:
                if not await holds(self._scope, step.when):
                    self._skip(record, "condition")
                    return
            except ExpressionError as exc:
                error = AgentError("bad_input", f"when: {exc}").as_dict()
                end_step(self.context.book, record, StepState.FAILED, self.context.clock.now(), error)
                return
        if not (isinstance(step, CallingStep) and record.due_at is not None):
            await body.run()
            return
        left = (record.due_at - self.context.clock.now()).total_seconds()
        try:
            async with asyncio.timeout(max(left, 0.0)):
                await body.run()
        except TimeoutError:
            await body.close()
            sentence = f"The step took longer than its total time-out of {step.total_timeout:g} s."
            error = AgentError("timeout", sentence).as_dict()
            end_step(self.context.book, record, StepState.FAILED, self.context.clock.now(), error)

    def _skip(self, record: StepRecord, reason: SkipReason | str) -> None:
        record.reason = reason
        state = StepState.CANCELLED if reason == "cancelled" else StepState.SKIPPED
        end_step(self.context.book, record, state, self.context.clock.now())

    def _has_ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._ended.append((key, task))
        self._changed.set()

    async def _collect(self) -> None:
        ended, self._ended = self._ended, []
        for key, task in ended:
            if self._tasks.get(key) is task:  # not one that was stopped
                del self._tasks[key]
                await self._settle(key, task)

    async def _settle(self, key: str, task: asyncio.Task[None]) -> None:
        # The graph takes its own tasks out before it cancels them: one that is cancelled here was not by us.
        exc = task.exception() if not task.cancelled() else RuntimeError("the step's task was cancelled")
        if exc is None:
            return
        if isinstance(exc, ClaimLost | DatabaseTrouble):
            raise exc
        record = self._records[key]
        log.error("step %s of run %s broke in the engine", record.key, self.context.run.id, exc_info=exc)
        if record.state in STEP_ACTIVE:
            await self._bodies[key].close()
            error = {"type": "engine_error", "message": f"{type(exc).__name__}: {exc}", "traceback": None}
            end_step(self.context.book, record, StepState.FAILED, self.context.clock.now(), error)

    async def _stop_steps(self, keys: list[str]) -> None:
        """Ends steps that are under way, because the graph fails or was cancelled."""
        await self._stop(keys)
        for key in keys:
            record = self._records[key]
            if record.state in STEP_FINAL:
                continue  # it ended while it was being stopped
            body = self._bodies.get(key) or self._body(key)
            await body.close()
            end_step(self.context.book, record, StepState.CANCELLED, self.context.clock.now(), record.error)

    async def _stop(self, keys: list[str]) -> None:
        tasks = [self._tasks.pop(key) for key in keys if key in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _chosen(record: StepRecord) -> Sequence[str]:
    """What a branch that has ended chose."""
    if record.type != "branch" or record.state is not StepState.COMPLETED:
        return ()
    return list((record.output or {}).get("chosen", ()))


def first_error(records: Mapping[str, StepRecord], now: Any) -> dict[str, Any]:
    """Of the step that failed first, with its key."""
    failed = [record for record in records.values() if record.state is StepState.FAILED]
    first = min(failed, key=lambda record: record.finished_at or now)
    return {"traceback": None, **(first.error or {}), "step": first.key}
