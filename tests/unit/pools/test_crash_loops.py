from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.domain.agents import EndReason
from pools.domain.crash_loops import (
    FORGIVEN,
    LONGEST_PAUSE,
    PROVEN_AGE,
    PROVEN_USES,
    CrashLoop,
    has_proved_itself,
)

OLD = UUID(int=1)


def in_a_loop(excess: int = 1, reason: EndReason = EndReason.ERRORS) -> CrashLoop:
    loop = CrashLoop.of(max_size=1)
    for _ in range(loop.forgiven + excess):
        loop.ended(reason, [OLD], now=0.0)
    return loop


def test_what_an_engines_restart_ends_is_forgiven_twice() -> None:
    loop = CrashLoop.of(max_size=20)
    for _ in range(40):
        loop.ended(EndReason.ERRORS, [], now=0.0)
    assert (loop.allowed(20, now=0.0), loop.sentence) == (20, None)
    loop.ended(EndReason.ERRORS, [], now=0.0)
    assert loop.allowed(20, now=0.0) == 0
    assert loop.allowed(20, now=1.0) == 1


def test_pauses_double_up_to_a_minute() -> None:
    assert [in_a_loop(excess).pause for excess in (0, 1, 2, 3, 6, 7, 5000)] == [
        0.0, 1.0, 2.0, 4.0, 32.0, LONGEST_PAUSE, LONGEST_PAUSE,
    ]  # fmt: skip


def test_one_at_a_time() -> None:
    loop = in_a_loop(3)
    assert loop.allowed(5, now=4.0) == 1
    loop.started(now=4.0)
    assert loop.allowed(5, now=7.9) == 0
    assert loop.allowed(5, now=8.0) == 1


@pytest.mark.parametrize("lives", [0.0, 0.5, 30.0])
def test_agents_of_an_hour_are_bounded(lives: float) -> None:
    """However long each lives, and however many are wanted at once."""
    loop, made = CrashLoop.of(max_size=10), 0
    living: list[float] = []  # until when
    for tick in range(3600 * 4):
        now = tick / 4
        for ends in [ends for ends in living if ends <= now]:
            living.remove(ends)
            loop.ended(EndReason.MEMORY, [], now)
        for _ in range(loop.allowed(10 - len(living), now)):
            loop.started(now)
            made += 1
            living.append(now + lives)
    assert made <= 2 * 10 + 10 + 8 + 60


def test_who_proves_itself_ends_it_but_not_who_was_there_before() -> None:
    loop = in_a_loop(7)
    assert not loop.proved(OLD)
    assert loop.pause == LONGEST_PAUSE
    assert loop.proved(uuid4())
    assert (loop.pause, loop.sentence, loop.allowed(9, now=0.0)) == (0.0, None, 9)
    assert not loop.proved(uuid4()), "it is over already"


@pytest.mark.parametrize("reason", sorted(set(EndReason) - {"unhealthy", "memory", "errors"}))
def test_other_ends_do_not_count(reason: EndReason) -> None:
    assert in_a_loop(50, reason).allowed(3, now=0.0) == 3


def test_what_proof_is() -> None:
    assert has_proved_itself(PROVEN_USES, 0.0)
    assert has_proved_itself(0, PROVEN_AGE)
    assert not has_proved_itself(PROVEN_USES - 1, PROVEN_AGE - 1)
    assert has_proved_itself(1, 0.0, EndReason.MAX_USES), "a pool may use each agent once"
    assert not has_proved_itself(0, 0.0, EndReason.IDLE_TIMEOUT)
    assert not has_proved_itself(1, 0.0, EndReason.ERRORS)


@given(
    st.lists(st.tuples(st.floats(0.01, 100), st.sampled_from([*EndReason, None])), max_size=40),
    st.floats(-1e9, 1e9),
)
def test_whoever_takes_over_knows_what_was_known(
    ends: list[tuple[float, EndReason | None]], other_start: float
) -> None:
    """After any ends (None: one is made), also where the monotonic clock began at another time."""
    loop, now, wall = CrashLoop.of(1), 0.0, 1.8e9
    for pause, reason in ends:
        now += pause
        if reason is None:
            loop.started(now)
        else:
            loop.ended(reason, [OLD], now)
    loop.last_words = "Killed"
    kept = json.loads(json.dumps(loop.kept(wall)))
    if not loop.ends:
        assert kept is None
        return
    after = CrashLoop.taken_up(kept, now + other_start, wall - other_start)
    assert (after.ends, after.before, after.last_words) == (loop.ends, loop.before, loop.last_words)
    assert after.forgiven == loop.forgiven
    assert after.sentence == loop.sentence
    if loop.excess:
        assert after.open_until - other_start == pytest.approx(loop.open_until, abs=1e-3)
    else:
        assert after.allowed(9, now + other_start) == loop.allowed(9, now) == 9


@pytest.mark.parametrize(("set_by", "held"), [(0.0, 4.0), (-3600.0, 4.0), (3.0, 1.0), (3600.0, -3596.0)])
def test_a_clock_that_was_set_holds_nothing_up(set_by: float, held: float) -> None:
    loop = in_a_loop(3)
    loop.open_until = 4.0
    kept = loop.kept(wall=1.8e9)
    assert kept is not None
    assert CrashLoop.taken_up(kept, 0.0, 1.8e9 + set_by).open_until == held


def test_a_pool_that_grew_is_forgiven_more_and_one_that_shrank_less_from_the_next_loop_on() -> None:
    loop = in_a_loop(1)
    loop.resized(FORGIVEN)
    assert (loop.forgiven, loop.excess) == (2 * FORGIVEN, 0)
    loop.resized(1)
    assert (loop.forgiven, loop.excess) == (2 * FORGIVEN, 0)
    assert loop.proved(uuid4())
    loop.resized(1)
    assert loop.forgiven == FORGIVEN


def test_the_sentence_tells_causes_and_what_to_do() -> None:
    loop = in_a_loop(2, EndReason.MEMORY)
    loop.ended(EndReason.UNHEALTHY, [], now=0.0)
    loop.last_words = "Killed"
    told = loop.sentence or ""
    assert f"{FORGIVEN + 3} agents in a row" in told
    assert f"{FORGIVEN + 2} used too much memory, 1 failed their health check" in told
    assert "every 4 s" in told
    assert "Raise the pool's memory" in told
    assert told.endswith("wrote: Killed")
    assert "logs" in (in_a_loop(1).sentence or "")
