"""Sub-workflows: a step that starts a run of another workflow and gives its output."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from aflow_site.kernel.errors import FlowError
from pools.facade.contracts import AgentError
from workflows.domain.retry import delay_before, longest_wait, may_retry, own_attempts
from workflows.domain.states import RunState, StepState
from workflows.domain.steps import Retry, WorkflowStep
from workflows.domain.work import ExpressionError
from workflows.engine.bodies.base import Body
from workflows.engine.stepstate import set_step_state
from workflows.services import children

LOOK_EVERY = 10.0  # seconds; the end of a child wakes its parent, unless that message is lost


class ChildRun(Body):
    """One child for each attempt; a driver that takes the step up again finds the child of the last one."""

    definition: WorkflowStep

    async def run(self) -> None:
        try:
            while True:
                await self.context.sleep_until(self.record.retry_at, at_most=longest_wait(self._retry))
                await self.context.gate.wait()
                if await self._attempt():
                    return
        except ExpressionError as exc:
            self.fail(AgentError("bad_input", str(exc)))
        except FlowError as exc:
            self.fail(AgentError(exc.code, _sentence(exc)))

    async def _attempt(self) -> bool:
        record, context = self.record, self.context
        if record.state is StepState.QUEUED:
            params = await self.scope.resolve(self.definition.params or {})
            if not isinstance(params, dict):
                raise ExpressionError(f"params must give an object; here it gave {type(params).__name__}")
            record.input = await context.keep(params)
            record.attempts += 1
            record.retry_at = None
            self.begin(StepState.RUNNING, "step.started")
            await context.book.settled()
        params = await context.value(record.input)
        child = await context.read(children.start_child, self._request(params))
        if record.progress != {"run": str(child.run_id)}:
            record.progress = {"run": str(child.run_id)}
            context.book.progressed(record)
        context.turned.set()
        while child.state not in (RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED):
            news = asyncio.ensure_future(context.inbox.wait())
            try:
                await asyncio.wait({news}, timeout=LOOK_EVERY)
            finally:
                news.cancel()
            child = await context.read(children.look_at, child.run_id)
        return await self._ended(child)

    def _request(self, params: dict[str, Any]) -> children.ChildRequest:
        run, step = self.context.run, self.definition
        return children.ChildRequest(
            parent_run=run.id,
            parent_step=self.record.pk,
            attempt=self.record.attempts,
            workflow=step.workflow,
            version=step.version,
            params=params,
            timeout=step.timeout,
        )

    async def _ended(self, child: children.Child) -> bool:
        record = self.record
        if child.state is RunState.COMPLETED:
            self.complete(await self.context.keep_too(child.output))
            return True
        error = AgentError(f"run_{child.state}", _why(child))
        record.error = error.as_dict()
        own = own_attempts(record.attempts, record.losses, record.excused)
        if not may_retry(self._retry, own, 0, error_type=error.type, agent_lost=False):
            self.fail(error)
            return True
        wait = delay_before(self._retry, own + 1, self.context.random.random())
        record.retry_at = self.now() + timedelta(seconds=wait)
        set_step_state(record, StepState.QUEUED)
        self.context.book.step_changed(record, "step.retrying")
        return False

    @property
    def _retry(self) -> Retry:
        return self.context.run.document.retry_of(self.definition)

    async def close(self) -> None:
        """Its child ends with it."""
        if self.record.attempts:
            await self.context.read(children.cancel_children, self.record.pk, f"run {self.context.run.id}")


def _why(child: children.Child) -> str:
    error: dict[str, Any] = child.error or {}
    reason = f": {error['message']}" if error.get("message") else "."
    return f"Run {child.run_id} of the sub-workflow is {child.state}{reason}"


def _sentence(exc: FlowError) -> str:
    faults = "; ".join(f"{fault.path}: {fault.message}" for fault in exc.faults)
    return f"{exc.detail} ({faults})" if faults and faults not in exc.detail else exc.detail
