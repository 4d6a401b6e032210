"""Breakers and crash loops, rebuilt from what is known of the agents that ended."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from pools.domain.agents import EndReason
from pools.domain.breaker import LONGEST_PAUSE, Breaker
from pools.domain.crash_loops import FORGIVEN, CrashLoop
from pools.domain.lives import Life, breaker_of, crash_loop_of


def unborn(number: int, at: float, reason: EndReason = EndReason.ERRORS) -> Life:
    """One that never became ready."""
    return Life(UUID(int=number), at - 0.1, None, at, reason, 0)


def served(number: int, at: float, reason: EndReason, uses: int = 0) -> Life:
    return Life(UUID(int=number), at - 1, at - 0.5, at, reason, uses)


@given(st.lists(st.tuples(st.floats(0.01, 100), st.booleans()), max_size=30))
def test_a_breaker_is_as_it_was(attempts: list[tuple[float, bool]]) -> None:
    before, moment, lives = Breaker(), 0.0, []
    for number, (pause, well) in enumerate(attempts):
        moment += pause
        if well:
            before.succeeded()
            lives.append(Life(UUID(int=number), moment - 0.1, moment, None, None, 0))
        else:
            before.failed(moment, "It is ill.")
            lives.append(unborn(number, moment))
    after = breaker_of(lives[::-1], "It is ill.")
    assert after == before


def test_what_ended_for_other_reasons_says_nothing_of_the_image() -> None:
    ends = [unborn(n, float(n), reason) for n, reason in enumerate(EndReason)]
    assert breaker_of(ends, None).failures == 2  # errors and memory


def test_an_image_that_never_started_is_tried_once_a_minute_whoever_leads() -> None:
    """However often the controller is restarted: an hour of attempts, each with another breaker."""
    lives: list[Life] = []
    for second in range(3600):
        breaker = breaker_of(lives, None)
        for _ in range(breaker.allowed(4, float(second))):
            lives.append(unborn(len(lives), second + 0.5))
    assert len(lives) < 80
    assert breaker_of(lives, None).open_until - lives[-1].ended <= LONGEST_PAUSE  # type: ignore[operator]


@given(st.lists(st.tuples(st.floats(0.01, 100), st.sampled_from(list(EndReason))), max_size=40))
def test_a_crash_loop_is_as_it_was(ends: list[tuple[float, EndReason]]) -> None:
    before, moment, lives = CrashLoop.of(1), 0.0, []
    for number, (pause, reason) in enumerate(ends):
        moment += pause
        before.ended(reason, (), moment)
        lives.append(served(number, moment, reason))
    after = crash_loop_of(lives[::-1], 1)
    assert (after.ends, after.open_until) == (before.ends, before.open_until)


def test_who_lived_when_a_loop_began_proves_nothing_afterwards_either() -> None:
    old = Life(UUID(int=99), 0.0, 1.0, None, None, 50)
    loop = crash_loop_of([old, *(served(n, 10.0 + n, EndReason.ERRORS) for n in range(FORGIVEN + 2))], 1)
    assert loop.excess == 2
    assert not loop.proved(old.agent)


def test_one_that_proved_itself_ends_what_was_before_it() -> None:
    ends = [served(n, float(n + 1), EndReason.MEMORY) for n in range(FORGIVEN + 5)]
    proof = Life(UUID(int=99), 50.0, 51.0, 60.0, EndReason.IDLE_TIMEOUT, 1)
    assert crash_loop_of([*ends, proof], 1).excess == 0
    assert crash_loop_of(ends, 1).excess == 5
    by_age = Life(UUID(int=98), 50.0, 51.0, 700.0, EndReason.ERRORS, 0)
    assert crash_loop_of([*ends, by_age], 1).excess == 0
