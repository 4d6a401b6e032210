from __future__ import annotations

from pools.domain.breaker import LONGEST_PAUSE, Breaker


def test_a_healthy_image_is_not_held_back() -> None:
    assert Breaker().allowed(7, now=0.0) == 7


def test_pauses_grow_to_a_minute_and_no_further() -> None:
    breaker, now, pauses = Breaker(), 0.0, []
    for _ in range(9):
        breaker.started()
        pauses.append(breaker.failed(now))
        assert breaker.allowed(5, now) == 0
        now = breaker.open_until
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == LONGEST_PAUSE


def test_a_failure_that_lasts_is_given_the_longest_pause_at_once() -> None:
    breaker = Breaker()
    assert breaker.failed(0.0, "there is no such package", lasting=True) == LONGEST_PAUSE
    assert breaker.allowed(1, LONGEST_PAUSE - 1) == 0
    assert breaker.allowed(5, LONGEST_PAUSE) == 1


def test_attempts_of_an_hour_are_bounded() -> None:
    breaker, now, attempts = Breaker(), 0.0, 0
    while now < 3600:
        allowed = breaker.allowed(10, now)
        attempts += allowed
        for _ in range(allowed):
            breaker.started()
            breaker.failed(now)
        now += 1.0
    assert attempts < 80


def test_one_probe_at_a_time_then_all_again() -> None:
    breaker = Breaker()
    pause = breaker.failed(0.0)
    assert breaker.allowed(5, pause) == 1
    breaker.started()
    assert breaker.allowed(5, pause) == 0
    breaker.succeeded()
    assert breaker.allowed(5, pause) == 5


def test_failures_in_flight_together_are_one_step() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.failed(0.0)
    assert breaker.failures == 1
