"""How long a workflow will take, from how long its steps took: quantiles of steps, and the longest way
through.

The time of a whole run is that of its critical path, once with every step's median and once with every 95th
percentile. The latter says what happens when everything is slow at once, and so it errs on the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from workflows.domain.graph import nodes_of
from workflows.domain.steps import AnyStep

NO_HISTORY = "No run that completed had this step."


def quantile(values: Sequence[float], q: float) -> float | None:
    """The nearest-rank quantile; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(q * len(ordered)) - 1))]


@dataclass(frozen=True, slots=True)
class Sample:
    """A step in one run. `seconds` None: it was skipped. `items` None: it is no map; `agent_seconds` None:
    nobody knows."""

    seconds: float | None
    attempts: int = 0
    items: int | None = None
    agent_seconds: float | None = None


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """{"p50", "p95"}, or None of nothing."""
    median, high = quantile(values, 0.5), quantile(values, 0.95)
    return None if median is None or high is None else {"p50": round(median, 3), "p95": round(high, 3)}


def cost_of(agent_seconds: Mapping[str, float] | None, price: float | None) -> dict[str, float] | None:
    """What agents' time costs at a price for an hour; None where one of them is not known."""
    if agent_seconds is None or price is None:
        return None
    return {name: round(seconds * price / 3600, 6) for name, seconds in agent_seconds.items()}


def step_figures(step: AnyStep, samples: Sequence[Sample], price: float | None = None) -> dict[str, Any]:
    """Of the runs in which the step ran; `share` tells in how many of them it did. `price`: of an agent-hour
    in its pool."""
    ran = [sample for sample in samples if sample.seconds is not None]
    agent_seconds = spread([s.agent_seconds for s in ran if s.agent_seconds is not None])
    return {
        "id": step.id,
        "type": step.type,
        "samples": len(ran),
        "share": round(len(ran) / len(samples), 3) if samples else None,
        "duration_ms": spread([sample.seconds * 1000 for sample in ran if sample.seconds is not None]),
        "attempts": spread([sample.attempts for sample in ran]),
        "items": spread([sample.items for sample in ran if sample.items is not None]),
        "agent_seconds": agent_seconds,
        "cost": cost_of(agent_seconds, price),
        "reason": None
        if ran
        else NO_HISTORY
        if not samples
        else "It was skipped in every run that completed.",
    }


@dataclass(frozen=True, slots=True)
class Path:
    seconds: float
    steps: tuple[str, ...]


def critical_path(steps: tuple[AnyStep, ...], samples: Mapping[str, Sequence[Sample]], q: float) -> Path:
    """The longest way through the steps with this quantile of each; a step that was skipped took no time, and
    one without history takes none here. Steps that only undo others are not on the way."""
    nodes = {node.id: node for node in nodes_of(steps) if node.undoes is None}
    needs = {key: [need for need in node.needs if need in nodes] for key, node in nodes.items()}
    begin: dict[str, float] = {}
    end: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for key in TopologicalSorter(needs).static_order():
        # A streaming reduce starts with its map, not after it.
        reached = begin if nodes[key].streams else end
        before[key] = max(needs[key], key=reached.__getitem__, default=None)
        begin[key] = max((reached[need] for need in needs[key]), default=0.0)
        end[key] = begin[key] + (quantile([s.seconds or 0.0 for s in samples.get(key, ())], q) or 0.0)
    last: str | None = max(end, key=end.__getitem__, default=None)
    seconds, way = end[last] if last is not None else 0.0, []
    while last is not None:
        way.append(last)
        last = before[last]
    return Path(seconds, tuple(reversed(way)))
