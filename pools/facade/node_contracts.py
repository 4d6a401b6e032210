"""What crosses the border of `pools` about node groups and money of nodes: frozen dataclasses, never rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class MachineView:
    """A rented machine; prices per hour, `cost` so far."""

    id: UUID
    state: str  # requested | launched | joined | leaving
    ref: str
    node: str  # the node that it is; empty until it has joined
    instance_type: str
    capacity_type: str  # on_demand | spot
    zone: str
    price: Decimal | None
    on_demand_price: Decimal | None
    cost: Decimal
    requested_at: datetime
    leave_by: datetime | None


@dataclass(frozen=True, slots=True)
class GroupView:
    """A node group with its live machines; `explanation` is of its last decision, `offers` what the provider
    had then. Times in seconds."""

    name: str
    provider: str
    template: Mapping[str, Any]
    instance_types: tuple[Mapping[str, Any], ...]  # as in `domain.instance_types`
    zones: tuple[str, ...]
    min: int
    max: int
    on_demand_base: int | None
    prefer_spot: bool
    spot_fallback: bool
    max_price: Decimal | None
    idle_timeout: float
    join_timeout: float
    problem: str | None
    explanation: str | None
    offers: tuple[Mapping[str, Any], ...]  # as `services.node_groups.tell_offers` writes them
    machines: tuple[MachineView, ...]


@dataclass(frozen=True, slots=True)
class NodeCosts:
    """What nodes cost, per hour and (rented machines) since a moment. `idle`: for capacity that no agent has;
    `unpriced`: nodes whose price is not known, and which are in none of the sums."""

    currency: str
    price: Decimal
    on_demand_price: Decimal
    saved: Decimal
    idle: Decimal
    unpriced: int
    since: datetime | None
    cost_so_far: Decimal
    saved_so_far: Decimal
