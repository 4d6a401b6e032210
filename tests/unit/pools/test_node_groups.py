"""How many machines a node group has, and of which kind."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from pools.domain.machines import (
    TRANSITIONS,
    MachineEnd,
    MachineState,
    machine_of,
    machine_token,
    propose,
)
from pools.domain.node_groups import GroupFigures, GroupPlan, GroupReason, GroupRules, MachineFigures, plan
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
    cpus=2.0,
    memory=8 * GIB,
)
OFFERS = (
    Offer(ON_DEMAND, "north", Decimal("0.10")),
    Offer(ON_DEMAND, "south", Decimal("0.10")),
    Offer(SPOT, "north", Decimal("0.03")),
    Offer(SPOT, "south", Decimal("0.04")),
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
