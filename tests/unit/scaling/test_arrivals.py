"""The rate of arrivals: calm on noise, quick on change."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.domain.arrivals import LONGEST, Arrivals


def told(*stretches: tuple[float, int], seed: int = 1) -> Arrivals:
    """Poisson arrivals: (rate, seconds) one after another."""
    random = np.random.default_rng(seed)
    arrivals = Arrivals()
    for rate, seconds in stretches:
        for count in random.poisson(rate, seconds):
            arrivals.tell(int(count))
    return arrivals


def test_nothing_yet() -> None:
    assert Arrivals().rate.per_second == 0


@pytest.mark.parametrize("rate", [0.2, 2.0, 40.0])
def test_a_steady_rate_is_averaged_over_long(rate: float) -> None:
    found = [told((rate, 900), seed=seed).rate for seed in range(20)]
    assert sorted(one.over for one in found)[5] > LONGEST / 3  # few false alarms
    assert np.mean([one.per_second for one in found]) == pytest.approx(rate, rel=0.1)


def test_a_burst_is_seen_within_seconds() -> None:
    for seed in range(20):
        rate = told((2, 600), (12, 6), seed=seed).rate
        assert rate.over <= 12
        assert rate.per_second > 6


def test_an_end_is_seen_within_a_minute() -> None:
    for seed in range(20):
        assert told((6, 600), (1, 40), seed=seed).rate.per_second < 3


def test_bunches_are_no_change() -> None:
    """Ten at once every five seconds, for ever: the same rate all the time."""
    arrivals = Arrivals()
    cuts, before = 0, 0
    for second in range(1200):
        arrivals.tell(10 if second % 5 == 0 else 0)
        cuts += arrivals.rate.over < before
        before = arrivals.rate.over
    assert cuts <= 1
    assert arrivals.rate.per_second == pytest.approx(2, rel=0.05)
