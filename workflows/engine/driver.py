"""Drives one run from wherever its rows stand to its end, or to where nothing is to be done for now.

There is one driver of a run at a time (`workflows.services.claims`). It may die at any line: the next one
reads the rows and goes on. Attempts that were under way are superseded then; their results are refused.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any

from aflow_site.kernel import tracing
from workflows.domain.outputs import output_template
from workflows.domain.states import BUDGET, STEP_ACTIVE, RunState, StepState, check_run
from workflows.domain.steps import CallingStep
from workflows.domain.work import ExpressionError
from workflows.engine.context import RunContext
from workflows.engine.graphs import Graph, first_error
from workflows.engine.loading import load_news
from workflows.engine.records import News, StepRecord
from workflows.engine.scope import Scope
from workflows.services.journal import ClaimLost, Woken
from workflows.services.step_pools import kind_of, pool_name

log = logging.getLogger(__name__)

# A run of which nothing but waiting steps is left is parked after this long, and looked at again after that,
# whatever happens (messages get lost).
PARK_AFTER = 0.5
LOOK_AGAIN = 60.0  # seconds


class RunDriver:
    """`news`: what was read together with the run."""

    def __init__(self, context: RunContext, news: News) -> None:
        self.context = context
        self._first = news
        self.run = context.run
        records = {step.id: self.run.steps[step.id] for step in self.run.document.steps}
        self._records = records
        self._scope = Scope(context, records)
        self._graph = Graph(context, self.run.document.steps, records, self._scope)
        self._paused = False
        self._expired = False
        self._looking: asyncio.Task[None] | None = None
        self._look_again = False
        self._left = False

    # --- news ------------------------------------------------------------------------------------

    def look(self) -> None:
        """Somebody wrote news for the run: reads them, one reading at a time."""
        if self._left:
            return
        if self._looking is not None and not self._looking.done():
            self._look_again = True
            return
        self._looking = asyncio.create_task(self._read_news())

    async def _read_news(self) -> None:
        while True:
            self._look_again = False
            self._heed(await self.context.read(load_news, self.run.id))
            if not self._look_again:
                return

    def _heed(self, news: News) -> None:
        for key, overrides in news.overrides.items():
            if key in self.run.steps:
                self.run.steps[key].overrides = overrides
        if news.cancelled and not self._graph.cancelled:
            self._graph.cancelled = True
            self._graph.look()
        self._paused = news.paused and not news.cancelled
        if self._paused:
            self.context.gate.clear()
        else:
            self.context.gate.set()
        self.context.inbox.put(news)
        self.context.turned.set()

    # --- the whole -------------------------------------------------------------------------------

    async def drive(self) -> None:
        """Returns when the run has ended, was parked, and that is durable, or when the claim is lost.

        Raises what keeps the run from being written down.
        """
        run = self.run
        try:
            with tracing.span(
                "run", parent=run.traceparent, workflow=run.workflow, run_id=run.id, version=run.version
            ):
                self._heed(self._first)
                await self._take_over()
                await self._drive()
        except ClaimLost:
            log.info("run %s was taken over by another executor", self.run.id)
        finally:
            self._left = True
            if self._looking is not None:
                self._looking.cancel()
                await asyncio.gather(self._looking, return_exceptions=True)

    async def _take_over(self) -> None:
        """Agents that a former driver leased are freed at once; its leases would last for half a minute."""
        document, used = self.run.document, set()
        for record in self._active():
            step = document.step(record.key)
            if isinstance(step, CallingStep) and record.attempts:
                used |= {(pool_name(document, step, run), kind_of(run)) for run in step.runs}
        await self.context.agents.take_back_former(used)

    async def _drive(self) -> None:
        while True:
            if self._paused:
                if await self._park(RunState.PAUSED):
                    return
                continue
            self._begin()
            graph = asyncio.create_task(self._graph.run())
            try:
                outcome = await self._watch(graph)
            finally:
                graph.cancel()
                await asyncio.gather(graph, return_exceptions=True)
            if outcome is not None:
                await self._finish(outcome)
                await self.context.book.settled()
                return
            if await self._park(RunState.PAUSED if self._paused else self._waiting_state()):
                return

    def _begin(self) -> None:
        now = self.context.clock.now()
        if self.run.state is RunState.PENDING:
            timeout = self.run.document.timeout
            if timeout is not None and self.run.deadline is None:
                self.run.deadline = now + timedelta(seconds=timeout)
            started_at = self.run.started_at or now
            self._set_run_state(
                RunState.RUNNING, "run.started", started_at=started_at, deadline=self.run.deadline
            )
        elif self.run.state in (RunState.PAUSED, RunState.WAITING):
            self._set_run_state(RunState.RUNNING, "run.resumed")

    async def _watch(self, graph: asyncio.Task[RunState]) -> RunState | None:
        """The graph's outcome; None when the run is to be parked: paused, or nothing but waiting is left."""
        while True:
            self.context.turned.clear()
            turned = asyncio.ensure_future(self.context.turned.wait())
            try:
                at_rest, left = self._at_rest(), self._until_deadline()
                waits = self.context.rests = any(at_rest)
                idle = waits and all(at_rest) and not self._is_busy()
                # What is under way tells of its end; what comes after that (answers are stored) does not.
                looks = waits and not self._is_busy()
                timeout = min(PARK_AFTER, left or PARK_AFTER) if looks else left
                await asyncio.wait({graph, turned}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            finally:
                turned.cancel()
            if graph.done():
                return graph.result()
            if self._until_deadline() == 0.0 and not self._expired:
                self._expired = self._graph.cancelled = True
                self._graph.look()
            elif self._paused:
                await self._until_quiet(graph)
                if graph.done():
                    return graph.result()
                if self._paused:
                    return None
            elif idle and self._is_idle() and not self.context.turned.is_set() and not self._graph.cancelled:
                return None

    async def _until_quiet(self, graph: asyncio.Task[RunState]) -> None:
        """What was under way when the run was paused finishes."""
        quiet = asyncio.ensure_future(self.context.quiet())
        turned = asyncio.ensure_future(self.context.turned.wait())
        try:
            self.context.turned.clear()
            await asyncio.wait({graph, quiet, turned}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # what has just finished is noted before its task is cancelled
        finally:
            quiet.cancel()
            turned.cancel()

    def _until_deadline(self) -> float | None:
        if self.run.deadline is None or self._expired:
            return None
        return max(0.0, (self.run.deadline - self.context.clock.now()).total_seconds())

    # --- parking ---------------------------------------------------------------------------------

    def _active(self) -> list[StepRecord]:
        return [record for record in self.run.steps.values() if record.state in STEP_ACTIVE]

    def _is_idle(self) -> bool:
        """Whether nothing goes on here: steps wait, or other runs work for this one."""
        at_rest = self._at_rest()
        return bool(at_rest) and all(at_rest) and not self._is_busy()

    def _is_busy(self) -> bool:
        return bool(self.context.in_flight or self.context.agents.seeking)

    def _at_rest(self) -> list[bool]:
        """Of each step that is under way and holds no others."""
        held_up = self.context.agents.held_up
        leaves = [record for record in self._active() if record.type != "loop"]
        return [r.state is StepState.WAITING or self._has_child(r) or r.key in held_up for r in leaves]

    @staticmethod
    def _has_child(record: StepRecord) -> bool:
        return record.type == "workflow" and record.state is StepState.RUNNING and record.progress is not None

    def _waiting_state(self) -> RunState:
        waits = any(r.state is StepState.WAITING or r.reason == BUDGET for r in self._active())
        children = any(self._has_child(record) for record in self._active())
        return RunState.WAITING if waits and not children else RunState.RUNNING

    async def _park(self, state: RunState) -> bool:
        """Leaves the run to itself until it is woken; False when there is news already."""
        book = self.context.book
        await book.everything_settled()
        fields: dict[str, Any] = {"wake_at": self._wake_at(state)}
        event, before = None, self.run.state
        if state is not before:
            check_run(before, state)
            self.run.state, event = state, f"run.{state}"
            fields["state"] = state
        try:
            await book.park(self.context.inbox.wakes, event, **fields)
        except Woken:
            self.run.state = before
            self._heed(await self.context.read(load_news, self.run.id))
            return False
        return True

    def _wake_at(self, state: RunState) -> datetime | None:
        if state is RunState.PAUSED:
            return None
        times = [record.due_at for record in self._active() if record.due_at is not None]
        if self.run.deadline is not None:
            times.append(self.run.deadline)
        times.append(self.context.clock.now() + timedelta(seconds=LOOK_AGAIN))
        return min(times)

    # --- the end ---------------------------------------------------------------------------------

    async def _finish(self, outcome: RunState) -> None:
        output, now = None, self.context.clock.now()
        if self._expired and outcome is not RunState.COMPLETED:
            outcome = RunState.FAILED
            sentence = f"The run took longer than its time-out of {self._allowed()}."
            self.run.error = {"type": "timeout", "message": sentence, "step": None, "traceback": None}
        if outcome is RunState.COMPLETED:
            try:
                output = await self._output()
            except ExpressionError as exc:
                outcome = RunState.FAILED
                self.run.error = {"type": "bad_output", "message": str(exc), "step": None, "traceback": None}
        if outcome is RunState.FAILED and self.run.error is None:
            self.run.error = first_error(self._records, now)
        self._set_run_state(outcome, f"run.{outcome}", finished_at=now, output=output)

    def _allowed(self) -> str:
        started, deadline = self.run.started_at, self.run.deadline
        return f"{(deadline - started).total_seconds():g} s" if started and deadline else "its parent"

    async def _output(self) -> Any:
        """The document's `output`; left out, what its last steps gave."""
        template = self.run.document.output
        if template is None:
            template = output_template(self.run.document.steps)
        return await self._scope.kept(template)

    def _set_run_state(self, state: RunState, event: str, **fields: Any) -> None:
        check_run(self.run.state, state)
        self.run.state = state
        for name, value in fields.items():
            setattr(self.run, name, value)
        self.context.book.run_changed(event, state=state, error=self.run.error, **fields)
