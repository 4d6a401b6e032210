"""Drives the steps of one graph: the workflow's own, or those of one iteration of a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from agentainer_flow.local.clock import seconds
from agentainer_flow.local.expressions import ExpressionError
from agentainer_flow.local.planning import ACTIVE, ENDED, Standing, moves, nodes_of
from agentainer_flow.local.records import Error, StepRecord, error_of
from agentainer_flow.local.scopes import Scope

if TYPE_CHECKING:
    from agentainer_flow.local.run import LocalRun


class Graph:
    """`records` is filled with one for each step, under its id."""

    def __init__(
        self,
        run: LocalRun,
        steps: Iterable[Mapping[str, Any]],
        records: dict[str, StepRecord],
        scope: Scope,
        prefix: str = "",
    ) -> None:
        self.steps = {step["id"]: step for step in steps}
        self.records = records
        self._run = run
        self._scope = scope
        self._whole = not prefix  # what is inside a loop ends with the loop
        self._nodes = nodes_of(self.steps.values())
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        for step_id, step in self.steps.items():
            records[step_id] = StepRecord(prefix + step_id, step["type"])

    def look(self) -> None:
        self._changed.set()

    async def run(self) -> str:
        """Drives the graph to its end: completed, failed or cancelled."""
        try:
            while True:
                self._changed.clear()
                await self._collect()
                move = moves(self._nodes, self._standing())
                if move.outcome is not None:
                    return move.outcome
                for step_id in move.undone:
                    self._set(self.records[step_id], "compensated")
                for step_id, reason in move.skip:
                    self._skip(self.records[step_id], reason)
                for step_id in move.start:
                    self._start(step_id)
                if move.stop:
                    await self._stop(move.stop)
                if not (move.skip or move.stop or move.undone):
                    await self._changed.wait()
        finally:
            await self._cancel(list(self._tasks))

    async def close(self) -> None:
        """Whatever has not ended is cancelled."""
        await self._cancel(list(self._tasks))
        for record in self.records.values():
            if record.state not in ENDED:
                self.end(record, "cancelled")

    def _standing(self) -> Standing:
        records = self.records.values()
        completed = sorted((r for r in records if r.state == "completed"), key=lambda r: r.ended)
        return Standing(
            states={record.id: record.state for record in records},
            chosen={r.id: r.output["chosen"] for r in completed if r.type == "branch"},
            completed=[record.id for record in completed],
            cancelled=self._whole and self._run.cancelled,
            go_on=self._run.document.get("failure_strategy") == "continue",
        )

    # --- steps -----------------------------------------------------------------------------------

    def _start(self, step_id: str) -> None:
        self._set(self.records[step_id], "queued")
        task = asyncio.ensure_future(self._guarded(step_id))
        task.add_done_callback(lambda _task: self._changed.set())
        self._tasks[step_id] = task

    async def _guarded(self, step_id: str) -> None:
        """The step, if its condition holds, within its total time-out."""
        from agentainer_flow.local.kinds import body_of  # which knows graphs: loops have them inside

        step, record = self.steps[step_id], self.records[step_id]
        limit = step.get("total_timeout")
        try:
            if step.get("when") is not None and not self._scope.holds(step["when"]):
                self._skip(record, "condition")
                return
        except ExpressionError as exc:
            self.fail(record, error_of("bad_input", f"when: {exc}"))
            return
        body = body_of(self._run, self, step, record, self._scope)
        try:
            await self._run.clock.within(None if limit is None else seconds(limit), body.run())
        except ExpressionError as exc:
            self.fail(record, error_of("bad_input", str(exc)))
        except TimeoutError:
            sentence = f"The step took longer than its total time-out of {seconds(limit):g} s."
            self.fail(record, error_of("timeout", sentence))

    async def _collect(self) -> None:
        for step_id, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[step_id]
                task.result()  # what is no fault of the step's is raised here

    async def _stop(self, step_ids: Iterable[str]) -> None:
        await self._cancel(step_ids)
        for step_id in step_ids:
            if self.records[step_id].state in ACTIVE:
                self.end(self.records[step_id], "cancelled")

    async def _cancel(self, step_ids: Iterable[str]) -> None:
        tasks = [self._tasks.pop(step_id) for step_id in step_ids if step_id in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- states ----------------------------------------------------------------------------------

    def _skip(self, record: StepRecord, reason: str) -> None:
        record.reason = reason
        self.end(record, "cancelled" if reason == "cancelled" else "skipped")

    def begin(self, record: StepRecord, state: str = "running") -> None:
        self._set(record, state)
        self._changed.set()  # a stream may begin with it

    def complete(self, record: StepRecord, output: Any) -> None:
        record.output, record.error = output, None
        self.end(record, "completed")

    def fail(self, record: StepRecord, error: Error) -> None:
        record.error = error
        self.end(record, "failed")

    def end(self, record: StepRecord, state: str) -> None:
        record.running = 0
        for item in record.items:
            if item.state not in ENDED:
                item.state = "cancelled"
        record.ended = self._run.next_end()
        self._set(record, state)
        self._run.results_of(record).tell()

    def _set(self, record: StepRecord, state: str) -> None:
        record.state = state
        kind = {"running": "started"}.get(state, state)
        self._run.event(f"step.{kind}", step=record.key, state=state, error=record.error)
