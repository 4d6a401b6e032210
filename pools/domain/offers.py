"""What a provider offers: instance types of two capacity types in zones, each of a size, at a price and a
risk. Which of them to take.

Money is per machine-hour. Machines of several sizes compare by what an agent costs on them, for which callers
say how many of the agents that wait each would hold (`Holds`).
Does not: ask a provider.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pools.domain.nodes import CapacityType, NodeFacts

# What an interruption costs in machine-hours: work that begins anew, and the start of the next machine.
HOURS_LOST = Decimal("0.25")


@dataclass(frozen=True, slots=True)
class Offer:
    """`price`: None when nobody told. `risk`: interruptions per machine-hour. `short`: the provider had none
    a while ago. `cpus` and `memory` (bytes) are the machine's; `instance_type` may be empty where a provider
    has but one."""

    capacity_type: CapacityType
    zone: str
    price: Decimal | None
    risk: float = 0.0
    short: bool = False
    instance_type: str = ""
    cpus: float = 0.0
    memory: int = 0

    @property
    def true_price(self) -> Decimal | None:
        """With what the interruptions cost."""
        return None if self.price is None else self.price * (1 + Decimal(str(self.risk)) * HOURS_LOST)

    @property
    def facts(self) -> NodeFacts:
        """Of a machine that is rented so."""
        return NodeFacts(self.price, self.capacity_type, self.zone)

    def __str__(self) -> str:
        kind = self.capacity_type.value.replace("_", " ")
        named = f" {self.instance_type}" if self.instance_type else ""
        where = f" in {self.zone}" if self.zone else ""
        price = f" at {self.price.normalize():f} per hour" if self.price is not None else ""
        return f"{kind}{named}{where}{price}"


Holds = Callable[[Offer], int]  # at least 1


def alike(_: Offer) -> int:
    """For offers of machines that are worth the same, whatever their size."""
    return 1


def best_spot(
    offers: Sequence[Offer], max_price: Decimal | None, holds: Holds = alike
) -> tuple[Offer | None, str]:
    """Of what is worth it the one whose true price per agent is the lowest, of equals the first; or None and
    why in a clause."""
    spot = [offer for offer in offers if offer.capacity_type is CapacityType.SPOT]
    had = [offer for offer in spot if not offer.short]
    if not had:
        return None, "the provider has no spot capacity"
    # A limit cannot be kept at a price that nobody knows.
    priced = [offer for offer in had if offer.price is not None or max_price is None]
    if not priced:
        return None, "no spot price is known"
    within = [
        offer for offer in priced if max_price is None or offer.price is None or offer.price <= max_price
    ]
    if not within:
        cheapest = min(offer.price for offer in priced if offer.price is not None)
        return None, f"spot costs {cheapest.normalize():f} per hour, above max_price ({max_price:f})"
    demand = best_on_demand(offers, holds)
    limit = _per_agent(demand, holds) if demand is not None else None
    worth = [
        offer
        for offer in within
        if limit is None or (price := _per_agent(offer, holds)) is None or price < limit
    ]
    if not worth:
        return None, "spot with its interruptions costs no less than on demand"
    return min(worth, key=lambda offer: _rank(offer, holds)), ""


def best_on_demand(offers: Sequence[Offer], holds: Holds = alike) -> Offer | None:
    """The cheapest per agent that is to be had, of equals the first. None: there is none at all just now."""
    had = [offer for offer in offers if offer.capacity_type is CapacityType.ON_DEMAND and not offer.short]
    return min(had, key=lambda offer: _rank(offer, holds), default=None)


def _per_agent(offer: Offer, holds: Holds) -> Decimal | None:
    return None if offer.true_price is None else offer.true_price / holds(offer)


def _rank(offer: Offer, holds: Holds) -> tuple[bool, Decimal]:
    price = _per_agent(offer, holds)
    return price is None, price or Decimal(0)
