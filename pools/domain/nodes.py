"""Nodes: what an engine says of its machines, and how that is told to people.

Does not: choose a node for anything. That is the engine's work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

ENGINE_LABEL = "agentainer.engine"  # where the node's own engine answers: tcp://10.0.0.2:2375
PRICE_LABEL = "agentainer.price"  # per hour
ON_DEMAND_PRICE_LABEL = "agentainer.on_demand_price"  # per hour, of such a machine on demand
CAPACITY_LABEL = "agentainer.capacity"  # on_demand | spot
ZONE_LABEL = "agentainer.zone"
HIGHEST_PRICE = Decimal(10_000)


class NodeState(StrEnum):
    READY = "ready"
    CORDONED = "cordoned"  # what runs there goes on, nothing new begins
    DRAINING = "draining"  # cordoned, and its agents leave
    LOST = "lost"  # the engine does not hear of it


class Availability(StrEnum):
    """What an engine is told to do with a node."""

    ACTIVE = "active"
    PAUSE = "pause"
    DRAIN = "drain"  # the engine ends what runs there, at once


class NodeAction(StrEnum):
    CORDON = "cordon"
    UNCORDON = "uncordon"
    DRAIN = "drain"


class CapacityType(StrEnum):
    ON_DEMAND = "on_demand"
    SPOT = "spot"


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node's labels say; prices are per hour, None when they are not known. `on_demand_price`: of such
    a machine on demand, which for one that is on demand is its own."""

    price: Decimal | None
    capacity_type: CapacityType
    zone: str
    on_demand_price: Decimal | None = None
    faults: tuple[str, ...] = ()


def facts_of(labels: Mapping[str, str]) -> NodeFacts:
    """A label that makes no sense counts as missing, and is told."""
    faults: list[str] = []
    price = _price_of(labels, PRICE_LABEL, faults)
    on_demand_price = _price_of(labels, ON_DEMAND_PRICE_LABEL, faults)
    kind = labels.get(CAPACITY_LABEL, "").strip() or CapacityType.ON_DEMAND.value
    if kind not in list(CapacityType):
        faults.append(f"The label {CAPACITY_LABEL} is {kind!r}; it must be on_demand or spot.")
        kind = CapacityType.ON_DEMAND.value
    if on_demand_price is None and kind == CapacityType.ON_DEMAND:
        on_demand_price = price
    zone = labels.get(ZONE_LABEL, "").strip()[:64]
    return NodeFacts(price, CapacityType(kind), zone, on_demand_price, tuple(faults))


def _price_of(labels: Mapping[str, str], label: str, faults: list[str]) -> Decimal | None:
    text = labels.get(label, "").strip()
    price = _price(text) if text else None
    if text and price is None:
        faults.append(f"The label {label} is {text!r}; it must be a price per hour, such as 0.12.")
    return price


def _price(text: str) -> Decimal | None:
    try:
        price = Decimal(text)
    except InvalidOperation:
        return None
    return price if price.is_finite() and 0 <= price <= HIGHEST_PRICE else None


def idle_share(cpus: float, memory: int, used_cpus: float, used_memory: int) -> float:
    """What part of a node no agent has: of CPUs or memory (limits of its agents), whichever is left less of.
    From 0 to 1: engines may be told to give more than there is."""
    used = max(used_cpus / cpus if cpus else 1.0, used_memory / memory if memory else 1.0)
    return max(0.0, 1.0 - used)


def state_of(*, heard: bool, availability: Availability, drain_wanted: bool) -> NodeState:
    """A drain of ours begins as a pause, so that leases can end; the engine's own drain comes last."""
    if not heard:
        return NodeState.LOST
    if availability is Availability.DRAIN or (drain_wanted and availability is Availability.PAUSE):
        return NodeState.DRAINING
    return NodeState.CORDONED if availability is Availability.PAUSE else NodeState.READY


@dataclass(frozen=True, slots=True)
class DrainFigures:
    """A pool with agents on draining nodes. `doomed`: agents there that serve and are not on their way out;
    `ready`: those that serve elsewhere; `starting` elsewhere; `room`: how many more the pool may have."""

    target: int
    ready: int
    starting: int
    doomed: int
    room: int
    patience_over: bool


def may_leave(pool: DrainFigures) -> int:
    """How many of the doomed may leave now: their replacements are ready first, where the pool has room for
    both at once. Where it has not, one goes at a time; when patience is over, all go."""
    if pool.patience_over:
        return pool.doomed
    free = max(0, pool.ready + pool.doomed - pool.target)
    if free == 0 and pool.starting == 0 and pool.room == 0:
        free = 1
    return min(pool.doomed, free)
