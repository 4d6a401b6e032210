"""How many machines a node group has, and of which kind."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from pools.domain.growth import GroupRules
from pools.domain.machines import (
    TRANSITIONS,
    MachineEnd,
    MachineState,
    machine_of,
    machine_token,
    propose,
)
from pools.domain.node_groups import GroupFigures, GroupPlan, GroupReason, MachineFigures, plan
from pools.domain.nodes import CapacityType, NodeFacts
from pools.domain.offers import Offer, best_on_demand, best_spot
from pools.domain.placement import ANYWHERE, Place
from pools.domain.room import Demand, Room, demand_of, pack

GIB = 1024**3
ON_DEMAND, SPOT = CapacityType.ON_DEMAND, CapacityType.SPOT
RULES = GroupRules(
    min=0,
    max=10,
    on_demand_base=0,
    prefer_spot=True,
    spot_fallback=True,
    max_price=None,
    idle_timeout=300.0,
)


def offer(kind: CapacityType, zone: str, price: str | None, size: float = 1.0, **values: Any) -> Offer:
    """Of a machine that holds twenty agents of these tests times `size`."""
    told = None if price is None else Decimal(price)
    return Offer(kind, zone, told, cpus=2.0 * size, memory=int(size * 8 * GIB), **values)


OFFERS = (
    offer(ON_DEMAND, "north", "0.10"),
    offer(ON_DEMAND, "south", "0.10"),
    offer(SPOT, "north", "0.03"),
    offer(SPOT, "south", "0.04"),
)


def agents(count: int, place: Place = ANYWHERE) -> Demand:
    """Twenty of them fit on a machine."""
    return demand_of(place, 1.0, GIB // 2, count)


def machine(
    kind: CapacityType = SPOT, state: MachineState = MachineState.JOINED, **values: Any
) -> MachineFigures:
    price = Decimal("0.03") if kind is SPOT else Decimal("0.10")
    size = {"cpus": 2.0, "memory": 8 * GIB}
    return MachineFigures(values.pop("id", uuid4()), state, kind, "north", price, **{**size, **values})


def planned(
    *machines: MachineFigures,
    wants: tuple[Demand, ...] = (),
    offers: tuple[Offer, ...] = OFFERS,
    elsewhere: tuple[Room, ...] = (),
    usual: float | None = None,
    **rules: Any,
) -> GroupPlan:
    return plan(replace(RULES, **rules), GroupFigures(machines, wants, elsewhere, offers, usual))


def kinds(found: GroupPlan) -> list[str]:
    return [offer.capacity_type.value for offer in found.launch]


def without(kind: CapacityType) -> tuple[Offer, ...]:
    """As the provider is short of it."""
    return tuple(replace(offer, short=offer.capacity_type is kind) for offer in OFFERS)


# --- how many -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "machines"), [(0, 0), (1, 1), (20, 1), (21, 2), (60, 3), (1000, 10)])
def test_as_many_as_what_does_not_fit_needs_up_to_max(count: int, machines: int) -> None:
    found = planned(wants=(agents(count),) if count else ())
    assert len(found.launch) == machines
    assert found.reason is (GroupReason.DEMAND if count else GroupReason.STEADY)


def test_what_fits_on_other_nodes_or_on_machines_that_come_asks_for_nothing() -> None:
    there = Room("a", NodeFacts(None, ON_DEMAND, ""), 2.0, 8 * GIB)
    assert not planned(wants=(agents(20),), elsewhere=(there,)).launch
    assert not planned(machine(state=MachineState.REQUESTED), wants=(agents(20),)).launch
    assert len(planned(machine(state=MachineState.LEAVING), wants=(agents(20),)).launch) == 1


def test_min_is_there_without_demand_and_max_is_kept_with_what_leaves() -> None:
    assert len(planned(min=2).launch) == 2
    full = planned(machine(state=MachineState.LEAVING), machine(), wants=(agents(50),), max=2)
    assert (full.launch, full.reason) == ((), GroupReason.MAX)
    assert "max (2) is reached" in full.explanation


def test_an_agent_larger_than_a_machine_asks_for_none() -> None:
    found = planned(wants=(Demand(ANYWHERE, 64.0, GIB, 1), agents(1)))
    assert len(found.launch) == 1


# --- of which kind -----------------------------------------------------------------------------------------


def test_prefer_spot_alone_makes_it_spot() -> None:
    assert kinds(planned(wants=(agents(30),))) == ["spot", "spot"]
    assert kinds(planned(wants=(agents(30),), prefer_spot=False)) == ["on_demand", "on_demand"]


def test_the_base_is_on_demand_and_spot_above_it() -> None:
    assert kinds(planned(wants=(agents(60),), on_demand_base=2)) == ["on_demand", "on_demand", "spot"]
    assert kinds(planned(machine(ON_DEMAND), wants=(agents(60),), on_demand_base=1)) == ["spot", "spot"]


def test_without_a_base_of_its_own_it_is_what_is_usual_at_least_min() -> None:
    open_base: dict[str, Any] = {"wants": (agents(60),), "on_demand_base": None}
    assert kinds(planned(**open_base, usual=1.5)) == ["on_demand", "on_demand", "spot"]
    assert kinds(planned(**open_base, min=1)) == ["on_demand", "spot", "spot"]


def test_pools_that_demand_a_kind_or_a_zone_get_it() -> None:
    found = planned(wants=(agents(1, Place("on_demand")), agents(1, Place("", "south"))))
    assert {(offer.capacity_type, offer.zone) for offer in found.launch} == {
        (ON_DEMAND, "north"),
        (SPOT, "south"),
    }
    assert not planned(wants=(agents(1, Place("", "west")),)).launch
    strict = planned(wants=(agents(1, Place("spot")),), offers=without(SPOT))
    assert (strict.launch, strict.reason) == ((), GroupReason.NO_CAPACITY)
    assert "demand spot" in strict.explanation


def test_a_shortage_falls_back_to_on_demand_unless_that_is_off() -> None:
    found = planned(wants=(agents(1),), offers=without(SPOT))
    assert (kinds(found), found.reason) == (["on_demand"], GroupReason.FALLBACK)
    assert "Fall-back: the provider has no spot capacity" in found.explanation
    off = planned(wants=(agents(1),), offers=without(SPOT), spot_fallback=False)
    assert (off.launch, off.reason) == ((), GroupReason.NO_CAPACITY)
    assert "spot_fallback is off" in off.explanation


def test_max_price_keeps_spot_from_being_taken() -> None:
    assert kinds(planned(wants=(agents(1),), max_price=Decimal("0.03"))) == ["spot"]
    dear = planned(wants=(agents(1),), max_price=Decimal("0.02"))
    assert kinds(dear) == ["on_demand"]
    assert "spot costs 0.03 per hour, above max_price (0.02)" in dear.explanation


def test_the_zone_is_chosen_by_price_and_by_the_risk_of_interruption() -> None:
    assert planned(wants=(agents(1),)).launch[0].zone == "north"
    risky = (*OFFERS[:2], replace(OFFERS[2], risk=2.0), OFFERS[3])
    assert planned(wants=(agents(1),), offers=risky).launch[0].zone == "south"
    hopeless = (*OFFERS[:2], replace(OFFERS[2], risk=20.0), replace(OFFERS[3], risk=20.0))
    assert kinds(planned(wants=(agents(1),), offers=hopeless)) == ["on_demand"]


def test_a_price_that_nobody_knows_keeps_no_limit() -> None:
    unknown = Offer(SPOT, "", None)
    assert best_spot([unknown], None)[0] is unknown
    assert best_spot([unknown], Decimal(1)) == (None, "no spot price is known")
    assert best_on_demand([unknown]) is None


# --- of which instance type --------------------------------------------------------------------------------

# Per agent the large one costs less, if it is full.
LARGE = (
    offer(ON_DEMAND, "north", "0.15", 2.0, instance_type="large"),
    offer(SPOT, "north", "0.05", 2.0, instance_type="large"),
)
SMALL = (
    offer(ON_DEMAND, "north", "0.10", instance_type="small"),
    offer(SPOT, "north", "0.03", instance_type="small"),
)
BOTH = (*SMALL, *LARGE)


def types(found: GroupPlan) -> list[str]:
    return [offer.instance_type for offer in found.launch]


@pytest.mark.parametrize("prefer_spot", [True, False])
@pytest.mark.parametrize(
    ("count", "taken"),
    [
        (1, ["small"]),
        (20, ["small"]),
        (40, ["large"]),
        (45, ["large", "small"]),
        (160, ["large"] * 4),
    ],
)
def test_each_machine_is_the_one_on_which_an_agent_costs_the_least(
    count: int, taken: list[str], prefer_spot: bool
) -> None:
    found = planned(wants=(agents(count),), offers=BOTH, prefer_spot=prefer_spot)
    assert types(found) == taken
    assert set(kinds(found)) == {"spot" if prefer_spot else "on_demand"}
    assert found.needed == len(taken)


def test_a_price_alone_changes_the_type() -> None:
    dear = (*SMALL, LARGE[0], replace(LARGE[1], price=Decimal("0.07")))
    assert types(planned(wants=(agents(40),), offers=BOTH)) == ["large"]
    assert types(planned(wants=(agents(40),), offers=dear)) == ["small", "small"]
    dear = (*SMALL, replace(LARGE[0], price=Decimal("0.25")), LARGE[1])
    assert types(planned(wants=(agents(40),), offers=dear, prefer_spot=False)) == ["small", "small"]


def test_a_risk_of_interruption_alone_changes_the_type() -> None:
    risky = (*SMALL, LARGE[0], replace(LARGE[1], risk=1.0))
    assert types(planned(wants=(agents(40),), offers=risky)) == ["small", "small"]


def test_another_spot_type_is_tried_before_on_demand() -> None:
    shortage = (*SMALL, LARGE[0], replace(LARGE[1], short=True))
    found = planned(wants=(agents(40),), offers=shortage)
    assert (kinds(found), types(found)) == (["spot"] * 2, ["small"] * 2)
    assert found.reason is GroupReason.DEMAND
    none = (SMALL[0], replace(SMALL[1], short=True), *shortage[2:])
    found = planned(wants=(agents(40),), offers=none)
    assert (kinds(found), types(found), found.reason) == (["on_demand"], ["large"], GroupReason.FALLBACK)
    without_large = (none[0], none[1], replace(LARGE[0], short=True), none[3])
    found = planned(wants=(agents(40),), offers=without_large)
    assert (kinds(found), types(found)) == (["on_demand"] * 2, ["small"] * 2)


def test_spot_of_one_type_is_worth_it_against_the_cheapest_on_demand_of_all() -> None:
    dear = (replace(SMALL[0], price=Decimal("0.02")), *SMALL[1:], *LARGE)
    found = planned(wants=(agents(20),), offers=dear)
    assert (kinds(found), types(found)) == (["on_demand"], ["small"])
    assert "no less than on demand" in found.explanation


def test_max_price_is_of_a_machine_and_leaves_the_small_ones() -> None:
    assert types(planned(wants=(agents(40),), offers=BOTH, max_price=Decimal("0.04"))) == ["small"] * 2


def test_what_fits_on_the_large_type_alone_takes_that() -> None:
    big = Demand(ANYWHERE, 3.0, GIB, 1)
    assert types(planned(wants=(big,), offers=BOTH)) == ["large"]
    assert types(planned(wants=(big, agents(8)), offers=BOTH)) == ["large"]  # which has room for those, too
    assert planned(wants=(big,), offers=SMALL).launch == ()
    # There is none now: it is waited for, as another type would not help.
    shortage = (*SMALL, *(replace(one, short=True) for one in LARGE))
    found = planned(wants=(big,), offers=shortage)
    assert (found.launch, found.reason, found.needed) == ((), GroupReason.NO_CAPACITY, 1)


def test_without_prices_the_first_that_is_named_is_taken() -> None:
    unpriced = tuple(replace(one, price=None) for one in BOTH)
    assert types(planned(wants=(agents(40),), offers=unpriced)) == ["small", "small"]
    assert types(planned(wants=(agents(40),), offers=(*unpriced[2:], *unpriced[:2]))) == ["large"]


def test_min_takes_the_cheapest_machines_and_demand_names_its_size() -> None:
    assert types(planned(offers=BOTH, min=2)) == ["small", "small"]
    found = planned(wants=(agents(40),), offers=BOTH, min=2)
    assert (types(found), found.needed) == (["large", "small"], 1)
    assert "spot large in north at 0.05 per hour" in found.explanation


def test_pools_share_a_machine_when_that_is_what_makes_it_cheap() -> None:
    wants = (agents(20), demand_of(Place("spot"), 1.0, GIB // 2, 20))
    assert types(planned(wants=wants, offers=BOTH)) == ["large"]


def test_back_to_spot_takes_the_type_that_carries_what_is_there() -> None:
    few, many = machine(ON_DEMAND, agents=5), machine(ON_DEMAND, agents=40, cpus=4.0, memory=16 * GIB)
    assert types(planned(few, wants=(agents(5),), offers=BOTH)) == ["small"]
    assert types(planned(many, wants=(agents(40),), offers=BOTH)) == ["large"]


def test_back_to_spot_begins_only_where_it_can_come_to_its_end() -> None:
    large = machine(ON_DEMAND, agents=40, cpus=4.0, memory=16 * GIB)
    wants = (agents(40),)
    assert types(planned(large, wants=wants, offers=SMALL, max=3)) == ["small"]
    assert types(planned(large, machine(), wants=wants, offers=SMALL, max=3)) == ["small"]
    no_room = planned(large, wants=wants, offers=SMALL, max=2)
    assert (no_room.launch, no_room.leave, no_room.reason) == ((), (), GroupReason.STEADY)
    big = Demand(ANYWHERE, 3.0, GIB, 1)
    assert planned(large, wants=(big,), offers=SMALL).launch == ()


def test_back_to_spot_leaves_what_must_be_on_demand() -> None:
    bound = agents(5, Place("on_demand"))
    both = planned(machine(ON_DEMAND, agents=10), wants=(bound, agents(5)))
    assert (both.launch, both.leave, both.reason) == ((), (), GroupReason.STEADY)
    free, held = machine(ON_DEMAND, id=UUID(int=2), agents=6), machine(ON_DEMAND, id=UUID(int=1), agents=5)
    found = planned(held, free, wants=(agents(20, Place("on_demand")), agents(5)))
    assert kinds(found) == ["spot"]


def test_hundreds_of_machines_of_many_types_are_planned_at_once() -> None:
    many = tuple(
        offer(kind, zone, f"{0.1 + number / 100:.2f}", instance_type=f"type-{number}")
        for kind in CapacityType
        for number in range(20)
        for zone in ("north", "south", "west")
    )
    found = planned(wants=tuple(agents(200, Place("", zone)) for zone in ("north", "south")), offers=many)
    assert len(found.launch) == 10
    found = planned(wants=(agents(20_000),), offers=many, max=1000, prefer_spot=False)
    assert (len(found.launch), set(types(found))) == (1000, {"type-0"})


# --- leaving -----------------------------------------------------------------------------------------------


def test_what_was_empty_for_long_enough_leaves_and_the_money_is_told() -> None:
    idle, fresh = machine(empty_for=300.0), machine(empty_for=299.0)
    found = planned(idle, fresh)
    assert found.leave == ((idle.id, MachineEnd.IDLE),)
    assert "saves 0.03 per hour" in found.explanation


def test_neither_min_nor_what_carries_agents_nor_what_is_needed_leaves() -> None:
    idle = machine(empty_for=900.0)
    assert not planned(idle, min=1).leave
    assert not planned(machine(agents=1)).leave
    assert not planned(idle, machine(), wants=(agents(21),)).leave
    assert planned(idle, machine(), wants=(agents(20),)).leave


def test_on_demand_above_the_base_leaves_before_spot() -> None:
    dear, cheap = machine(ON_DEMAND, empty_for=900.0), machine(empty_for=900.0)
    assert planned(dear, cheap, min=1).leave == ((dear.id, MachineEnd.IDLE),)
    assert planned(dear, cheap, min=1, on_demand_base=1).leave == ((cheap.id, MachineEnd.IDLE),)


def test_back_to_spot_takes_a_machine_first_and_then_lets_one_go() -> None:
    busy = machine(ON_DEMAND, agents=5)
    wants = (agents(5),)
    first = planned(busy, wants=wants)
    assert (kinds(first), first.leave, first.reason) == (["spot"], (), GroupReason.BACK_TO_SPOT)
    coming = machine(state=MachineState.LAUNCHED)
    assert planned(busy, coming, wants=wants).reason is GroupReason.STEADY
    then = planned(busy, machine(), wants=wants)
    assert (then.launch, then.leave) == ((), ((busy.id, MachineEnd.BACK_TO_SPOT),))
    for stays in (
        planned(busy, wants=wants, offers=without(SPOT)),
        planned(busy, wants=wants, on_demand_base=1),
        planned(busy, wants=wants, prefer_spot=False),
        planned(busy, wants=wants, max=1),
    ):
        assert (stays.launch, stays.leave) == ((), ())


# --- the parts ---------------------------------------------------------------------------------------------


def test_agents_with_a_place_are_fitted_first() -> None:
    rooms = [
        Room("spot", NodeFacts(None, SPOT, "north"), 1.0, GIB),
        Room("other", NodeFacts(None, ON_DEMAND, ""), 1.0, GIB),
    ]
    # Eight of 128 MiB fit into a GiB.
    packed = pack([agents(8), agents(8, Place("spot"))], rooms)
    assert (packed.left, packed.used) == ((), frozenset({"spot", "other"}))
    assert pack([agents(9, Place("spot"))], rooms).left == (agents(1, Place("spot")),)


def test_a_machines_token_is_its_own() -> None:
    one, other = uuid4(), uuid4()
    token = machine_token("secret", one)
    assert machine_of(token, "secret") == one
    for wrong in ("", "x", "é.é", token[:-1], token.replace(str(one), str(other)), str(one)):
        assert machine_of(wrong, "secret") is None
    assert machine_of(token, "another") is None


@pytest.mark.parametrize("current", list(MachineState))
@pytest.mark.parametrize("wanted", list(MachineState))
def test_every_pair_of_states(current: MachineState, wanted: MachineState) -> None:
    accepted = propose(current, wanted).accepted
    assert accepted == (wanted is current or wanted in TRANSITIONS[current])
    if current is MachineState.GONE:
        assert accepted == (wanted is MachineState.GONE)


def test_a_plan_is_the_same_for_the_same_figures() -> None:
    one = UUID(int=1)
    seen = GroupFigures((machine(ON_DEMAND, id=one, agents=2),), (agents(2),), (), OFFERS)
    assert plan(RULES, seen) == plan(RULES, seen)
