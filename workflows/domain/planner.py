"""What a graph of steps does next, from the graph and from how its steps stand. No clock, no input or output.

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
from typing import Any, Literal

from workflows.domain.graph import Node
from workflows.domain.states import STEP_ACTIVE, STEP_FINAL, RunState, StepState

S = StepState
SkipReason = Literal["branch", "needs_skipped", "failure", "cancelled", "not_needed"]
# Final states in which a step has not had its end by itself.
_ENDED_EARLY = (S.CANCELLED, S.COMPENSATED)


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
    planner = Planner(nodes, go_on=standing.go_on)
    order = {step: place for place, step in enumerate(standing.completed)}
    for step, state in standing.states.items():
        planner.note(step, state, chosen=standing.chosen.get(step, ()), order=order.get(step))
    planner.cancelled = standing.cancelled
    return planner.moves()


class Planner:
    """A graph as it stands: told of each change by `note`, it answers `moves` from what has changed.

    The answer is that of `plan` for the same states, in whatever order they were noted. A change costs the
    steps that wait for it, and an answer the steps that are in it: a step of a chain of 10,000 costs what one
    of ten does. Steps go by their places in the graph here, so that sets of them sort as the graph does.
    """

    def __init__(self, nodes: Sequence[Node], *, go_on: bool = False) -> None:
        self.cancelled = False  # may be set at any time
        self._go_on = go_on
        self._nodes = nodes
        self._place = {node.id: place for place, node in enumerate(nodes)}
        self._states = [S.PENDING] * len(nodes)
        self._chosen: dict[str, frozenset[str]] = {}
        self._order: dict[int, Any] = {}
        self._undone_by = {
            self._place[node.undoes]: place for place, node in enumerate(nodes) if node.undoes is not None
        }
        self._undoes = {undo: step for step, undo in self._undone_by.items()}
        normal = [place for place in range(len(nodes)) if place not in self._undoes]
        # Who waits for a step to end, and who for it to begin.
        self._after: list[list[int]] = [[] for _ in nodes]
        self._beside: list[list[int]] = [[] for _ in nodes]
        self._unmet = [0] * len(nodes)
        for place in normal:
            node = nodes[place]
            waiting = self._beside if node.streams and not node.always_run else self._after
            for need in node.needs:
                waiting[self._place[need]].append(place)
                self._unmet[place] += 1
        # Of the steps that do not undo: where they stand.
        self._ready = {
            place for place in normal if not self._unmet[place]
        }  # pending, and nothing to wait for
        self._pending = {place for place in normal if not nodes[place].always_run}
        self._active: set[int] = set()  # without those that always run
        self._open = len(normal)
        self._open_always = len(normal) - len(self._pending)
        self._ended = 0  # by themselves
        self._bad = 0
        # And of those that do.
        self._undo_pending = set(self._undoes)
        self._undo_active = 0
        self._undo_open = len(self._undoes)
        self._undone: set[int] = set()  # undoing steps that completed, of steps still told as completed
        self._to_undo: set[int] = set()  # undoing steps that are to come if the graph goes back
        self._undo_order: list[int] | None = None  # the last to come first; None when it has to be sorted

    # --- what has changed ------------------------------------------------------------------------

    def note(self, step: str, state: StepState, *, chosen: Sequence[str] = (), order: Any = None) -> None:
        """The step is in `state` now. `chosen`: what an ended branch chose; `order` sorts completed steps by
        when they completed (None: it is not to be undone)."""
        place = self._place[step]
        old, self._states[place] = self._states[place], state
        self._chosen[step] = frozenset(chosen)
        self._order[place] = order
        if old is not state:
            self._tell(self._after[place], old in STEP_FINAL, state in STEP_FINAL)
            self._tell(self._beside[place], _has_begun(old), _has_begun(state))
            if place in self._undoes:
                self._count_undoing(place, old, state)
            else:
                self._count(place, old, state)
        undo = place if place in self._undoes else self._undone_by.get(place)
        if undo is not None:
            self._compare(self._undoes[undo], undo)

    def _tell(self, waiting: list[int], before: bool, now: bool) -> None:
        """Those who wait for the step have one need less (or one more again)."""
        if before == now:
            return
        for place in waiting:
            self._unmet[place] += 1 if before else -1
            _put(self._ready, place, not self._unmet[place] and self._states[place] is S.PENDING)

    def _count(self, place: int, old: StepState, state: StepState) -> None:
        node = self._nodes[place]
        opened = (state not in STEP_FINAL) - (old not in STEP_FINAL)
        self._open += opened
        self._ended += _has_ended(state) - _has_ended(old)
        if not node.tolerated:
            self._bad += (state is S.FAILED) - (old is S.FAILED)
        _put(self._ready, place, state is S.PENDING and not self._unmet[place])
        if node.always_run:
            self._open_always += opened
        else:
            _put(self._pending, place, state is S.PENDING)
            _put(self._active, place, state in STEP_ACTIVE)

    def _count_undoing(self, place: int, old: StepState, state: StepState) -> None:
        _put(self._undo_pending, place, state is S.PENDING)
        self._undo_active += (state in STEP_ACTIVE) - (old in STEP_ACTIVE)
        self._undo_open += (state not in STEP_FINAL) - (old not in STEP_FINAL)

    def _compare(self, place: int, undo: int) -> None:
        """How a step and the one that undoes it stand to each other."""
        completed = self._states[place] is S.COMPLETED
        _put(self._undone, undo, completed and self._states[undo] is S.COMPLETED)
        is_to_undo = completed and self._states[undo] is S.PENDING and self._order[place] is not None
        if is_to_undo:
            self._undo_order = None
        _put(self._to_undo, undo, is_to_undo)

    # --- what is next ----------------------------------------------------------------------------

    def moves(self) -> Plan:
        """The same until something is noted. Steps are named in the graph's order."""
        if self._undone:
            return Plan(undone=tuple(self._id(self._undoes[undo]) for undo in sorted(self._undone)))
        start: list[str] = []
        skip: list[tuple[str, SkipReason]] = []
        for place in sorted(self._ready | self._pending if self._is_stopping else self._ready):
            move = self._move(place)
            if move == "start":
                start.append(self._id(place))
            elif move is not None:
                skip.append((self._id(place), move))
        stop = [self._id(place) for place in sorted(self._active)] if self._is_stopping else []
        if not (start or skip or stop):
            start, skip = self._undo()
        if start or skip or stop:
            return Plan(tuple(start), tuple(skip), tuple(stop))
        return Plan(outcome=self._outcome())

    def _id(self, place: int) -> str:
        return self._nodes[place].id

    @property
    def _has_failed(self) -> bool:
        return self._bad > 0

    @property
    def _is_cancelled(self) -> bool:
        # A cancellation that came when everything had ended already changes nothing.
        return self.cancelled and self._ended < len(self._nodes) - len(self._undoes)

    @property
    def _is_stopping(self) -> bool:
        return self._is_cancelled or (self._has_failed and not self._go_on)

    def _move(self, place: int) -> Literal["start"] | SkipReason | None:
        node = self._nodes[place]
        if node.always_run:
            return None if self._is_stopping and self._is_unsettled else "start"
        if self._is_stopping:
            return "failure" if self._has_failed else "cancelled"
        if node.branches and not any(node.id in self._chosen.get(name, ()) for name in node.branches):
            return "branch"
        needs = [self._place[need] for need in node.needs]
        if any(self._states[need] is S.CANCELLED or self._is_bad(need) for need in needs):
            return "failure"
        if needs and all(self._states[need] is S.SKIPPED for need in needs):
            return "needs_skipped"
        return "start"

    def _is_bad(self, place: int) -> bool:
        return self._states[place] is S.FAILED and not self._nodes[place].tolerated

    # --- undoing ---------------------------------------------------------------------------------

    @property
    def _is_unsettled(self) -> bool:
        """Whether what cleans up has to wait for others to end, or to be undone."""
        return self._others_open or self._undo_active > 0 or bool(self._to_undo)

    @property
    def _others_open(self) -> bool:
        return self._open > self._open_always

    def _undo(self) -> tuple[list[str], list[tuple[str, SkipReason]]]:
        if self._others_open or self._undo_active or not self._undo_pending:
            return [], []
        if self._to_undo and (self._is_cancelled or self._has_failed):
            return [self._id(self._next_to_undo())], []
        if self._open:
            return [], []
        return [], [(self._id(undo), "not_needed") for undo in sorted(self._undo_pending)]

    def _next_to_undo(self) -> int:
        """The undoing of what completed last."""
        if self._undo_order is None:
            self._undo_order = sorted(self._to_undo, key=lambda undo: self._order[self._undoes[undo]])
        while self._undo_order[-1] not in self._to_undo:
            self._undo_order.pop()
        return self._undo_order[-1]

    def _outcome(self) -> RunState | None:
        if self._open or self._undo_open:
            return None
        if self._has_failed:
            return RunState.FAILED
        return RunState.CANCELLED if self._is_cancelled else RunState.COMPLETED


def _put(places: set[int], place: int, there: bool) -> None:
    if there:
        places.add(place)
    else:
        places.discard(place)


def _has_begun(state: StepState) -> bool:
    """For a step that takes another's results while they come."""
    return state is S.RUNNING or state in STEP_FINAL


def _has_ended(state: StepState) -> bool:
    return state in STEP_FINAL and state not in _ENDED_EARLY
