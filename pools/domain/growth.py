"""Which machines a node group asks for, one after the other: for what fits on no node, and for its `min`.

Each machine is the best for what is left when it is its turn: of the kind that base and spot settings want,
the one on which an agent of those that wait costs the least. A large machine is not taken for few agents.
Does not: ask a provider, or say which machines leave (`node_groups` does).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from pools.domain.nodes import CapacityType, NodeFacts
from pools.domain.offers import Holds, Offer, alike, best_on_demand, best_spot
from pools.domain.placement import ANYWHERE, Place
from pools.domain.room import Demand, Room, pack, strictness

ON_DEMAND, SPOT = CapacityType.ON_DEMAND, CapacityType.SPOT


@dataclass(frozen=True, slots=True)
class GroupRules:
    """`on_demand_base`: None takes what is needed half of the time, at least `min`. `max_price` is of a spot
    machine-hour; `idle_timeout` in seconds."""

    min: int
    max: int
    on_demand_base: int | None
    prefer_spot: bool
    spot_fallback: bool
    max_price: Decimal | None
    idle_timeout: float


@dataclass(frozen=True, slots=True)
class Wish:
    """A machine that is wanted. `offer`: None while it is not to be had. `why`: not what was wanted, in a
    clause; `fallback`: on demand instead of spot."""

    offer: Offer | None
    why: str = ""
    fallback: bool = False


def machines_for(
    left: Sequence[Demand], rules: GroupRules, offers: Sequence[Offer], below_base: int, at_least: int
) -> tuple[list[Wish], int]:
    """And how many of them are for `left`, which is what fits on no node. `below_base`: machines on demand
    before any is spot; `at_least`: as many more as `min` asks for. Demand that no machine of the group could
    take asks for none."""
    wishes: list[Wish] = []
    todo = _together(one for one in left if any(one.place.allows(offer.facts) for offer in offers))
    turn: _Turn | None = None
    while todo and len(wishes) < rules.max:
        first = min(todo, key=strictness)
        if turn is None or not turn.holds_for(first, todo, below_base > 0):
            turn = _next_turn(rules, offers, first, todo, below_base)
        if turn is None:
            todo.remove(first)  # an agent that is larger than each of these machines
            continue
        wishes.append(turn.wish)
        below_base -= _is_on_demand(turn.wish)
        todo = list(pack(todo, [_room(turn.size, first)]).left)
    needed = len(wishes)
    while len(wishes) < at_least:
        wishes.append(choose(rules, offers, ANYWHERE, below_base))
        below_base -= _is_on_demand(wishes[-1])
    return wishes, needed


@dataclass(frozen=True, slots=True)
class _Turn:
    """What was chosen, and for what. `size`: of the machine, of one that is not to be had just now, too."""

    wish: Wish
    size: Offer
    place: Place
    below_base: bool
    held: int

    def holds_for(self, first: Demand, todo: Sequence[Demand], below_base: bool) -> bool:
        """Hundreds of the same are chosen once: while a machine is filled as before, no other is better."""
        same = (self.place, self.below_base) == (first.place, below_base)
        return same and _held(self.size, first, todo) == self.held


def _next_turn(
    rules: GroupRules, offers: Sequence[Offer], first: Demand, todo: Sequence[Demand], below_base: int
) -> _Turn | None:
    held = {offer: _held(offer, first, todo) for offer in offers}
    fitting = [offer for offer in offers if held[offer]]
    could = [offer for offer in fitting if first.place.allows(offer.facts)]
    if not could:
        return None
    wish = choose(rules, fitting, first.place, below_base, held.__getitem__)
    size = wish.offer or max(could, key=held.__getitem__)
    return _Turn(wish, size, first.place, below_base > 0, held[size])


def choose(
    rules: GroupRules, offers: Sequence[Offer], place: Place, below_base: int, holds: Holds = alike
) -> Wish:
    """Among offers that will do, of the capacity type that place, base and spot settings want."""
    why = ""
    if place.capacity_type == SPOT or (not place.capacity_type and rules.prefer_spot and below_base <= 0):
        spot, why = best_spot(offers, rules.max_price, holds)
        if spot is not None:
            return Wish(spot)
        if place.capacity_type == SPOT:
            return Wish(None, f"{why}, and the pools demand spot")
        if not rules.spot_fallback:
            return Wish(None, f"{why}, and spot_fallback is off")
    found = best_on_demand(offers, holds)
    if found is None:
        nothing = "the provider has no on-demand capacity"
        return Wish(None, f"{why}, and {nothing}" if why else nothing)
    return Wish(found, why, bool(why))


def spot_instead(left: Sequence[Demand], rules: GroupRules, offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """The spot machines to take for what one on demand carries (`left`); none where spot could not carry all
    of it, or is not worth it."""
    if not left:
        spot, _ = best_spot(offers, rules.max_price)
        return () if spot is None else (spot,)
    strict = replace(rules, prefer_spot=True, spot_fallback=False)
    wishes, _ = machines_for(left, strict, offers, below_base=0, at_least=0)
    found = tuple(wish.offer for wish in wishes if wish.offer is not None and not _is_on_demand(wish))
    rooms = [replace(_room(offer), name=str(number)) for number, offer in enumerate(found)]
    return found if len(found) == len(wishes) and not pack(left, rooms).left else ()


def _together(demands: Iterable[Demand]) -> list[Demand]:
    """Those that differ in their count alone as one."""
    counts: Counter[Demand] = Counter()
    for demand in demands:
        counts[replace(demand, count=0)] += demand.count
    return [replace(demand, count=count) for demand, count in counts.items()]


def _room(offer: Offer, demand: Demand | None = None) -> Room:
    """Of a machine that is rented so. Where a demand names a capacity type, a machine of the other one is
    measured by it: what it has to be cheaper than."""
    kind = CapacityType(demand.place.capacity_type) if demand and demand.place.capacity_type else None
    return Room("", NodeFacts(offer.price, kind or offer.capacity_type, offer.zone), offer.cpus, offer.memory)


def _held(offer: Offer, first: Demand, todo: Sequence[Demand]) -> int:
    """Agents of `todo` that such a machine takes; 0 where the first, whose turn it is, is not among them."""
    left = pack(todo, [_room(offer, first)]).left
    return 0 if first in left else sum(one.count for one in todo) - sum(one.count for one in left)


def _is_on_demand(wish: Wish) -> bool:
    return wish.offer is not None and wish.offer.capacity_type is ON_DEMAND
