"""The baselines reproduce the worked examples of their documentation."""

from __future__ import annotations

import pytest

from scaling.simulator.baselines.hpa import Behaviour, desired
from scaling.simulator.baselines.keda import Keda, for_length
from scaling.simulator.baselines.kpa import Kpa
from scaling.simulator.baselines.threshold import Threshold, percent_change
from scaling.simulator.plant import Observation


def seen(at: float, *, target: int, busy: int = 0, waiting: int = 0, idle: int = 0) -> Observation:
    return Observation(
        at=at,
        target=target,
        starting=0,
        idle=idle,
        busy=busy,
        waiting=waiting,
        concurrency=busy + waiting,
        arrived=0,
        finished=0,
        worked=0,
        oldest_wait=0,
    )


def test_hpa_algorithm_details() -> None:
    """200m with a target of 100m doubles the replicas, 50m halves them; within 0.1 nothing changes."""
    assert desired(4, 0, 200, 100, 4) == 8
    assert desired(4, 0, 50, 100, 4) == 2
    assert desired(4, 0, 105, 100, 4) == 4
    assert desired(4, 0, 91, 100, 4) == 4


def test_hpa_pods_that_are_not_ready_dampen_an_increase() -> None:
    assert desired(2, 2, 200, 100, 4) == 4  # 200 % on two of four pods is 100 % on all


def test_hpa_default_behaviour() -> None:
    """100 % or 4 pods in 15 s, whichever is more; down after the maximum of 300 s."""
    assert Behaviour().apply(0, 1, 50) == 5
    assert Behaviour().apply(0, 10, 50) == 20
    behaviour = Behaviour()
    assert behaviour.apply(0, 10, 10) == 10
    assert behaviour.apply(15, 10, 3) == 10
    assert behaviour.apply(299, 10, 3) == 10
    assert behaviour.apply(301, 10, 3) == 3


def test_keda_average_value() -> None:
    """One pod handles 10 messages: 30 messages are 3 pods."""
    assert for_length(30, 10, 1) == 3
    assert for_length(0, 10, 2) == 0


def test_keda_goes_to_zero_after_the_cooldown_and_to_one_when_it_polls() -> None:
    keda = Keda(10)
    sizes = [keda.decide(seen(at, target=1)) for at in range(1, 301)]
    assert (sizes[298], sizes[299]) == (1, 0)
    assert keda.decide(seen(329, target=0, waiting=5)) == 0
    assert keda.decide(seen(330, target=0, waiting=5)) == 1


def test_kpa_scales_on_the_stable_window() -> None:
    """A target of 10 concurrent requests at 70 %: a new replica at 7."""
    kpa = Kpa(10 * 0.7)
    size = 0
    for at in range(1, 62):
        size = kpa.decide(seen(at, target=2, busy=2, waiting=12))
    assert size == 2
    for at in range(62, 131):
        size = kpa.decide(seen(at, target=2, busy=2, waiting=13))
    assert size == 3


def test_kpa_panics_at_twice_the_ready_pods_and_never_shrinks_in_it() -> None:
    kpa = Kpa(1.0)
    for at in range(1, 61):
        kpa.decide(seen(at, target=4, busy=4))
    for at in range(61, 67):
        size = kpa.decide(seen(at, target=4, busy=4, waiting=8))
    assert size == 12
    calm = [kpa.decide(seen(at, target=12, busy=2, idle=10)) for at in range(67, 121)]
    assert min(calm) == 12
    for at in range(121, 201):
        size = kpa.decide(seen(at, target=12, busy=2, idle=10))
    assert size < 12


def test_kpa_to_zero_after_its_grace_period() -> None:
    kpa = Kpa()
    kpa.decide(seen(1, target=1, busy=1))
    sizes = {at: kpa.decide(seen(at, target=1)) for at in range(2, 102)}
    assert sizes[60] == 1
    assert sizes[100] == 0


@pytest.mark.parametrize(
    ("change", "by"), [(12.7, 12), (0.67, 1), (-0.58, -1), (-6.67, -6), (0.0, 0)], ids=str
)
def test_percent_change_is_rounded_as_documented(change: float, by: int) -> None:
    assert percent_change(100, change) == by


def test_threshold_waits_for_its_cooldown() -> None:
    threshold = Threshold(period=60, cooldown=120)
    sizes = {}
    size = 8
    for at in range(1, 301):
        size = sizes[at] = threshold.decide(seen(at, target=size, busy=8, idle=0))
    assert [sizes[at] for at in (59, 60, 120, 180, 240, 300)] == [8, 10, 10, 12, 12, 15]
