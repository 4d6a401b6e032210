"""The chaos suite can fail: without the check that refuses what a superseded executor writes, it does."""

from __future__ import annotations

import pytest

from tests.chaos.plant import Plant, running_plant
from tests.chaos.trial import try_fault
from tests.live_platform import ROOT

pytestmark = pytest.mark.chaos


def test_without_the_fence_the_suite_fails() -> None:
    without = str(ROOT / "tests" / "chaos" / "unfenced")
    with running_plant(PYTHONPATH=without) as unfenced, pytest.raises(AssertionError):
        _freeze_three_times(unfenced)


def _freeze_three_times(plant: Plant) -> None:
    plant.patience = 40.0  # without its fence a run may never end, and that is a failure, too
    for seed in range(1, 4):
        try_fault(plant, "freeze_executor", seed)
