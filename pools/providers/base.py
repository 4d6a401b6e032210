"""The port to whatever rents machines out, with its promises; the contract suite holds every provider to
them.

Promises of every provider:
- `launch` is idempotent by machine id: called twice, one machine exists.
- `terminate` is idempotent; machines that are gone already are no fault.
- `machines` tells every machine of this installation that costs money, and no other's.
- Failures are `ProviderFault`s with a sentence for people; calls block, and are for threads.

Does not: decide how many machines there are (`pools.domain.node_groups` does), know nodes or agents.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from pools.domain.nodes import CapacityType

Template = Mapping[str, Any]  # what machines of a group are made of, in the provider's own terms


class ProviderFault(Exception):
    """The text is one sentence that says what is wrong and how to mend it."""


class ProviderAway(ProviderFault):
    """The provider does not answer, or does not know us; nothing is known about its machines."""


class NoCapacity(ProviderFault):
    """It has no such machine just now, or not at that price."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a machine has; `memory` in bytes."""

    cpus: float
    memory: int


@dataclass(frozen=True, slots=True)
class Order:
    """One machine. `zone` may be empty: any. `max_price` is per hour, of spot; `user_data` is what the
    machine is told when it first starts, with a secret in it."""

    machine_id: UUID
    group: str
    template: Template
    capacity_type: CapacityType
    zone: str
    max_price: Decimal | None
    user_data: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RentedMachine:
    """`ref` is the provider's own id, `zone` where it really is."""

    machine_id: UUID
    ref: str
    capacity_type: CapacityType
    zone: str


class NodeProvider(Protocol):
    name: str

    def check(self, template: Template) -> dict[str, Any]:
        """The template with what it leaves open. Raises `InvalidInput` with every fault."""

    def shape(self, template: Template) -> Shape: ...

    def launch(self, order: Order) -> RentedMachine:
        """Raises `NoCapacity`, `ProviderFault`."""

    def terminate(self, refs: Collection[str]) -> None: ...

    def machines(self) -> list[RentedMachine]: ...

    def price(self, template: Template, capacity_type: CapacityType, zone: str) -> Decimal | None:
        """Per hour, at this moment; None when it is not known."""

    def interruptions(self, refs: Collection[str]) -> Mapping[str, datetime]:
        """Those of these machines that are about to be taken away, and when they go."""
