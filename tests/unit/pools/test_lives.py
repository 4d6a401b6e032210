"""Breakers, rebuilt from what is known of the agents that ended."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pools.domain.agents import EndReason
from pools.domain.breaker import LONGEST_PAUSE, Breaker
from pools.domain.lives import Life, breaker_of


def unborn(at: float, reason: EndReason = EndReason.ERRORS) -> Life:
    """One that never became ready."""
    return Life(None, at, reason)


@given(st.lists(st.tuples(st.floats(0.01, 100), st.booleans()), max_size=30))
def test_a_breaker_is_as_it_was(attempts: list[tuple[float, bool]]) -> None:
    before, moment, lives = Breaker(), 0.0, []
    for pause, well in attempts:
        moment += pause
        if well:
            before.succeeded()
            lives.append(Life(moment, None, None))
        else:
            before.failed(moment, "It is ill.")
            lives.append(unborn(moment))
    after = breaker_of(lives[::-1], "It is ill.")
    assert after == before


def test_what_ended_for_other_reasons_says_nothing_of_the_image() -> None:
    ends = [unborn(float(n), reason) for n, reason in enumerate(EndReason)]
    assert breaker_of(ends, None).failures == 2  # errors and memory


def test_an_image_that_never_started_is_tried_once_a_minute_whoever_leads() -> None:
    """However often the controller is restarted: an hour of attempts, each with another breaker."""
    lives: list[Life] = []
    for second in range(3600):
        breaker = breaker_of(lives, None)
        lives += [unborn(second + 0.5)] * breaker.allowed(4, float(second))
    assert len(lives) < 80
    assert breaker_of(lives, None).open_until - lives[-1].ended <= LONGEST_PAUSE  # type: ignore[operator]
