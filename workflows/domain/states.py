"""The states of runs, steps and items, and the only ways from one to the next."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    PENDING = "pending"  # accepted; no executor has taken it up yet
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """Of steps, and of the items of a map."""

    PENDING = "pending"  # its needs are not met yet
    QUEUED = "queued"  # ready; waits for a place or an agent, or for its next attempt
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"  # never started, because something before it failed
    CANCELLED = "cancelled"


RUN_TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.PENDING: frozenset(
        {
            RunState.RUNNING,  # an executor took it up
            RunState.CANCELLED,  # cancelled before anything started
            RunState.FAILED,  # it could not be started (its version cannot be read)
        }
    ),
    RunState.RUNNING: frozenset(
        {
            RunState.COMPLETED,  # every step ended well
            RunState.FAILED,  # a step failed
            RunState.CANCELLED,  # somebody asked for it
        }
    ),
    RunState.COMPLETED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
}

STEP_TRANSITIONS: dict[StepState, frozenset[StepState]] = {
    StepState.PENDING: frozenset(
        {
            StepState.QUEUED,  # its needs are met
            StepState.SKIPPED,  # a step before it failed
            StepState.CANCELLED,  # the run was cancelled
        }
    ),
    StepState.QUEUED: frozenset(
        {
            StepState.RUNNING,  # an attempt was handed to an agent
            StepState.COMPLETED,  # a map over nothing
            StepState.FAILED,  # its input cannot be computed, or no agent came free in time
            StepState.SKIPPED,  # another step failed first
            StepState.CANCELLED,
        }
    ),
    StepState.RUNNING: frozenset(
        {
            StepState.QUEUED,  # the attempt failed, or its executor or agent was lost: to be tried again
            StepState.COMPLETED,
            StepState.FAILED,
            StepState.CANCELLED,
        }
    ),
    StepState.COMPLETED: frozenset(),
    StepState.FAILED: frozenset(),
    StepState.SKIPPED: frozenset(),
    StepState.CANCELLED: frozenset(),
}

RUN_FINAL = frozenset(state for state, after in RUN_TRANSITIONS.items() if not after)
STEP_FINAL = frozenset(state for state, after in STEP_TRANSITIONS.items() if not after)


class IllegalTransition(Exception):
    """A fault of the engine itself: it proposed a change that the table does not know."""


def check_run(old: RunState, new: RunState) -> None:
    if new not in RUN_TRANSITIONS[old]:
        raise IllegalTransition(f"run: {old} -> {new}")


def check_step(old: StepState, new: StepState) -> None:
    if new not in STEP_TRANSITIONS[old]:
        raise IllegalTransition(f"step: {old} -> {new}")
