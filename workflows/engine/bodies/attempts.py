"""One call to an agent, tried again as the retry policy says. What surrounds it (states) is its user's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aflow_site.kernel import tracing
from pools.facade.contracts import AgentError, AgentKind, Lease, LeaseOutcome
from workflows.domain.retry import delay_after_loss, delay_before, longest_wait, may_retry, own_attempts
from workflows.domain.steps import CallingStep, Retry
from workflows.engine.context import RunContext
from workflows.engine.errands import Errands
from workflows.engine.invoking import Outcome, StepCall, send
from workflows.engine.listening import BodyListener, Sink
from workflows.engine.places import Place
from workflows.engine.records import StepRecord
from workflows.engine.stepstate import dead_letter


@dataclass(slots=True)
class Attempts:
    """`started` is told of each attempt before it is written down, `waits` when another one will follow."""

    context: RunContext
    record: StepRecord
    step: CallingStep
    call: StepCall
    retry: Retry
    pool: str
    kind: AgentKind
    started: Callable[[Lease], None]
    waits: Callable[[], None]
    ended: Callable[[Any, AgentError | None], None]  # (output as a row holds it, error)
    source: StepRecord | None = None  # the map whose results the body may ask for
    sink: Sink | None = None  # takes the items of a source that the body reads

    async def until_done(self, value: Any) -> None:
        """Returns after `ended` was told the output, or the last error. Raises NoAgent."""
        while True:
            await self.context.sleep_until(self.record.retry_at, at_most=longest_wait(self.retry))
            await self.context.gate.wait()
            if await self._attempt(value):
                return

    async def _attempt(self, value: Any) -> bool:
        """Whether it was the last one. What came of it is noted before the lease is given back: a finished
        result must not be lost while Redis is away."""
        with tracing.span("attempt", step_id=self.record.key, attempt=self.record.attempts + 1):
            return await self._try(value)

    async def _try(self, value: Any) -> bool:
        context, record = self.context, self.record
        async with Place(context.places) as place:
            holder = f"{context.run.id}/{record.key}/{record.attempts + 1}/{context.run.fence}"
            bound = context.bound_of(self.step)
            lease = await context.agents.lease(self.pool, self.kind, holder, record, bound, place)
            # A request that was stopped half-way: the pools find out whether its agent is free again.
            outcome, sent = LeaseOutcome.ERROR, 0
            try:
                if not context.gate.is_set():  # paused while it waited for the lease
                    outcome = LeaseOutcome.OK
                    return False
                async with context.calling():
                    record.attempts += 1
                    record.agent_id = lease.agent_id
                    record.retry_at = None
                    self.started(lease)
                    await context.book.settled()
                    sent = 1
                    listener = self._listener(lease)
                    invocation = self.call.invocation((value,), None, record.attempts, listener)
                    begun = asyncio.get_running_loop().time()
                    try:
                        result = await send(context.agents.broker, lease, invocation)
                    finally:
                        context.agents.used(record, lease, asyncio.get_running_loop().time() - begun)
                        await listener.close()
                    outcome = result.lease
                    result = await context.kept(result, lease, outcome)
                    return self._record(result)
            finally:
                await context.agents.give_back(lease, outcome if sent else LeaseOutcome.OK, uses=sent)

    def _listener(self, lease: Lease) -> BodyListener:
        context, record = self.context, self.record
        errands = None
        if self.call.runs is not None:
            key = f"{context.run.id}/{record.key}/{record.attempts}"
            errands = Errands(context, record, lease, self.call.timeout, key)
        return BodyListener(
            context, record, record.attempts, source=self.source, errands=errands, sink=self.sink
        )

    def _record(self, outcome: Outcome) -> bool:
        record, result = self.record, outcome.results[0]
        if result.error is None:
            self.ended(result.output, None)
            return True
        lost = outcome.agent_lost
        if lost and not outcome.began:
            record.excused += 1
        else:
            record.losses += lost
        record.error = result.error.as_dict()
        own = own_attempts(record.attempts, record.losses, record.excused)
        if may_retry(self.retry, own, record.losses, error_type=result.error.type, agent_lost=lost):
            wait = (
                delay_after_loss(record.losses, began=outcome.began)
                if lost
                else delay_before(self.retry, own + 1, self.context.random.random())
            )
            record.retry_at = self.context.clock.now() + timedelta(seconds=wait)
            self.waits()
            return False
        self.ended(None, dead_letter(result.error, record.losses) if lost else result.error)
        return True
