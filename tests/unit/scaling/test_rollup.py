"""Arrivals by the minute: true sums, whatever the clock and the controllers do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling.domain.rollup import Bin, Closed, Counters, Rollup, loads_of

NOON = 1_800_000_000.0  # the beginning of a minute
FIRST = 30_000_000  # its number


def counters(asked: int) -> Counters:
    return Counters(asked, asked, 2.0 * asked)


def test_a_minute_holds_what_came_in_it() -> None:
    rollup = Rollup(NOON, counters(100))
    found = []
    for second in range(0, 182, 2):
        found += rollup.see(NOON + second, counters(100 + second), peak=second % 60)
    # The first minute was not watched from its beginning, as far as anybody can know.
    assert [(closed.number, closed.bin.arrived, closed.bin.ended) for closed in found] == [
        (FIRST + 1, 60, 60),
        (FIRST + 2, 60, 60),
    ]
    assert found[0].bin == Bin(60, 60, 120.0, peak=58)
    assert found[1].after == counters(280)


def test_what_came_while_nobody_watched_is_shared_out() -> None:
    last = Closed(FIRST, Bin(9, 9, 18.0), counters(100))
    rollup = Rollup(NOON + 250, counters(400), last)
    found = rollup.see(NOON + 250, counters(400), peak=3)
    assert [closed.number for closed in found] == [FIRST + 1, FIRST + 2, FIRST + 3]
    arrived = [closed.bin.arrived for closed in found]
    assert sum(arrived) == 284  # 180 of 190 seconds
    assert max(arrived) - min(arrived) <= 1
    assert found[-1].after.asked == 100 + 284


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (Closed(FIRST - 600, Bin(9, 9, 18.0), counters(1)), "too long ago"),
        (Closed(FIRST - 1, Bin(9, 9, 18.0), counters(500)), "counters began anew"),
        (Closed(FIRST + 99, Bin(9, 9, 18.0), counters(1)), "the clock was ahead"),
        (None, "never watched"),
    ],
)
def test_what_is_not_known_is_not_told(last: Closed | None, why: str) -> None:
    rollup = Rollup(NOON + 30, counters(100), last)
    found = [rollup.see(NOON + second, counters(100 + second), 0) for second in (30, 59, 61, 119)]
    assert found == [[], [], [], []], why
    assert [closed.number for closed in rollup.see(NOON + 120, counters(220), 0)] == [FIRST + 1]


def test_a_clock_that_jumps_makes_no_arrivals() -> None:
    rollup = Rollup(NOON, counters(0), Closed(FIRST - 1, Bin(0, 0, 0.0), counters(0)))
    assert len(rollup.see(NOON + 60, counters(60), 0)) == 1
    assert rollup.see(NOON + 7200, counters(70), 0) == []  # two hours ahead
    assert rollup.see(NOON + 62, counters(80), 0) == []  # and back
    assert rollup.see(NOON + 100, counters(90), 0) == []
    # The minute into which it went back was not watched as a whole.
    assert rollup.see(NOON + 120, counters(100), 0) == []
    assert [one.bin.arrived for one in rollup.see(NOON + 180, counters(160), 0)] == [60]


def test_redis_without_memory_begins_anew() -> None:
    rollup = Rollup(NOON, counters(1000), Closed(FIRST - 1, Bin(0, 0, 0.0), counters(1000)))
    rollup.see(NOON + 30, counters(1030), 0)
    assert rollup.see(NOON + 61, counters(5), 0) == []
    assert [one.bin.arrived for one in rollup.see(NOON + 180, counters(124), 0)] == [60]


@given(st.lists(st.tuples(st.floats(0.5, 200), st.integers(0, 500)), min_size=1, max_size=60))
def test_nothing_is_lost_or_doubled(steps: list[tuple[float, int]]) -> None:
    """However the readings fall: minutes without gaps, and the sum is what the counters say at their end."""
    at, asked = NOON, 0
    rollup = Rollup(at, counters(0), Closed(FIRST - 1, Bin(0, 0, 0.0), counters(0)))
    found: list[Closed] = []
    for seconds, arrived in steps:
        at, asked = at + seconds, asked + arrived
        found += rollup.see(at, counters(asked), 0)
    assert [closed.number for closed in found] == list(range(FIRST, FIRST + len(found)))
    assert all(closed.bin.arrived >= 0 for closed in found)
    if found:
        assert sum(closed.bin.arrived for closed in found) == found[-1].after.asked
        assert found[-1].after.asked <= asked


def test_loads_are_arrivals_times_how_long_leases_last() -> None:
    loads = loads_of([Bin(6, 0, 0.0), None, Bin(0, 0, 0.0), Bin(12, 10, 50.0), Bin(24, 0, 0.0)])
    assert loads[:3] == [None, None, 0.0]  # no lease has ended yet; nobody watched; nothing came
    assert loads[3:] == [pytest.approx(1.0), pytest.approx(2.0)]
