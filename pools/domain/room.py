"""Which agents fit on which machines, by what is set aside for them: first fit, those with a place first.

Engines place by the same figures, in an order of their own, so this tells how many machines are needed, and
not where an agent goes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pools.domain.nodes import NodeFacts
from pools.domain.placement import Place

# Of an idle agent: what it may use is limited, what it surely needs is set aside.
RESERVED_CPUS = 0.1
RESERVED_MEMORY = 128 * 1024**2


@dataclass(frozen=True, slots=True)
class Demand:
    """`count` agents, each with so many CPUs and bytes set aside."""

    place: Place
    cpus: float
    memory: int
    count: int


@dataclass(frozen=True, slots=True)
class Room:
    """A machine, by whatever name; what it has for agents."""

    name: str
    facts: NodeFacts
    cpus: float
    memory: int


@dataclass(frozen=True, slots=True)
class Packing:
    """`left`: what fits nowhere. `used`: the rooms that something went to."""

    left: tuple[Demand, ...]
    used: frozenset[str]


def demand_of(place: Place, cpus: float, memory: int, count: int) -> Demand:
    """`cpus`, `memory`: an agent's limits."""
    return Demand(place, min(RESERVED_CPUS, cpus), min(RESERVED_MEMORY, memory), count)


def usual_agents(cpus: float, memory: int) -> int:
    """Agents of the usual size that such a machine takes."""
    return min(math.floor(cpus / RESERVED_CPUS + 1e-9), memory // RESERVED_MEMORY)


def strictness(demand: Demand) -> tuple[bool, bool]:
    """By which demands are served: those with a zone first, then those with a place at all."""
    return demand.place.anywhere, not demand.place.zone


def pack(demands: Sequence[Demand], rooms: Sequence[Room]) -> Packing:
    """Rooms are filled in their order."""
    free = {room.name: (room.cpus, float(room.memory)) for room in rooms}
    left, used = [], set()
    for demand in sorted(demands, key=strictness):
        count = demand.count
        for room in rooms:
            if count == 0:
                break
            if not demand.place.allows(room.facts):
                continue
            cpus, memory = free[room.name]
            # 2.0 / 0.1 is 20 to us.
            fit = min(count, math.floor(cpus / demand.cpus + 1e-9), math.floor(memory / demand.memory))
            if fit > 0:
                free[room.name] = (cpus - fit * demand.cpus, memory - fit * demand.memory)
                used.add(room.name)
                count -= fit
        if count:
            left.append(replace(demand, count=count))
    return Packing(tuple(left), frozenset(used))
