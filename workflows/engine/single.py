"""Steps of one call: `task` and `reduce`."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from pools.facade.contracts import AgentError, LeaseOutcome
from workflows.domain.document import ReduceStep, TaskStep
from workflows.domain.expressions import ExpressionError, compile_template
from workflows.domain.retry import delay_before, may_retry
from workflows.domain.states import StepState, check_step
from workflows.engine.context import NoAgent, RunContext
from workflows.engine.invoking import Outcome, StepCall, behaviour, send
from workflows.engine.records import StepRecord


def set_step_state(step: StepRecord, state: StepState) -> None:
    """The one place where a step's state changes."""
    check_step(step.state, state)
    step.state = state


def step_call(context: RunContext, step: Any, *, batch: bool) -> StepCall:
    source = (step.run.code or "").encode()
    return StepCall(
        run_id=context.run.id,
        step_id=step.id,
        runs=behaviour(step.run, hashlib.sha256(source).hexdigest(), context.load_bundle),
        path=step.run.path or "/invoke",
        timeout=context.run.document.timeout_of(step),
        batch=batch,
    )


class SingleStep:
    """Drives one `task` or `reduce` from queued to its end. Cancelling the task stops the request."""

    def __init__(self, context: RunContext, step: TaskStep | ReduceStep) -> None:
        self.context = context
        self.step = step
        self.record = context.run.steps[step.id]
        self.retry = context.run.document.retry_of(step)

    async def run(self) -> None:
        record = self.record
        try:
            record.input = await self._input()
            call = step_call(self.context, self.step, batch=False)
            while record.state is StepState.QUEUED:
                await self.context.sleep_until(record.retry_at)
                await self._attempt(call)
        except ExpressionError as exc:
            self._fail(AgentError("bad_input", str(exc)))
        except NoAgent as exc:
            self._fail(exc.error)

    async def _input(self) -> Any:
        template = self.step.input
        if template is None and isinstance(self.step, ReduceStep):
            template = {"results": f'${{steps["{self.step.needs[0]}"].output}}'}
        if template is None:
            return None
        return compile_template(template)(await self.context.scope(template))

    async def _attempt(self, call: StepCall) -> None:
        context, record = self.context, self.record
        async with context.slots:
            attempt = record.attempts + 1
            holder = f"{context.run.id}/{record.key}/{attempt}/{context.run.fence}"
            lease = await context.lease(record, holder)
            # A request that was stopped half-way: the pools find out whether its agent is free again.
            outcome, sent = LeaseOutcome.ERROR, 0
            try:
                self._started(attempt, lease)
                await context.book.settled()
                sent = 1
                result = await send(context.broker, lease, call.invocation((record.input,), None, attempt))
                outcome = result.lease
            finally:
                await context.give_back(lease, outcome if sent else LeaseOutcome.OK, uses=sent)
            record.usage.used(lease.agent_id)
        self._ended(result)

    def _started(self, attempt: int, lease: Any) -> None:
        record = self.record
        record.attempts, record.agent_id, record.retry_at = attempt, lease.agent_id, None
        record.started_at = record.started_at or self.context.clock.now()
        set_step_state(record, StepState.RUNNING)
        self.context.book.step_changed(record, "step.started")

    def _ended(self, outcome: Outcome) -> None:
        record, context = self.record, self.context
        if outcome.logs:
            context.book.log(
                (record.key, None, record.attempts, line.at, line.stream, line.text) for line in outcome.logs
            )
        result = outcome.results[0]
        if result.error is None:
            record.output, record.error = result.output, None
            record.finished_at = context.clock.now()
            set_step_state(record, StepState.COMPLETED)
            context.book.step_changed(record, "step.completed")
            return
        record.losses += outcome.agent_lost
        record.error = result.error.as_dict()
        if may_retry(self.retry, record.attempts, record.losses, agent_lost=outcome.agent_lost):
            self._try_again(outcome)
        else:
            self._fail(result.error)

    def _try_again(self, outcome: Outcome) -> None:
        record, context = self.record, self.context
        wait = 0.0
        if not outcome.agent_lost:
            own = record.attempts - record.losses
            wait = delay_before(self.retry, own + 1, context.random.random())
        record.retry_at = context.clock.now() + timedelta(seconds=wait)
        set_step_state(record, StepState.QUEUED)
        context.book.step_changed(record, "step.retrying")

    def _fail(self, error: AgentError) -> None:
        record = self.record
        record.error = error.as_dict()
        record.finished_at = self.context.clock.now()
        set_step_state(record, StepState.FAILED)
        self.context.book.step_changed(record, "step.failed")
