"""What a run does next: a pure function of its document and the states of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.domain.document import Document, MapStep
from workflows.domain.states import STEP_FINAL, RunState, StepState


@dataclass(frozen=True, slots=True)
class Plan:
    """`start` are steps whose needs are met; `skip` will never start; `stop` must be ended early;
    `outcome` is set once every step has ended."""

    start: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    outcome: RunState | None = None


def plan(document: Document, states: Mapping[str, StepState], *, cancelled: bool = False) -> Plan:
    """The next moves. Steps are named in the document's order, whatever the order of the events was."""
    failed = any(state is StepState.FAILED for state in states.values())
    done = all(state is StepState.COMPLETED for state in states.values())
    if failed or (cancelled and not done):
        waiting = tuple(s.id for s in document.steps if states[s.id] is StepState.PENDING)
        busy = (StepState.QUEUED, StepState.RUNNING)
        stop = tuple(s.id for s in document.steps if states[s.id] in busy)
        ended = not waiting and not stop
        outcome = RunState.FAILED if failed else RunState.CANCELLED
        return Plan(skip=waiting, stop=stop, outcome=outcome if ended else None)
    start = tuple(
        step.id
        for step in document.steps
        if states[step.id] is StepState.PENDING
        and all(states[need] is StepState.COMPLETED for need in step.needs)
    )
    ended = all(state in STEP_FINAL for state in states.values())
    return Plan(start=start, outcome=RunState.COMPLETED if ended else None)


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
class MapVerdict:
    """`state` is None while the map goes on; `reason` is a sentence when it failed."""

    state: StepState | None
    reason: str | None = None


def judge_map(step: MapStep, counts: MapCounts) -> MapVerdict:
    """Whether a map is done, and how. It fails as soon as its strategy can no longer be met."""
    if step.error_strategy == "fail_fast" and counts.failed:
        return MapVerdict(StepState.FAILED, "An item failed, and the map's error strategy is fail_fast.")
    if step.error_strategy == "continue_on_partial" and counts.total:
        best = (counts.total - counts.failed) / counts.total
        needed = step.min_success_rate if step.min_success_rate is not None else 1.0
        if best < needed:
            sentence = (
                f"{counts.failed} of {counts.total} items failed: {best:.1%} can still succeed, "
                f"and min_success_rate is {needed:.1%}."
            )
            return MapVerdict(StepState.FAILED, sentence)
    return MapVerdict(None if counts.open else StepState.COMPLETED)
