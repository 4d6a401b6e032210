"""The graph of steps: who waits for whom, who undoes whom. Pure functions over the document's steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from workflows.domain.steps import AnyStep, BranchStep, ReduceStep, TaskStep


@dataclass(frozen=True, slots=True)
class Node:
    """A step as the planner sees it.

    `needs` are what it waits for: those it names, and the branches that may choose it (`branches`).
    `streams`: it starts with the map that it needs instead of after it. `tolerated`: its failure does not
    fail the run. `undoes`: the step that this one compensates; such a step is outside the normal order.
    """

    id: str
    needs: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    always_run: bool = False
    streams: bool = False
    tolerated: bool = False
    undoes: str | None = None


def needs_of(steps: Sequence[AnyStep]) -> dict[str, tuple[str, ...]]:
    """What each step waits for: the steps it names, and the branches that name it."""
    choosers = branches_of(steps)
    return {step.id: tuple(dict.fromkeys([*step.needs, *choosers.get(step.id, ())])) for step in steps}


def branches_of(steps: Sequence[AnyStep]) -> dict[str, tuple[str, ...]]:
    """The branches that may choose each step, for those that a branch names."""
    choosers: dict[str, tuple[str, ...]] = {}
    for step in steps:
        if isinstance(step, BranchStep):
            for target in step.targets:
                choosers[target] = (*choosers.get(target, ()), step.id)
    return choosers


def nodes_of(steps: Sequence[AnyStep]) -> tuple[Node, ...]:
    """The planner's view of steps, in their order."""
    needs, choosers = needs_of(steps), branches_of(steps)
    undone_by = {step.compensate: step.id for step in steps if step.compensate is not None}
    return tuple(
        Node(
            id=step.id,
            needs=needs[step.id],
            branches=choosers.get(step.id, ()),
            always_run=step.always_run,
            streams=isinstance(step, ReduceStep) and step.streaming,
            tolerated=isinstance(step, TaskStep | ReduceStep) and step.error_strategy == "continue",
            undoes=undone_by.get(step.id),
        )
        for step in steps
    )


def find_cycle(needs: Mapping[str, Sequence[str]]) -> list[str] | None:
    """One loop, in the order in which its steps wait (`a` needs the next, …, the last needs `a`)."""
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as exc:
        return list(dict.fromkeys(reversed(exc.args[1])))
    return None


def descendants(needs: Mapping[str, Sequence[str]], roots: set[str]) -> set[str]:
    """Every step that comes after one of `roots`, which are not among them unless one comes after another."""
    found: set[str] = set()
    for step in TopologicalSorter(needs).static_order():
        if any(need in roots or need in found for need in needs.get(step, ())):
            found.add(step)
    return found


class Ancestors:
    """Which steps have ended before a step starts. The graph must have no loop.

    One bit a step: 10,000 steps in a chain need 12 MB, where sets would need gigabytes.
    """

    def __init__(self, needs: Mapping[str, Sequence[str]]) -> None:
        self._bit: dict[str, int] = {}
        self._before: dict[str, int] = {}
        for place, step in enumerate(TopologicalSorter(needs).static_order()):
            self._bit[step] = 1 << place
            mask = 0
            for need in needs.get(step, ()):
                mask |= self._bit[need] | self._before[need]
            self._before[step] = mask

    def has(self, step: str, earlier: str) -> bool:
        """Whether `earlier` comes before `step`; False for steps that are not in the graph."""
        return bool(self._before.get(step, 0) & self._bit.get(earlier, 0))
