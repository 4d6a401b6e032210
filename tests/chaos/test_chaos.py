"""Faults at random moments, repeatable by their seed: nothing is lost, nothing is doubled, nothing is left.

Needs root, for a Docker Engine of its own in a network namespace of its own (`apart`). More seeds:
`./aflow bench chaos`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.plant import Plant
from tests.chaos.trial import Outcome, try_fault
from tests.live_platform import ROOT

pytestmark = pytest.mark.docker

SEEDS = range(1, int(os.environ.get("AFLOW_CHAOS_SEEDS", "6")) + 1)


def _needs_an_engine() -> None:
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        if "docker" in os.environ.get("AFLOW_TEST_REQUIRE", ""):
            pytest.fail("chaos needs root and dockerd")
        pytest.skip("needs root and dockerd")


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    _needs_an_engine()
    plant = Plant(tmp_path_factory.mktemp("chaos"))
    plant.start()
    try:
        yield plant
    finally:
        plant.stop()


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


def test_without_the_fence_the_suite_fails(tmp_path: Path) -> None:
    """The suite can fail: without the check that refuses what a superseded executor still writes, it does."""
    _needs_an_engine()
    unfenced = Plant(tmp_path, PYTHONPATH=str(ROOT / "tests" / "chaos" / "unfenced"))
    unfenced.start()
    try:
        with pytest.raises(AssertionError):
            _freeze_three_times(unfenced)
    finally:
        unfenced.stop()


def _freeze_three_times(plant: Plant) -> None:
    for seed in range(1, 4):
        try_fault(plant, "freeze_executor", seed)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_or_doubled(plant: Plant, outcomes: list[Outcome], fault: str, seed: int) -> None:
    outcomes.append(try_fault(plant, fault, seed))
