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
    """What a node's labels say; `price` is per hour, None when it is not known."""

    price: Decimal | None
    capacity_type: CapacityType
    zone: str
    faults: tuple[str, ...] = ()


def facts_of(labels: Mapping[str, str]) -> NodeFacts:
    """A label that makes no sense counts as missing, and is told."""
    faults = []
    price: Decimal | None = None
    if text := labels.get(PRICE_LABEL, "").strip():
        price = _price(text)
        if price is None:
            faults.append(f"The label {PRICE_LABEL} is {text!r}; it must be a price per hour, such as 0.12.")
    kind = labels.get(CAPACITY_LABEL, "").strip() or CapacityType.ON_DEMAND.value
    if kind not in list(CapacityType):
        faults.append(f"The label {CAPACITY_LABEL} is {kind!r}; it must be on_demand or spot.")
        kind = CapacityType.ON_DEMAND.value
    return NodeFacts(price, CapacityType(kind), labels.get(ZONE_LABEL, "").strip()[:64], tuple(faults))


def _price(text: str) -> Decimal | None:
    try:
        price = Decimal(text)
    except InvalidOperation:
        return None
    return price if price.is_finite() and 0 <= price <= HIGHEST_PRICE else None


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
