"""What a graph of steps does next, by the platform's rules (docs/adr/0013), over the document's steps.

Does not: know what steps do, or drive anything. A property test holds it to the platform's planner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

ENDED = frozenset({"completed", "failed", "skipped", "cancelled", "compensated"})
ACTIVE = frozenset({"queued", "running", "waiting"})
_SETTLED = ENDED - {"cancelled", "compensated"}
Outcome = Literal["completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Node:
    """A step. `needs`: what it waits for, the branches that may choose it (`branches`) among them. `streams`:
    it starts with the map it needs. `tolerated`: its failure fails nothing. `undoes`: whom it compensates."""

    id: str
    needs: tuple[str, ...]
    branches: tuple[str, ...] = ()
    always_run: bool = False
    streams: bool = False
    tolerated: bool = False
    undoes: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """`states`: id -> state. `chosen`: what each ended branch chose. `completed`: in the order of their ends.
    `go_on`: a failed step stops only what needs it."""

    states: Mapping[str, str]
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    completed: Sequence[str] = ()
    cancelled: bool = False
    go_on: bool = False


@dataclass(frozen=True, slots=True)
class Moves:
    """`skip`: ids with the reason. `outcome` is there when every step has ended."""

    start: tuple[str, ...] = ()
    skip: tuple[tuple[str, str], ...] = ()
    stop: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    outcome: Outcome | None = None


def nodes_of(steps: Iterable[Mapping[str, Any]]) -> tuple[Node, ...]:
    steps = list(steps)
    choosers: dict[str, list[str]] = {}
    for step in steps:
        if step["type"] == "branch":
            for target in dict.fromkeys(targets_of(step)):
                choosers.setdefault(target, []).append(step["id"])
    undone_by = {step["compensate"]: step["id"] for step in steps if step.get("compensate")}
    return tuple(
        Node(
            id=step["id"],
            needs=tuple(dict.fromkeys([*step.get("needs", ()), *choosers.get(step["id"], ())])),
            branches=tuple(choosers.get(step["id"], ())),
            always_run=bool(step.get("always_run")),
            streams=step["type"] == "reduce" and bool(step.get("streaming")),
            tolerated=step["type"] in ("task", "reduce") and step.get("error_strategy") == "continue",
            undoes=undone_by.get(step["id"]),
        )
        for step in steps
    )


def targets_of(branch: Mapping[str, Any]) -> list[str]:
    return [*(one for case in branch["cases"] for one in case["then"]), *branch.get("else", ())]


def last_of(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """The steps that no other one waits for; those that only undo do not count."""
    nodes = nodes_of(steps)
    needed = {need for node in nodes for need in node.needs}
    return [node.id for node in nodes if node.id not in needed and node.undoes is None]


def moves(nodes: Sequence[Node], standing: Standing) -> Moves:
    """What happens next, in the graph's order."""
    return _Look(nodes, standing).moves()


class _Look:
    def __init__(self, nodes: Sequence[Node], standing: Standing) -> None:
        states = standing.states
        self.standing, self.states = standing, states
        self.nodes = [node for node in nodes if node.undoes is None]
        self.undoing = {node.undoes: node for node in nodes if node.undoes is not None}
        self.bad = {node.id for node in nodes if states[node.id] == "failed" and not node.tolerated}
        self.failed = any(node.id in self.bad for node in self.nodes)
        # A cancellation after everything has ended changes nothing.
        self.cancelled = standing.cancelled and any(states[n.id] not in _SETTLED for n in self.nodes)
        self.stopping = self.cancelled or (self.failed and not standing.go_on)

    def moves(self) -> Moves:
        states = self.states
        undone = tuple(
            step for step, by in self.undoing.items() if states[step] == states[by.id] == "completed"
        )
        if undone:
            return Moves(undone=undone)
        start, skip = [], []
        for node in self.nodes:
            move = self._move(node) if states[node.id] == "pending" else None
            if move == "start":
                start.append(node.id)
            elif move is not None:
                skip.append((node.id, move))
        stop = [n.id for n in self.nodes if self.stopping and not n.always_run and states[n.id] in ACTIVE]
        if start or skip or stop:
            return Moves(tuple(start), tuple(skip), tuple(stop))
        return self._undo() or Moves(outcome=self._outcome())

    def _move(self, node: Node) -> str | None:
        states = self.states
        if node.always_run:
            come = all(states[need] in ENDED for need in node.needs)
            return "start" if come and not (self.stopping and self._unsettled()) else None
        if self.stopping:
            return "failure" if self.failed else "cancelled"
        for need in node.needs:
            if states[need] not in ENDED and not (node.streams and states[need] == "running"):
                return None
        if node.branches and not any(node.id in self.standing.chosen.get(b, ()) for b in node.branches):
            return "branch"
        if any(states[need] == "cancelled" or need in self.bad for need in node.needs):
            return "failure"
        if node.needs and all(states[need] == "skipped" for need in node.needs):
            return "needs_skipped"
        return "start"

    def _unsettled(self) -> bool:
        return self._others_active() or bool(self._to_undo()) or self._undoing_now()

    def _others_active(self) -> bool:
        return any(not node.always_run and self.states[node.id] not in ENDED for node in self.nodes)

    def _undoing_now(self) -> bool:
        return any(self.states[node.id] in ACTIVE for node in self.undoing.values())

    def _to_undo(self) -> list[Node]:
        """What undoes completed steps and has not run, the last completed first."""
        return [
            by
            for one in reversed(self.standing.completed)
            if (by := self.undoing.get(one)) is not None
            and self.states[one] == "completed"
            and self.states[by.id] == "pending"
        ]

    def _undo(self) -> Moves | None:
        if self._others_active() or self._undoing_now():
            return None
        if (self.cancelled or self.failed) and (steps := self._to_undo()):
            return Moves(start=(steps[0].id,))
        if any(self.states[node.id] not in ENDED for node in self.nodes):
            return None
        pending = [node.id for node in self.undoing.values() if self.states[node.id] == "pending"]
        return Moves(skip=tuple((one, "not_needed") for one in pending)) if pending else None

    def _outcome(self) -> Outcome | None:
        ids = [*(node.id for node in self.nodes), *(node.id for node in self.undoing.values())]
        if any(self.states[one] not in ENDED for one in ids):
            return None
        return "failed" if self.failed else "cancelled" if self.cancelled else "completed"
