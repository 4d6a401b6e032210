"""The one place where the states of steps and items change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pools.facade.contracts import AgentError
from workflows.domain.causes import cause_of
from workflows.domain.retry import DEAD_LETTER
from workflows.domain.states import StepState, check_step
from workflows.engine.book import Book
from workflows.engine.records import ItemRecord, StepRecord


def set_step_state(step: StepRecord, state: StepState) -> None:
    check_step(step.state, state)
    step.state = state
    step.turned()


def set_item_state(item: ItemRecord, state: StepState) -> None:
    check_step(item.state, state)
    item.state = state


def end_step(
    book: Book, step: StepRecord, state: StepState, now: datetime, error: dict[str, Any] | None = None
) -> None:
    """The step has ended in `state`; what told of its waiting is no longer true."""
    step.error = error
    step.retry_at, step.due_at = None, None
    step.finished_at = now
    set_step_state(step, state)
    book.step_changed(step, f"step.{state}")


def fail_item(item: ItemRecord, error: dict[str, Any], now: datetime) -> None:
    item.error, item.cause, item.finished_at = error, cause_of(error), now
    item.retry_at = None
    set_item_state(item, StepState.FAILED)


def dead_letter(error: AgentError, losses: int) -> AgentError:
    """For a body that took one agent after the other with it."""
    sentence = f"It took {losses} agents with it and is not tried again. The last time: {error.message}"
    return AgentError(DEAD_LETTER, sentence, error.traceback)
