"""What to do about a deployed agent: every situation leads to what is wanted, and no further."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pools.domain.deployments import (
    TRANSITIONS,
    DeployedState,
    Desired,
    Reality,
    Situation,
    Step,
    next_step,
    propose,
    restart_delay,
    state_after_end,
)
from pools.domain.requests import ENDED, RequestState
from pools.domain.requests import TRANSITIONS as REQUEST_TRANSITIONS
from pools.domain.requests import propose as propose_request

NOW = datetime(2027, 1, 1, tzinfo=UTC)
S, D, R = DeployedState, Desired, Reality


def step(desired: Desired, state: DeployedState, reality: Reality, **more: object) -> Step:
    return next_step(NOW, replace(Situation(desired, state, reality), **more))  # type: ignore[arg-type]


def settle(it: Situation, rounds: int = 12) -> Situation:
    """Takes the steps as the keeper would, with an engine that obeys."""
    now = NOW
    for _ in range(rounds):
        now += timedelta(seconds=61)
        match next_step(now, it):
            case Step.NOTHING | Step.WAIT:
                break
            case Step.START | Step.RESTART:
                it = replace(it, reality=R.RUNNING, state=S.RUNNING, restart_asked=False, start_at=None)
            case Step.STOP:
                it = replace(it, reality=R.ENDED, state=S.STOPPED, restart_asked=False)
            case Step.PAUSE:
                it = replace(it, reality=R.PAUSED, state=S.PAUSED)
            case Step.UNPAUSE:
                it = replace(it, reality=R.RUNNING, state=S.RUNNING)
            case Step.REPLACE:
                it = replace(it, reality=R.ABSENT, current=True, state=S.CREATED, start_at=None)
            case Step.REMOVE:
                return it
            case Step.NOTE:
                seen = {R.RUNNING: S.RUNNING, R.PAUSED: S.PAUSED}.get(it.reality, S.STOPPED)
                it = replace(it, state=seen)
            case Step.MOURN:
                it = replace(it, state=S.FAILED, start_at=now if it.auto_restart else None)
    return it


@pytest.mark.parametrize("desired", [D.RUNNING, D.STOPPED, D.PAUSED])
@pytest.mark.parametrize("auto_restart", [True, False])
@pytest.mark.parametrize("current", [True, False])
def test_every_situation_settles(desired: Desired, auto_restart: bool, current: bool) -> None:
    """Within a few steps, at what is wanted, or at a failure that is not started again by itself."""
    for state, reality, asked in itertools.product(S, R, (False, True)):
        it = Situation(desired, state, reality, current, asked, auto_restart)
        end = settle(it)
        at_rest = next_step(NOW, end) in (Step.NOTHING, Step.WAIT)
        assert at_rest, it
        if desired is D.STOPPED:
            assert end.state is S.STOPPED, it
            assert end.reality not in (R.RUNNING, R.PAUSED), it
        elif end.state not in (S.FAILED, S.STOPPED):
            assert (end.state.value, end.reality.value) == (desired.value, desired.value), it
        else:
            assert end.reality in (R.ABSENT, R.MADE, R.ENDED), it


def test_the_ordinary_steps() -> None:
    assert step(D.RUNNING, S.CREATED, R.ABSENT) is Step.START
    assert step(D.RUNNING, S.RUNNING, R.RUNNING) is Step.NOTHING
    assert step(D.RUNNING, S.RUNNING, R.ENDED) is Step.MOURN
    assert step(D.RUNNING, S.RUNNING, R.ABSENT) is Step.MOURN
    assert step(D.STOPPED, S.RUNNING, R.RUNNING) is Step.STOP
    assert step(D.STOPPED, S.RUNNING, R.ENDED) is Step.NOTE
    assert step(D.STOPPED, S.CREATED, R.ABSENT) is Step.NOTE
    assert step(D.PAUSED, S.RUNNING, R.RUNNING) is Step.PAUSE
    assert step(D.RUNNING, S.PAUSED, R.PAUSED) is Step.UNPAUSE
    assert step(D.RUNNING, S.RUNNING, R.RUNNING, restart_asked=True) is Step.RESTART
    assert step(D.RUNNING, S.RUNNING, R.RUNNING, current=False) is Step.REPLACE
    assert step(D.REMOVED, S.RUNNING, R.RUNNING) is Step.REMOVE
    assert step(D.REMOVED, S.FAILED, R.ABSENT) is Step.REMOVE


def test_when_it_is_started_again() -> None:
    later, before = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)
    assert step(D.RUNNING, S.FAILED, R.ENDED, start_at=later) is Step.WAIT
    assert step(D.RUNNING, S.FAILED, R.ENDED, start_at=before) is Step.START
    assert step(D.RUNNING, S.FAILED, R.ENDED) is Step.NOTHING
    assert step(D.RUNNING, S.FAILED, R.ENDED, start_at=later, restart_asked=True) is Step.START


def test_delays_double_up_to_a_minute() -> None:
    assert [restart_delay(deaths).total_seconds() for deaths in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert restart_delay(10**9).total_seconds() == 60
    assert restart_delay(0).total_seconds() == 1


def test_how_one_ends() -> None:
    assert state_after_end(0, auto_restart=False) is S.STOPPED
    assert state_after_end(0, auto_restart=True) is S.FAILED
    assert state_after_end(1, auto_restart=False) is S.FAILED
    assert state_after_end(None, auto_restart=False) is S.FAILED


def test_every_pair_of_states() -> None:
    for current, wanted in itertools.product(S, S):
        answer = propose(current, wanted)
        assert answer.accepted == (wanted == current or wanted in TRANSITIONS[current])
    for now, then in itertools.product(RequestState, RequestState):
        assert propose_request(now, then).accepted == (then in REQUEST_TRANSITIONS[now])
    assert all(REQUEST_TRANSITIONS[ended] == {RequestState.PENDING} for ended in ENDED)
