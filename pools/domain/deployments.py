"""Deployed agents: their states, and what to do about one, as a pure decision.

Does not: read a clock, a database or an engine; the keeper does, and acts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pools.domain.agents import Transition


class DeployedState(StrEnum):
    """What is the case."""

    CREATED = "created"  # known; its container is not there, or not started yet
    RUNNING = "running"
    STOPPED = "stopped"  # by somebody's wish, or it ended well by itself
    PAUSED = "paused"
    FAILED = "failed"  # it died, or cannot be started; started again when `auto_restart` says so


class Desired(StrEnum):
    """What somebody wants to be the case."""

    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    REMOVED = "removed"


class Health(StrEnum):
    OK = "ok"
    UNKNOWN = "unknown"  # not asked yet, or not running
    FAILING = "failing"


S = DeployedState

TRANSITIONS: dict[DeployedState, frozenset[DeployedState]] = {
    # running: its container started; stopped: stopped before that; failed: it could not be made or started;
    # paused: an engine that was asked directly, or a pause that we did not live to write down
    S.CREATED: frozenset({S.RUNNING, S.STOPPED, S.PAUSED, S.FAILED}),
    # created: replaced by a container of its new definition
    S.RUNNING: frozenset({S.STOPPED, S.PAUSED, S.FAILED, S.CREATED}),
    S.STOPPED: frozenset({S.RUNNING, S.FAILED, S.CREATED, S.PAUSED}),
    # failed: its container ended while it was frozen
    S.PAUSED: frozenset({S.RUNNING, S.STOPPED, S.FAILED, S.CREATED}),
    # stopped: nobody wants it to run any more
    S.FAILED: frozenset({S.RUNNING, S.STOPPED, S.CREATED, S.PAUSED}),
}


def propose(current: DeployedState, wanted: DeployedState) -> Transition:
    """Staying where one is, is accepted: writers are called twice."""
    if wanted == current:
        return Transition(True, "already there")
    if wanted in TRANSITIONS[current]:
        return Transition(True)
    return Transition(False, f"a deployed agent cannot go from {current.value} to {wanted.value}")


class Reality(StrEnum):
    """What the runtime says of its container."""

    ABSENT = "absent"
    MADE = "made"  # never started
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


class Step(StrEnum):
    """One thing to do; the next look decides on the next one."""

    NOTHING = "nothing"
    START = "start"  # makes its container where there is none, and starts it
    STOP = "stop"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    RESTART = "restart"  # stops the container, and starts it again
    REPLACE = "replace"  # removes a container of an older definition
    REMOVE = "remove"
    NOTE = "note"  # only the row is behind
    MOURN = "mourn"  # it ended by itself: write down how, and when to start it again
    WAIT = "wait"  # until `start_at`


@dataclass(frozen=True, slots=True)
class Situation:
    """Of one agent: wish, row and reality. `current`: whether the container is of the newest definition."""

    desired: Desired
    state: DeployedState
    reality: Reality
    current: bool = True
    restart_asked: bool = False
    auto_restart: bool = True
    start_at: datetime | None = None  # not before


def next_step(now: datetime, it: Situation) -> Step:
    if it.desired is Desired.REMOVED:
        return Step.REMOVE
    if it.reality is not Reality.ABSENT and not it.current:
        return Step.REPLACE
    if it.desired is Desired.STOPPED:
        return _towards_stopped(it)
    if it.restart_asked and it.reality in (Reality.RUNNING, Reality.PAUSED):
        return Step.RESTART
    if it.reality is Reality.RUNNING:
        if it.desired is Desired.PAUSED:
            return Step.PAUSE
        return Step.NOTHING if it.state is S.RUNNING else Step.NOTE
    if it.reality is Reality.PAUSED:
        if it.desired is Desired.RUNNING:
            return Step.UNPAUSE
        return Step.NOTHING if it.state is S.PAUSED else Step.NOTE
    return _towards_running(now, it)


def _towards_stopped(it: Situation) -> Step:
    if it.reality in (Reality.RUNNING, Reality.PAUSED):
        return Step.STOP
    return Step.NOTHING if it.state is S.STOPPED else Step.NOTE


def _towards_running(now: datetime, it: Situation) -> Step:
    """Nothing of it runs, and something should."""
    if it.reality in (Reality.ENDED, Reality.ABSENT) and it.state in (S.RUNNING, S.PAUSED):
        return Step.MOURN
    if it.restart_asked:
        return Step.START
    if it.start_at is not None:
        return Step.START if now >= it.start_at else Step.WAIT
    if it.state is S.CREATED or (it.reality is Reality.MADE and it.state is not S.FAILED):
        return Step.START
    return Step.NOTHING  # it ended, and is not started by itself


FIRST_DELAY = 1.0  # seconds
LONGEST_DELAY = 60.0
HEALTHY_FOR = 60.0  # after this its earlier deaths are forgotten


def restart_delay(deaths: int) -> timedelta:
    """Before the start after that many deaths in a row: 1 s, 2 s, 4 s, … 60 s."""
    doubled = FIRST_DELAY * 2 ** min(max(deaths, 1) - 1, 16)
    return timedelta(seconds=min(LONGEST_DELAY, doubled))


def state_after_end(exit_code: int | None, *, auto_restart: bool) -> DeployedState:
    """One that ended well and is not to be started again has done its work."""
    return S.STOPPED if exit_code == 0 and not auto_restart else S.FAILED
