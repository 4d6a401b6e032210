"""What a graph of steps does next: a pure function of the graph and of how its steps stand.

The rules, in the order in which they are asked of a step whose needs have ended:

1. A step with `always_run` starts, whatever became of its needs; after a failure it waits for the undoing.
2. A step that a branch may choose is skipped when none of its branches chose it.
3. A step is skipped when a need of it failed, or when all of its needs were skipped.
4. Otherwise it starts.

Once the graph is failing (or was cancelled), nothing else starts; completed steps that name a `compensate`
step are undone one after the other, the last completed first (a saga: Garcia-Molina and Salem, 1987).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from workflows.domain.graph import Node
from workflows.domain.states import STEP_ACTIVE, STEP_FINAL, RunState, StepState
from workflows.domain.steps import ErrorStrategy

S = StepState
SkipReason = Literal["branch", "needs_skipped", "failure", "cancelled", "not_needed"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a graph stands. `chosen`: what each ended branch chose. `completed`: completed steps in the order
    in which they completed."""

    states: Mapping[str, StepState]
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    completed: Sequence[str] = ()
    cancelled: bool = False
    go_on: bool = False  # failure_strategy: continue


@dataclass(frozen=True, slots=True)
class Plan:
    """`start` are steps whose turn it is; `skip` will never start, and why; `stop` must be ended early;
    `undone` are steps whose undoing has completed; `outcome` is set once every step has ended."""

    start: tuple[str, ...] = ()
    skip: tuple[tuple[str, SkipReason], ...] = ()
    stop: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    outcome: RunState | None = None


def plan(nodes: Sequence[Node], standing: Standing) -> Plan:
    """The next moves. Steps are named in the graph's order, whatever the order of the events was."""
    return _Planner(nodes, standing).plan()


class _Planner:
    def __init__(self, nodes: Sequence[Node], standing: Standing) -> None:
        self.nodes = nodes
        self.standing = standing
        self.states = standing.states
        self.normal = [node for node in nodes if node.undoes is None]
        self.undoing = {node.undoes: node for node in nodes if node.undoes is not None}
        self.bad = {node.id for node in nodes if self.states[node.id] is S.FAILED and not node.tolerated}
        self.failed = any(node.id in self.bad for node in self.normal)
        # A cancellation that came when everything had ended already changes nothing.
        untouched = all(self._has_ended(node) for node in self.normal)
        self.cancelled = standing.cancelled and not untouched
        self.stopping = self.cancelled or (self.failed and not standing.go_on)

    def _has_ended(self, node: Node) -> bool:
        return self.states[node.id] in STEP_FINAL and self.states[node.id] not in (
            S.CANCELLED,
            S.COMPENSATED,
        )

    def plan(self) -> Plan:
        undone = tuple(
            step
            for step, node in self.undoing.items()
            if step is not None and self.states[step] is S.COMPLETED and self.states[node.id] is S.COMPLETED
        )
        if undone:
            return Plan(undone=undone)
        start: list[str] = []
        skip: list[tuple[str, SkipReason]] = []
        for node in self.normal:
            if self.states[node.id] is S.PENDING:
                move = self._move(node)
                if move == "start":
                    start.append(node.id)
                elif move is not None:
                    skip.append((node.id, move))
        stop = self._stop()
        if not (start or skip or stop):
            start, skip = self._undo()
        if start or skip or stop:
            return Plan(tuple(start), tuple(skip), tuple(stop))
        return Plan(outcome=self._outcome())

    def _move(self, node: Node) -> Literal["start"] | SkipReason | None:
        if node.always_run:
            return self._move_always(node)
        if self.stopping:
            return "failure" if self.failed else "cancelled"
        if not all(self._has_come(node, need) for need in node.needs):
            return None
        if node.branches and not any(self._chose(branch, node.id) for branch in node.branches):
            return "branch"
        if any(self.states[need] is S.CANCELLED or need in self.bad for need in node.needs):
            return "failure"
        if node.needs and all(self.states[need] is S.SKIPPED for need in node.needs):
            return "needs_skipped"
        return "start"

    def _move_always(self, node: Node) -> Literal["start"] | None:
        if not all(self.states[need] in STEP_FINAL for need in node.needs):
            return None
        unsettled = self.stopping and (self._others_active() or self._to_undo() or self._undoing_now())
        return None if unsettled else "start"

    def _has_come(self, node: Node, need: str) -> bool:
        state = self.states[need]
        return state in STEP_FINAL or (node.streams and state is S.RUNNING)

    def _chose(self, branch: str, step: str) -> bool:
        return step in self.standing.chosen.get(branch, ())

    def _stop(self) -> list[str]:
        if not self.stopping:
            return []
        return [n.id for n in self.normal if not n.always_run and self.states[n.id] in STEP_ACTIVE]

    # --- undoing ---------------------------------------------------------------------------------

    def _others_active(self) -> bool:
        return any(not node.always_run and self.states[node.id] not in STEP_FINAL for node in self.normal)

    def _undoing_now(self) -> bool:
        return any(self.states[node.id] in STEP_ACTIVE for node in self.undoing.values())

    def _to_undo(self) -> list[str]:
        """Completed steps that are still to be undone, the last completed first."""
        return [
            step
            for step in reversed(self.standing.completed)
            if step in self.undoing
            and self.states[step] is S.COMPLETED
            and self.states[self.undoing[step].id] is S.PENDING
        ]

    def _undo(self) -> tuple[list[str], list[tuple[str, SkipReason]]]:
        if self._others_active() or self._undoing_now():
            return [], []
        going_back = self.cancelled or self.failed
        if going_back and (steps := self._to_undo()):
            return [self.undoing[steps[0]].id], []
        if any(self.states[node.id] not in STEP_FINAL for node in self.normal):
            return [], []
        pending = [node.id for node in self.undoing.values() if self.states[node.id] is S.PENDING]
        return [], [(step, "not_needed") for step in pending]

    def _outcome(self) -> RunState | None:
        if not all(self.states[node.id] in STEP_FINAL for node in self.nodes):
            return None
        if self.failed:
            return RunState.FAILED
        return RunState.CANCELLED if self.cancelled else RunState.COMPLETED


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
        return MapVerdict(S.FAILED, "An item failed, and the map's error strategy is fail_fast.")
    if tolerance.error_strategy == "continue_on_partial" and counts.total:
        best, needed = (counts.total - counts.failed) / counts.total, tolerance.min_success_rate
        if best < needed if needed is not None else not best:
            wanted = "one at least must" if needed is None else f"min_success_rate is {needed:.1%}"
            sentence = (
                f"{counts.failed} of {counts.total} items failed: {best:.1%} can still succeed, and {wanted}."
            )
            return MapVerdict(S.FAILED, sentence)
    return MapVerdict(None if counts.open else S.COMPLETED)
