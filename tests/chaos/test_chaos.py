"""Faults at random moments, repeatable by their seed: nothing is lost, nothing is doubled, nothing is left.

Needs root, for a Docker Engine of its own in a network namespace of its own (`apart`). More seeds:
`./aflow bench chaos`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.plant import Plant, running_plant
from tests.chaos.trial import Outcome, try_fault

pytestmark = pytest.mark.chaos

SEEDS = range(1, int(os.environ.get("AFLOW_CHAOS_SEEDS", "6")) + 1)


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    with running_plant() as plant:
        yield plant


@pytest.fixture(scope="session")
def outcomes() -> Iterator[list[Outcome]]:
    """Reports at the end: faults, what was lost and doubled, how long recovery took."""
    found: list[Outcome] = []
    yield found
    times = sorted(outcome.recovery for outcome in found)
    if times:
        lost, doubled = sum(o.lost for o in found), sum(o.doubled for o in found)
        p50, p95 = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.95))]
        print(f"\n{len(found)} faults survived; {lost} items lost, {doubled} doubled; "
              f"recovery p50 {p50:.2f} s, p95 {p95:.2f} s")  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_or_doubled(plant: Plant, outcomes: list[Outcome], fault: str, seed: int) -> None:
    outcomes.append(try_fault(plant, fault, seed))
