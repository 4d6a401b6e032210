"""What the driver of a graph asks of every kind of step, and what the kinds share.

A body drives one step from wherever its record stands to its end. Its task may be cancelled at any await:
because the run is paused or parked (another body then goes on from the record), or because the step is ended
early (`close` then accounts for what it had begun).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from pools.facade.contracts import AgentError
from workflows.domain.states import StepState
from workflows.domain.steps import AnyStep
from workflows.engine.context import RunContext
from workflows.engine.records import StepRecord
from workflows.engine.scope import Scope
from workflows.engine.stepstate import end_step, set_step_state


class StepBody(Protocol):
    on_begin: Callable[[], None]

    async def run(self) -> None:
        """Returns when the step has ended."""

    async def close(self) -> None:
        """The step is ended early: accounts for items, iterations and runs that it had begun."""


class Body:
    """The common part. `step` is the definition, `record` how it stands."""

    def __init__(self, context: RunContext, step: AnyStep, record: StepRecord, scope: Scope) -> None:
        self.context = context
        self.definition = step
        self.record = record
        self.scope = scope
        self.on_begin: Callable[[], None] = lambda: None  # others may start with this step

    async def close(self) -> None:
        """Most steps have begun nothing that outlives their task."""

    # --- states ----------------------------------------------------------------------------------

    def begin(self, state: StepState, event: str) -> None:
        """From queued to running or waiting; the first time is when the step started."""
        record = self.record
        record.started_at = record.started_at or self.now()
        set_step_state(record, state)
        self.context.book.step_changed(record, event)
        self.on_begin()
        if state is StepState.WAITING:
            self.context.turned.set()

    def complete(self, output: Any) -> None:
        self.record.output = output
        end_step(self.context.book, self.record, StepState.COMPLETED, self.now())

    def fail(self, error: AgentError) -> None:
        end_step(self.context.book, self.record, StepState.FAILED, self.now(), error.as_dict())

    def now(self) -> datetime:
        return self.context.clock.now()

    def after(self, seconds: float) -> datetime:
        return self.now() + timedelta(seconds=seconds)
