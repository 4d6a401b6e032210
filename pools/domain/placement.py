"""Where a pool's agents may run: on nodes of a capacity type, in a zone; and whether there is such a node.

Does not: choose one of several. That is the engine's work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pools.domain.nodes import NodeFacts

LONGEST_ZONE = 63
ZONE = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_ZONE - 1}}}", re.ASCII)
ZONE_RULE = f"A zone has up to {LONGEST_ZONE} letters, digits, dots, hyphens and underscores; empty: any."
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Place:
    """`capacity_type` is on_demand or spot; empty parts mean any."""

    capacity_type: str = ""
    zone: str = ""

    @property
    def anywhere(self) -> bool:
        return not self.capacity_type and not self.zone

    def allows(self, facts: NodeFacts) -> bool:
        """Zones as engines compare them: whatever their case."""
        kind = self.capacity_type in ("", facts.capacity_type)
        return kind and (not self.zone or self.zone.casefold() == facts.zone.casefold())

    def __str__(self) -> str:
        kind = self.capacity_type.replace("_", "-")
        words = f"{kind} capacity" if kind else "capacity"
        return f"{words} in zone {self.zone}" if self.zone else words


ANYWHERE = Place()


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an attempt to make an agent tells about: all pools of that image at that place. `commands`: with
    the built-in agent laid on it, which takes them. `requirements`: with these packages in it."""

    image: str
    place: Place = ANYWHERE
    commands: bool = False
    requirements: tuple[str, ...] = ()


def refusal(place: Place, nodes: Sequence[tuple[str, NodeFacts]]) -> str | None:
    """Why none of the `nodes` (by name; those that take agents) will do, in a sentence. None: one does."""
    if place.anywhere or any(place.allows(facts) for _, facts in nodes):
        return None
    named = [f"{name} ({_in_words(facts)})" for name, facts in nodes[:MOST_NAMED]]
    more = f" and {len(nodes) - MOST_NAMED} more" if len(nodes) > MOST_NAMED else ""
    there = f"there is {', '.join(named)}{more}" if named else "no node takes any now"
    return (
        f"The pool asks for {place}, and no node that takes agents offers it: {there}. Change the pool's "
        "capacity_type or zone, or add such a node."
    )


def _in_words(facts: NodeFacts) -> str:
    kind = facts.capacity_type.value.replace("_", "-")
    return f"{kind}, zone {facts.zone}" if facts.zone else f"{kind}, no zone"
