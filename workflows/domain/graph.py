"""The graph of steps: who waits for whom. Pure functions over ``{step: (needs, …)}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def find_cycle(needs: Mapping[str, Sequence[str]]) -> list[str] | None:
    """One loop, in the order in which its steps wait (`a` needs the next, …, the last needs `a`)."""
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as exc:
        return list(dict.fromkeys(reversed(exc.args[1])))
    return None


def ancestors(needs: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """For each step, every step that has ended before it starts. The graph must have no loop."""
    before: dict[str, set[str]] = {}
    for step in TopologicalSorter(needs).static_order():
        found: set[str] = set()
        for need in needs.get(step, ()):
            found |= {need} | before[need]
        before[step] = found
    return before
