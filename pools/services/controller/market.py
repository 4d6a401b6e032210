"""What the provider has for node groups: types in zones, at prices of some minutes ago, with the risks that
were seen and the shortages that were met.

Does not: choose among them (`domain.offers` does), or rent.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import timedelta
from decimal import Decimal
from itertools import product

from pools.domain.instance_types import risk_of, templates_of
from pools.domain.nodes import CapacityType
from pools.domain.offers import Offer
from pools.models import Machine, NodeGroup
from pools.providers.base import NodeProvider, ProviderAway, ProviderFault, Shape, Template
from pools.services import machines as rows
from pools.services.controller.registry import in_database, now

log = logging.getLogger(__name__)

SHORT_FOR = 600.0  # seconds after which a provider that had none is asked again
REFUSED_FOR = 300.0  # seconds, unless its template is changed before
PRICES_FOR = 300.0
RISK_WINDOW = timedelta(days=1)

Kind = tuple[int, str, str, str]  # a group, an instance type, a capacity type, a zone
Priced = tuple[str, str, str]  # a template as text, a capacity type, a zone
Seen = dict[tuple[str, str], tuple[float, int]]  # by type and zone: spot's machine-hours, interruptions


class Market:
    """`shortages` counts those that were met."""

    def __init__(self, provider: NodeProvider) -> None:
        self._provider = provider
        self._short: dict[Kind, float] = {}  # until when, on the monotonic clock
        self._refused: dict[tuple[int, str], tuple[Template, str, float]] = {}  # by a group and a type
        self._prices: dict[Priced, tuple[Decimal | None, float]] = {}
        self.shortages = 0

    async def offers(self, group: NodeGroup) -> tuple[list[Offer], list[str]]:
        """In the order of the group's types; and what is wrong with those that are left out, in sentences.

        Raises `ProviderAway`."""
        said = {kind["type"]: kind["interruption_risk"] for kind in group.instance_types}
        seen: Seen = await in_database(_interruptions)
        wanted, problems = [], []
        templates = templates_of(group.template, group.instance_types)
        for name, template in templates.items():
            why = self._refusal(group, name, template) if len(templates) > 1 else None
            shape = await self._shape_or_why(template) if why is None else why
            if isinstance(shape, str):
                problems.append(f"{name}: {shape}" if name else shape)
                continue
            wanted += [(name, template, shape, *one) for one in product(CapacityType, group.zones or [""])]
        prices = await asyncio.gather(*(self.price(one[1], one[3], one[4]) for one in wanted))
        return [
            Offer(
                kind,
                zone,
                price,
                risk_of(said.get(name), *seen.get((name, zone), (0.0, 0)))
                if kind is CapacityType.SPOT
                else 0.0,
                self._short.get((group.pk, name, kind.value, zone), 0.0) > time.monotonic(),
                name,
                shape.cpus,
                shape.memory,
            )
            for (name, _, shape, kind, zone), price in zip(wanted, prices, strict=True)
        ], problems

    async def _shape_or_why(self, template: Template) -> Shape | str:
        """Or why there is no such machine, in a sentence. Raises `ProviderAway`."""
        try:
            return await self.shape(template)
        except ProviderAway:
            raise
        except ProviderFault as exc:
            return str(exc)

    async def shape(self, template: Template) -> Shape:
        """Raises `ProviderFault`."""
        return await asyncio.to_thread(self._provider.shape, template)

    async def price(self, template: Template, kind: CapacityType, zone: str) -> Decimal | None:
        """As it was some minutes ago at most."""
        key = (json.dumps(template, sort_keys=True), kind.value, zone)
        price, until = self._prices.get(key, (None, 0.0))
        if time.monotonic() >= until:
            try:
                price = await asyncio.to_thread(self._provider.price, template, kind, zone)
            except ProviderFault as exc:  # it is as it was, and notices are heeded all the same
                log.warning("no new price of %s machines: %s", kind.value, exc)
            self._prices[key] = (price, time.monotonic() + PRICES_FOR)
        return price

    def note_refusal(self, machine: Machine, sentence: str) -> None:
        """Where there are other types they are taken meanwhile: what is wrong may be of this one alone."""
        if machine.group_id is not None:
            until = time.monotonic() + REFUSED_FOR
            self._refused[machine.group_id, machine.instance_type] = (machine.template, sentence, until)

    def _refusal(self, group: NodeGroup, name: str, template: Template) -> str | None:
        refused, sentence, until = self._refused.get((group.pk, name), ({}, "", 0.0))
        return sentence if time.monotonic() < until and refused == template else None

    def note_shortage(self, machine: Machine) -> None:
        self.shortages += 1
        if machine.group_id is not None:
            key = (machine.group_id, machine.instance_type, machine.capacity_type, machine.zone)
            self._short[key] = time.monotonic() + SHORT_FOR


def _interruptions() -> Seen:
    """Of spot in the last day, by instance type and zone ("" for all of them)."""
    moment = now()
    begin = moment - RISK_WINDOW
    seen: Seen = {}
    for machine in [*rows.ended_since(begin), *rows.live()]:
        if machine.capacity_type != CapacityType.SPOT or not machine.ref:
            continue
        lived = (machine.ended_at or moment) - max(begin, machine.requested_at)
        for zone in {"", machine.zone}:
            hours, count = seen.get((machine.instance_type, zone), (0.0, 0))
            taken = machine.leave_by is not None
            seen[machine.instance_type, zone] = (hours + lived.total_seconds() / 3600, count + taken)
    return seen
