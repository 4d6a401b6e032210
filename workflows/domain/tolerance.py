"""When a map is done, has failed, or goes on: how many failed items it puts up with."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.domain.states import StepState
from workflows.domain.steps import ErrorStrategy


@dataclass(frozen=True, slots=True)
class MapCounts:
    """How the items of a map stand; `total` is the length of the list."""

    total: int
    completed: int = 0
    failed: int = 0

    @property
    def open(self) -> int:
        return self.total - self.completed - self.failed


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How many failed items a map puts up with. `min_success_rate` counts with `continue_on_partial`; without
    it one item at least must succeed."""

    error_strategy: ErrorStrategy
    min_success_rate: float | None = None


@dataclass(frozen=True, slots=True)
class MapVerdict:
    """`state` is None while the map goes on; `reason` is a sentence when it failed."""

    state: StepState | None
    reason: str | None = None


def judge_map(tolerance: Tolerance, counts: MapCounts) -> MapVerdict:
    """Whether a map is done, and how. It fails as soon as its strategy can no longer be met."""
    if tolerance.error_strategy == "fail_fast" and counts.failed:
        return MapVerdict(StepState.FAILED, "An item failed, and the map's error strategy is fail_fast.")
    if tolerance.error_strategy == "continue_on_partial" and counts.total:
        best, needed = (counts.total - counts.failed) / counts.total, tolerance.min_success_rate
        if best < needed if needed is not None else not best:
            wanted = "one at least must" if needed is None else f"min_success_rate is {needed:.1%}"
            sentence = (
                f"{counts.failed} of {counts.total} items failed: {best:.1%} can still succeed, and {wanted}."
            )
            return MapVerdict(StepState.FAILED, sentence)
    return MapVerdict(None if counts.open else StepState.COMPLETED)
