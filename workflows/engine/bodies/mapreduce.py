"""A map and a reduce as one step."""

from __future__ import annotations

from typing import Any

from pools.facade.contracts import AgentError, Lease
from workflows.domain.states import StepState
from workflows.domain.steps import MapReduceStep, Run
from workflows.engine.agents import NoAgent
from workflows.engine.bodies.attempts import Attempts
from workflows.engine.bodies.mapping import MapRun
from workflows.engine.invoking import StepCall
from workflows.engine.loading import map_outputs
from workflows.services.step_pools import kind_of, pool_name

REDUCING = {"phase": "reduce"}


class MapReduceRun(MapRun):
    """The mapper's items first; then one call of the reducer, with its own attempts."""

    definition: MapReduceStep

    async def run(self) -> None:
        verdict = await self.run_items()
        if verdict is None:
            return
        if verdict.state is not StepState.COMPLETED:
            await self.fail_map(verdict)
        elif self.definition.reducer is None:
            self.end(StepState.COMPLETED, None)
        else:
            await self._reduce(self.definition.reducer)

    async def _reduce(self, reducer: Run) -> None:
        record, context = self.record, self.context
        if record.state is StepState.QUEUED:  # a map over nothing: reduce it all the same
            self.begin(StepState.RUNNING, "step.started")
        if record.progress == REDUCING:
            record.excused += 1  # the attempt of a former driver
        else:
            record.progress, record.attempts = REDUCING, 0
            context.book.step_changed(record, "step.reducing")
        await context.book.settled()
        results = await context.read(map_outputs, context.run.team_id, record.pk, record.total)
        try:
            await self._attempts(reducer).until_done({"results": results})
        except NoAgent as exc:
            self.fail(exc.error)

    def _attempts(self, reducer: Run) -> Attempts:
        context, step = self.context, self.definition
        document = context.run.document
        call = StepCall.of(
            context.run.id,
            context.run.workflow,
            self.record.key,
            reducer,
            context.load_bundle,
            timeout=document.timeout_of(step),
            more=context.shared_params,
        )
        return Attempts(
            context=context,
            record=self.record,
            step=step,
            call=call,
            retry=document.retry_of(step),
            pool=pool_name(document, step, reducer),
            kind=kind_of(reducer),
            started=self._started,
            waits=lambda: context.book.step_changed(self.record, "step.retrying"),
            ended=self._ended,
        )

    def _started(self, _lease: Lease) -> None:
        self.context.book.step_changed(self.record, "step.reducing")

    def _ended(self, output: Any, error: AgentError | None) -> None:
        if error is None:
            self.complete(output)
        else:
            self.fail(error)
