"""How frontiers are compared."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.scaling import BASELINES, Ledger, Place, advantage, compare, interval, verdict
from scaling.facade.simulation import Outcome


def point(agent_seconds: float, attainment: float) -> Outcome:
    return Outcome(attainment, 0, 0, 0, agent_seconds, 0, 1.0, None, None)


OURS = [point(100, 0.90), point(200, 0.98), point(150, 0.80)]  # the last one is beaten by the first


def test_advantage_at_matched_cost_and_at_matched_attainment() -> None:
    assert advantage(OURS, point(150, 0.90)) == pytest.approx((0.04, 1 - 100 / 150))
    assert advantage(OURS, point(150, 0.96)) == pytest.approx((-0.02, 1 - 175 / 150))
    gained, saved = advantage(OURS, point(50, 0.95))  # cheaper than any of ours
    assert math.isnan(gained)
    assert saved == pytest.approx(1 - 162.5 / 50)
    gained, saved = advantage(OURS, point(400, 0.99))  # more than ours ever reach
    assert gained == pytest.approx(-0.01)
    assert math.isnan(saved)


@pytest.mark.parametrize(
    ("gained", "saved", "said"),
    [
        ((0.02, 0.01), (0.1, 0.2), "better"),
        ((0.02, 0.03), (0.1, 0.2), "level"),
        ((-0.02, 0.01), (math.nan, math.nan), "worse"),
        ((math.nan, math.nan), (0.1, 0.01), "better"),
        ((math.nan, math.nan), (math.nan, math.nan), "outside"),
    ],
)
def test_only_what_is_beyond_chance_counts(
    gained: tuple[float, float], saved: tuple[float, float], said: str
) -> None:
    assert verdict(gained, saved) == said


def test_an_interval_over_the_seeds() -> None:
    assert interval([1.0, 3.0]) == pytest.approx((2.0, 1.96))
    assert interval([5.0]) == (5.0, 0.0)


def test_families_are_compared_each_and_together() -> None:
    points = {f"hpa:{knob}": {0: point(150, 0.91), 1: point(150, 0.91)} for knob in BASELINES["hpa"]}
    points |= {
        "balanced:0.7": {0: OURS[0], 1: OURS[0]},
        "reactive:0.7": {0: OURS[1], 1: OURS[1]},
    }
    told = {family: compare(family, "hpa", points) for family in ("balanced", "reactive", "any")}
    assert [told[family]["better"] for family in told] == [0, 0, len(BASELINES["hpa"])]
    assert told["balanced"]["worse"] == len(BASELINES["hpa"])
    assert told["any"]["attainment"] == [pytest.approx(0.03), 0.0]


def test_what_was_run_is_not_run_again(tmp_path: Path) -> None:
    place, file = Place("t_60s", 100.0, 3.0), tmp_path / "points.jsonl"
    Ledger(file).add(place, 8.0, ("hpa:0.7", 1), OURS[0])
    again = Ledger(file)
    assert again.has(place, 8.0, ("hpa:0.7", 1))
    assert not again.has(place, 24.0, ("hpa:0.7", 1))
    assert again.points(place, 8.0, [("hpa:0.7", 1)]) == {"hpa:0.7": {1: OURS[0]}}
