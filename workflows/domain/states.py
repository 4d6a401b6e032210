"""The states of runs, steps and items, and the only ways from one to the next."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    PENDING = "pending"  # accepted; no executor has taken it up yet
    RUNNING = "running"
    PAUSED = "paused"  # somebody holds it: nothing starts
    WAITING = "waiting"  # for a decision, a time or an event; nothing else is going on
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """Of steps, and of the items of a map."""

    PENDING = "pending"  # its needs are not met yet
    QUEUED = "queued"  # ready; waits for a place or an agent, or for its next attempt
    RUNNING = "running"
    WAITING = "waiting"  # for a decision, a time or an event
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"  # never started: a condition, a branch, or a failure before it
    CANCELLED = "cancelled"
    COMPENSATED = "compensated"  # completed, and undone since


# What a step's `reason` says while it waits for a budget to be enough.
BUDGET = "budget"

R, S = RunState, StepState

RUN_TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    R.PENDING: frozenset(
        {
            R.RUNNING,  # an executor took it up
            R.PAUSED,  # held before anything started
            R.CANCELLED,  # cancelled before anything started
            R.FAILED,  # it could not be started (its version cannot be read)
        }
    ),
    R.RUNNING: frozenset(
        {
            R.PAUSED,  # what was running has finished
            R.WAITING,  # nothing but waiting steps is left for now
            R.COMPLETED,  # every step ended well
            R.FAILED,  # a step failed
            R.CANCELLED,  # somebody asked for it
        }
    ),
    R.PAUSED: frozenset(
        {
            R.RUNNING,  # resumed
            R.CANCELLED,
            R.FAILED,  # its time is up
        }
    ),
    R.WAITING: frozenset(
        {
            R.RUNNING,  # what it waited for has come
            R.PAUSED,
            R.CANCELLED,
            R.FAILED,
        }
    ),
    # Retried from what failed in it: the run is taken up again.
    R.COMPLETED: frozenset({R.PENDING}),
    R.FAILED: frozenset({R.PENDING}),
    R.CANCELLED: frozenset({R.PENDING}),
}

STEP_TRANSITIONS: dict[StepState, frozenset[StepState]] = {
    S.PENDING: frozenset(
        {
            S.QUEUED,  # its needs are met
            S.SKIPPED,  # a step before it failed, or its branch was not chosen
            S.CANCELLED,  # the run was cancelled
        }
    ),
    S.QUEUED: frozenset(
        {
            S.RUNNING,  # an attempt was handed to an agent
            S.WAITING,  # it asked a person, or waits for a time or an event
            S.COMPLETED,  # a map over nothing, a branch
            S.FAILED,  # its input cannot be computed, or no agent came free in time
            S.SKIPPED,  # its condition does not hold, or another step failed first
            S.CANCELLED,
        }
    ),
    S.RUNNING: frozenset(
        {
            S.QUEUED,  # the attempt failed, or its executor or agent was lost: to be tried again
            S.COMPLETED,
            S.FAILED,
            S.CANCELLED,
        }
    ),
    S.WAITING: frozenset(
        {
            S.COMPLETED,  # decided, come, or over
            S.FAILED,  # rejected, or it took too long
            S.CANCELLED,
        }
    ),
    S.COMPLETED: frozenset(
        {
            S.COMPENSATED,  # its undoing step has completed
            S.PENDING,  # the run is retried from something before it
            S.QUEUED,  # a map of which some items failed is retried
        }
    ),
    # Taken up again when the run is retried: maps and their items go on from what they have.
    S.FAILED: frozenset({S.PENDING, S.QUEUED}),
    S.SKIPPED: frozenset({S.PENDING}),
    S.CANCELLED: frozenset({S.PENDING, S.QUEUED}),
    S.COMPENSATED: frozenset({S.PENDING}),
}

RUN_FINAL = frozenset({R.COMPLETED, R.FAILED, R.CANCELLED})
STEP_FINAL = frozenset({S.COMPLETED, S.FAILED, S.SKIPPED, S.CANCELLED, S.COMPENSATED})
STEP_ACTIVE = frozenset({S.QUEUED, S.RUNNING, S.WAITING})


class IllegalTransition(Exception):
    """A fault of the engine itself: it proposed a change that the table does not know."""


def check_run(old: RunState, new: RunState) -> None:
    if new not in RUN_TRANSITIONS[old]:
        raise IllegalTransition(f"run: {old} -> {new}")


def check_step(old: StepState, new: StepState) -> None:
    if new not in STEP_TRANSITIONS[old]:
        raise IllegalTransition(f"step: {old} -> {new}")
