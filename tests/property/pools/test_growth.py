"""Whatever waits and whatever is offered: what a node group's machines must be."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pools.domain.growth import GroupRules, machines_for
from pools.domain.nodes import CapacityType
from pools.domain.offers import Offer
from pools.domain.placement import Place
from pools.domain.room import Demand, Room, pack

GIB = 2**30
ON_DEMAND, SPOT = CapacityType.ON_DEMAND, CapacityType.SPOT
PRICES = st.none() | st.integers(1, 100).map(lambda cents: Decimal(cents) / 100)
OFFERS = st.builds(
    Offer,
    st.sampled_from(CapacityType),
    st.sampled_from(["north", "south"]),
    PRICES,
    st.sampled_from([0.0, 0.5, 4.0]),
    st.booleans(),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from([1.0, 2.0, 4.0]),
    st.sampled_from([2 * GIB, 8 * GIB]),
)
PLACES = st.builds(Place, st.sampled_from(["", "spot", "on_demand"]), st.sampled_from(["", "north", "west"]))
DEMANDS = st.builds(
    Demand,
    PLACES,
    st.sampled_from([0.1, 0.5, 3.0]),
    st.sampled_from([GIB // 8, GIB, 4 * GIB]),
    st.integers(1, 30),
)
RULES = st.builds(
    GroupRules,
    min=st.just(0),
    max=st.integers(0, 40),
    on_demand_base=st.none(),
    prefer_spot=st.booleans(),
    spot_fallback=st.booleans(),
    max_price=PRICES,
    idle_timeout=st.just(300.0),
)


def rooms(offers: list[Offer]) -> list[Room]:
    return [Room(str(n), one.facts, one.cpus, one.memory) for n, one in enumerate(offers)]


@given(st.lists(DEMANDS, max_size=6), st.lists(OFFERS, max_size=12), RULES, st.integers(0, 3))
def test_what_could_run_runs_or_somebody_says_why_not(
    left: list[Demand], offers: list[Offer], rules: GroupRules, below_base: int
) -> None:
    wishes, needed = machines_for(left, rules, offers, below_base, at_least=0)
    assert needed == len(wishes) <= rules.max
    assert all(wish.offer is not None or wish.why for wish in wishes)
    taken = [wish.offer for wish in wishes if wish.offer is not None]
    for offer in taken:
        assert offer in offers
        assert not offer.short
        if offer.capacity_type is SPOT and rules.max_price is not None:
            assert offer.price is not None
            assert offer.price <= rules.max_price
    # None is rented for nothing.
    assert pack(left, rooms(taken)).used == {room.name for room in rooms(taken)}
    if len(taken) == len(wishes) < rules.max:
        for demand in pack(left, rooms(taken)).left:
            assert pack([demand], rooms(offers)).left == (demand,), "it fits on none of the machines"
    assert machines_for(left, rules, offers, below_base, at_least=0) == (wishes, needed)
    assert len(machines_for(left, rules, offers, below_base, at_least=needed + 2)[0]) == needed + 2
