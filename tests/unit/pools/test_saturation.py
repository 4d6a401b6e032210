from __future__ import annotations

from pools.domain.saturation import Saturation, SaturationRule

RULE = SaturationRule(waiting=5, seconds=60)


def told(*seen: tuple[float, int], rule: SaturationRule = RULE, begins: bool = False) -> list[bool]:
    """What is said at each look, of (seconds, waiting)."""
    state = Saturation(begins)
    return [state.see(waiting, now, rule) for now, waiting in seen]


def test_a_queue_that_stays_long_is_saturation() -> None:
    assert told((0, 5), (30, 9), (59, 5), (60, 5), (61, 7)) == [False, False, False, True, True]


def test_one_short_moment_begins_the_time_anew() -> None:
    assert told((0, 9), (50, 4), (60, 9), (119, 9), (120, 9)) == [False, False, False, False, True]


def test_it_ends_as_slowly_as_it_begins() -> None:
    seen = told((0, 0), (59, 4), (60, 4), (61, 9), begins=True)
    assert seen == [True, True, False, False]
    assert all(told((0, 0), (59, 5), (70, 0), (129, 0), begins=True))


def test_both_numbers_of_the_rule_count() -> None:
    long_queue = ((0.0, 9), (59.0, 9), (60.0, 9))
    assert told(*long_queue)[-1]
    assert not told(*long_queue, rule=SaturationRule(waiting=10, seconds=60))[-1]
    assert not told(*long_queue, rule=SaturationRule(waiting=5, seconds=61))[-1]
