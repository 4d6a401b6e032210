"""What a provider offers: capacity types in zones, at a price and a risk. Which of them to take.

Money is per machine-hour. Does not: ask a provider.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pools.domain.nodes import CapacityType

# What an interruption costs in machine-hours: work that begins anew, and the start of the next machine.
HOURS_LOST = Decimal("0.25")


@dataclass(frozen=True, slots=True)
class Offer:
    """`price`: None when nobody told. `risk`: interruptions per machine-hour, as they happened lately.
    `short`: the provider had none a while ago."""

    capacity_type: CapacityType
    zone: str
    price: Decimal | None
    risk: float = 0.0
    short: bool = False

    @property
    def true_price(self) -> Decimal | None:
        """With what the interruptions cost."""
        return None if self.price is None else self.price * (1 + Decimal(str(self.risk)) * HOURS_LOST)

    def __str__(self) -> str:
        kind = self.capacity_type.value.replace("_", " ")
        where = f" in {self.zone}" if self.zone else ""
        return f"{kind}{where}" + (
            f" at {self.price.normalize():f} per hour" if self.price is not None else ""
        )


def best_spot(offers: Sequence[Offer], max_price: Decimal | None) -> tuple[Offer | None, str]:
    """The cheapest by its true price that is worth it, or None and why in a clause."""
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
    demand = best_on_demand(offers)
    limit = demand.price if demand is not None else None
    worth = [
        offer for offer in within if limit is None or offer.true_price is None or offer.true_price < limit
    ]
    if not worth:
        return None, "spot with its interruptions costs no less than on demand"
    return min(worth, key=lambda offer: (offer.true_price is None, offer.true_price or 0, offer.zone)), ""


def best_on_demand(offers: Sequence[Offer]) -> Offer | None:
    """The cheapest that is to be had. None: there is none at all just now."""
    had = [offer for offer in offers if offer.capacity_type is CapacityType.ON_DEMAND and not offer.short]
    return min(had, key=lambda offer: (offer.price is None, offer.price or 0, offer.zone), default=None)
