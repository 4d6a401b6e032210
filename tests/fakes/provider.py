"""A provider in memory: the twin of the real ones, for tests of node groups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from aflow_site.kernel.errors import Fault, InvalidInput
from pools.domain.instance_types import OF_A_TYPE
from pools.domain.nodes import CapacityType
from pools.providers.base import NoCapacity, Order, ProviderFault, RentedMachine, Shape, Template


class FakeProvider:
    """Machines cost and hold `size` (of the template) times the usual.

    `short` names the kinds of which there are none, altogether or of an instance type; `unknown` types that
    there are not; `prices` what an hour costs of each kind; `fault` plays a provider that refuses, `refuses`
    one that does so with a type. `started` is told of each machine that is launched.
    """

    name = "fake"

    def __init__(self, started: Callable[[RentedMachine], object] = lambda _machine: None) -> None:
        self.rented: dict[UUID, RentedMachine] = {}
        self.orders: list[Order] = []
        self.short: set[CapacityType | tuple[str, CapacityType]] = set()
        self.unknown: set[str] = set()
        self.refuses: set[str] = set()
        self.prices = {CapacityType.ON_DEMAND: Decimal("0.10"), CapacityType.SPOT: Decimal("0.03")}
        self.fault: ProviderFault | None = None
        self.taken: dict[str, datetime] = {}
        self._started = started

    def check(self, template: Template) -> dict[str, Any]:
        if unknown := sorted(set(template) - {"size", *OF_A_TYPE}):
            faults = [Fault(f"template.{name}", "It is not known.") for name in unknown]
            raise InvalidInput("The template is not valid.", faults=faults)
        return {"size": 1, **template}

    def shape(self, template: Template) -> Shape:
        if (kind := template.get("instance_type")) in self.unknown:
            raise ProviderFault(f"There is no type {kind}.")
        size = template.get("size", 1)
        return Shape(2.0 * size, int(size * 8 * 2**30))

    def launch(self, order: Order) -> RentedMachine:
        if self.fault is not None:
            raise self.fault
        if order.machine_id in self.rented:
            return self.rented[order.machine_id]
        self.orders.append(order)
        if (name := order.template.get("instance_type")) in self.refuses:
            raise ProviderFault(f"The image is not for {name}.")
        kind = order.capacity_type
        if {kind, (order.template.get("instance_type", ""), kind)} & self.short:
            raise NoCapacity(f"There is no {kind.value} capacity.")
        ref = f"m-{len(self.orders)}"
        machine = RentedMachine(order.machine_id, ref, order.capacity_type, order.zone or "north")
        self.rented[order.machine_id] = machine
        self._started(machine)
        return machine

    def terminate(self, refs: Collection[str]) -> None:
        self.rented = {key: machine for key, machine in self.rented.items() if machine.ref not in refs}

    def machines(self) -> list[RentedMachine]:
        return list(self.rented.values())

    def price(self, template: Template, capacity_type: CapacityType, zone: str) -> Decimal | None:
        told = template.get("on_demand_price")
        if told is not None and capacity_type is CapacityType.ON_DEMAND:
            return Decimal(str(told))
        return self.prices[capacity_type] * Decimal(str(template.get("size", 1)))

    def interruptions(self, refs: Collection[str]) -> Mapping[str, datetime]:
        return {ref: at for ref, at in self.taken.items() if ref in refs}
