"""Steps of one call: `task` and `reduce`."""

from __future__ import annotations

from typing import Any

from pools.facade.contracts import AgentError, Lease
from workflows.domain.states import StepState
from workflows.domain.steps import ReduceStep, TaskStep
from workflows.domain.work import ExpressionError
from workflows.engine.agents import NoAgent
from workflows.engine.bodies.attempts import Attempts
from workflows.engine.bodies.base import Body
from workflows.engine.invoking import StepCall
from workflows.engine.loading import completed_indexes
from workflows.engine.records import StepRecord
from workflows.engine.stepstate import set_step_state
from workflows.services.step_pools import kind_of

RESULTS = "results"


class SingleStep(Body):
    """Drives one `task` or `reduce` from queued to its end. Cancelling the task stops the request."""

    definition: TaskStep | ReduceStep

    async def run(self) -> None:
        try:
            source = await self._source()
            value = await self._input(source)
            stored = self.scope.reference(self.definition.input)
            self.record.input = stored or await self.context.keep(value)
            await self._attempts(source).until_done(value)
        except ExpressionError as exc:
            self.fail(AgentError("bad_input", str(exc)))
        except NoAgent as exc:
            self.fail(exc.error)

    async def _source(self) -> StepRecord | None:
        """The map whose results this step gets while they come."""
        step = self.definition
        if not (isinstance(step, ReduceStep) and step.streaming):
            return None
        found = [self.scope.find(need) for need in step.needs]
        source = next(record for record in found if record is not None and record.type == "map")
        # From here on the map tells the feed; what it had noted before is in the rows once they are settled.
        feed = self.context.feed(source)
        await self.context.book.settled()
        feed.load(await self.context.read(completed_indexes, source.pk))
        return source

    async def _input(self, source: StepRecord | None) -> Any:
        template = self.definition.input
        if source is not None:
            return {**(await self.scope.resolve(template or {})), RESULTS: None}
        if template is None and isinstance(self.definition, ReduceStep):
            template = {RESULTS: f'${{steps["{self.definition.needs[0]}"].output}}'}
        return None if template is None else await self.scope.resolve(template)

    def _attempts(self, source: StepRecord | None) -> Attempts:
        context, step = self.context, self.definition
        document = context.run.document
        call = StepCall.of(
            context.run.id,
            context.run.workflow,
            self.record.key,
            step.run,
            context.load_bundle,
            timeout=document.timeout_of(step),
            more={**context.shared_params, **({"stream": RESULTS} if source is not None else {})},
        )
        return Attempts(
            context=context,
            record=self.record,
            step=step,
            call=call,
            retry=document.retry_of(step),
            pool=self.record.pool,
            kind=kind_of(step.run),
            started=self._started,
            waits=self._waits,
            ended=self._ended,
            source=source,
        )

    def _started(self, _lease: Lease) -> None:
        self.record.error = None
        self.begin(StepState.RUNNING, "step.started")

    def _waits(self) -> None:
        set_step_state(self.record, StepState.QUEUED)
        self.context.book.step_changed(self.record, "step.retrying")

    def _ended(self, output: Any, error: AgentError | None) -> None:
        if error is None:
            self.complete(output)
        else:
            self.fail(error)
