"""Drives one run from wherever its rows stand to its end: plan, act, write down, again.

There is one driver of a run at a time (`workflows.services.claims`). It may die at any line: the next one
reads the rows and goes on. Attempts that were under way are superseded then; their results are refused.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from django.db import Error as DatabaseTrouble

from workflows.domain.expressions import ExpressionError, compile_template
from workflows.domain.planner import plan
from workflows.domain.states import STEP_FINAL, RunState, StepState, check_run
from workflows.engine.context import RunContext
from workflows.engine.mapping import MapRun
from workflows.engine.records import StepRecord
from workflows.engine.single import SingleStep, set_step_state
from workflows.services.journal import ClaimLost

log = logging.getLogger(__name__)


class RunDriver:
    def __init__(self, context: RunContext) -> None:
        self.context = context
        self.run = context.run
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._bodies: dict[str, SingleStep | MapRun] = {}
        self._changed = asyncio.Event()

    def cancel(self) -> None:
        """Somebody asked for the run's end; the driver stops what is under way."""
        self.run.cancelled = True
        self._changed.set()

    async def drive(self) -> None:
        """Returns when the run has ended and that is durable, or when the claim is lost.

        Raises what keeps the run from being written down.
        """
        try:
            self._resume()
            await self._advance()
            await self.context.book.settled()
        except ClaimLost:
            log.info("run %s was taken over by another executor", self.run.id)
        finally:
            await self._stop(list(self._tasks))

    def _resume(self) -> None:
        if self.run.state is RunState.PENDING:
            self._set_run_state(RunState.RUNNING, "run.started", started_at=self.context.clock.now())
        for step in self.run.steps.values():
            if step.type != "map" and step.state is StepState.RUNNING:
                set_step_state(step, StepState.QUEUED)
                step.losses += 1  # its attempt died with its driver, and is not the step's fault
                self.context.book.step_changed(step, "step.retrying")
            if step.state in (StepState.QUEUED, StepState.RUNNING):
                self._launch(step)

    async def _advance(self) -> None:
        while True:
            self._changed.clear()
            await self._collect()
            states = {key: step.state for key, step in self.run.steps.items()}
            move = plan(self.run.document, states, cancelled=self.run.cancelled)
            if move.outcome is not None:
                await self._finish(move.outcome)
                return
            for key in move.skip:
                ended = StepState.CANCELLED if self.run.cancelled else StepState.SKIPPED
                self._end_early(self.run.steps[key], ended)
            for key in move.start:
                step = self.run.steps[key]
                set_step_state(step, StepState.QUEUED)
                self.context.book.step_changed(step, "step.queued")
                self._launch(step)
            if move.stop:
                await self._stop_steps(list(move.stop))
            if not (move.skip or move.stop):
                await self._changed.wait()

    # --- steps -----------------------------------------------------------------------------------

    def _launch(self, step: StepRecord) -> None:
        definition = self.run.document.step(step.key)
        if definition.type == "map":
            if step.state is StepState.RUNNING:
                step.state = StepState.QUEUED  # taken up again: it begins from what the rows say
            body: SingleStep | MapRun = MapRun(self.context, definition)
        else:
            body = SingleStep(self.context, definition)
        task = asyncio.create_task(body.run(), name=f"{self.run.id}/{step.key}")
        task.add_done_callback(lambda _task: self._changed.set())
        self._tasks[step.key], self._bodies[step.key] = task, body

    async def _collect(self) -> None:
        for key, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[key]
                await self._settle(self.run.steps[key], task)

    async def _settle(self, step: StepRecord, task: asyncio.Task[None]) -> None:
        # The driver takes its own tasks out before it cancels them: one that is cancelled here was not by us.
        exc = task.exception() if not task.cancelled() else RuntimeError("the step's task was cancelled")
        if exc is None:
            return
        if isinstance(exc, ClaimLost | DatabaseTrouble):
            raise exc
        log.error("step %s of run %s broke in the engine", step.key, self.run.id, exc_info=exc)
        step.error = {"type": "engine_error", "message": f"{type(exc).__name__}: {exc}", "traceback": None}
        step.finished_at = self.context.clock.now()
        if step.state in (StepState.QUEUED, StepState.RUNNING):
            body = self._bodies[step.key]
            if isinstance(body, MapRun):
                await body.cancel_items()
            set_step_state(step, StepState.FAILED)
            self.context.book.step_changed(step, "step.failed")

    async def _stop_steps(self, keys: list[str]) -> None:
        """Ends steps that are under way, because the run fails or was cancelled."""
        await self._stop(keys)
        for key in keys:
            step, body = self.run.steps[key], self._bodies.get(key)
            if step.state in STEP_FINAL:
                continue  # it ended while it was being stopped
            if isinstance(body, MapRun):
                await body.cancel_items()
            self._end_early(step, StepState.CANCELLED)

    async def _stop(self, keys: list[str]) -> None:
        tasks = [self._tasks.pop(key) for key in keys if key in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end_early(self, step: StepRecord, state: StepState) -> None:
        step.finished_at = self.context.clock.now()
        set_step_state(step, state)
        self.context.book.step_changed(step, f"step.{state}")

    # --- the run ---------------------------------------------------------------------------------

    async def _finish(self, outcome: RunState) -> None:
        output = None
        if outcome is RunState.COMPLETED:
            try:
                output = await self._output()
            except ExpressionError as exc:
                outcome = RunState.FAILED
                self.run.error = {"type": "bad_output", "message": str(exc), "step": None, "traceback": None}
        if outcome is RunState.FAILED and self.run.error is None:
            self.run.error = self._first_error()
        self._set_run_state(outcome, f"run.{outcome}", finished_at=self.context.clock.now(), output=output)

    async def _output(self) -> Any:
        """The document's `output`; left out, the output of the only last step, or of each by its id."""
        template = self.run.document.output
        if template is None:
            needed = {need for step in self.run.document.steps for need in step.needs}
            last = [step.id for step in self.run.document.steps if step.id not in needed]
            outputs = {key: f'${{steps["{key}"].output}}' for key in last}
            template = outputs[last[0]] if len(last) == 1 else (outputs or None)
        return compile_template(template)(await self.context.scope(template))

    def _first_error(self) -> dict[str, Any]:
        failed = [step for step in self.run.steps.values() if step.state is StepState.FAILED]
        first = min(failed, key=lambda step: step.finished_at or self.context.clock.now())
        return {"traceback": None, **(first.error or {}), "step": first.key}

    def _set_run_state(self, state: RunState, event: str, **fields: Any) -> None:
        check_run(self.run.state, state)
        self.run.state = state
        for name, value in fields.items():
            setattr(self.run, name, value)
        self.context.book.run_changed(event, state=state, error=self.run.error, **fields)
