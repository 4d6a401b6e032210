"""How many machines a node group shall have, and of which kind: a pure function of what is wanted and there.

On demand up to a base, spot above it; on demand instead where spot is not to be had, and back to spot when it
is. A machine is never taken from under a lease: it leaves, and goes when it is empty.
Does not: ask a provider, or place agents.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from pools.domain.machines import HERE, MachineEnd, MachineState
from pools.domain.nodes import CapacityType, NodeFacts
from pools.domain.offers import Offer, best_on_demand, best_spot
from pools.domain.placement import ANYWHERE, Place
from pools.domain.room import Demand, Room, pack

ON_DEMAND, SPOT = CapacityType.ON_DEMAND, CapacityType.SPOT


class GroupAction(StrEnum):
    LAUNCH = "launch"
    RELEASE = "release"
    HOLD = "hold"


class GroupReason(StrEnum):
    DEMAND = "demand"
    MIN = "min"
    FALLBACK = "fallback"  # on demand, where spot was wanted
    BACK_TO_SPOT = "back_to_spot"
    IDLE = "idle"
    MAX = "max"
    NO_CAPACITY = "no_capacity"
    STEADY = "steady"


@dataclass(frozen=True, slots=True)
class GroupRules:
    """`on_demand_base`: None takes what is needed half of the time, at least `min`. `max_price` is of a spot
    machine-hour; `idle_timeout` in seconds. `cpus` and `memory` (bytes) are of each machine that is rented
    from now on."""

    min: int
    max: int
    on_demand_base: int | None
    prefer_spot: bool
    spot_fallback: bool
    max_price: Decimal | None
    idle_timeout: float
    cpus: float
    memory: int


@dataclass(frozen=True, slots=True)
class MachineFigures:
    """`cpus` and `memory` (bytes) are this machine's own: the template may have changed since. `agents` of
    all kinds; `empty_for`: seconds since the last one left (0 while there are any)."""

    id: UUID
    state: MachineState
    capacity_type: CapacityType
    zone: str
    price: Decimal | None
    cpus: float
    memory: int
    agents: int = 0
    empty_for: float = 0.0


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """`elsewhere`: nodes that are none of this group's and take agents. `usual`: machines needed half of the
    time lately; None when that is not known yet."""

    machines: tuple[MachineFigures, ...]
    demands: tuple[Demand, ...]
    elsewhere: tuple[Room, ...]
    offers: tuple[Offer, ...]
    usual: float | None = None


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """`needed`: machines of this group that the demand needs by itself."""

    launch: tuple[Offer, ...] = ()
    leave: tuple[tuple[UUID, MachineEnd], ...] = ()
    reason: GroupReason = GroupReason.STEADY
    explanation: str = ""
    needed: int = 0

    @property
    def action(self) -> GroupAction:
        if self.launch:
            return GroupAction.LAUNCH
        return GroupAction.RELEASE if self.leave else GroupAction.HOLD


def plan(rules: GroupRules, seen: GroupFigures) -> GroupPlan:
    here = [machine for machine in seen.machines if machine.state in HERE]
    base = on_demand_base(rules, seen.usual)
    packing = pack(seen.demands, [*seen.elsewhere, *map(_room, here)])
    lacking = _machines_for(packing.left, rules, seen.offers)
    needed = len(lacking) + sum(str(machine.id) in packing.used for machine in here)
    wishes = lacking + [ANYWHERE] * (rules.min - len(here) - len(lacking))
    if wishes:
        return _grow(rules, seen, base, wishes, needed)
    return _shrink(rules, seen, here, base, needed) or _back_to_spot(rules, seen, here, base, needed)


def on_demand_base(rules: GroupRules, usual: float | None) -> int:
    """Machines that are on demand before any is spot."""
    if not rules.prefer_spot:
        return rules.max
    if rules.on_demand_base is not None:
        return rules.on_demand_base
    return min(rules.max, max(rules.min, math.ceil(usual or 0)))


def _room(machine: MachineFigures) -> Room:
    facts = NodeFacts(machine.price, machine.capacity_type, machine.zone)
    return Room(str(machine.id), facts, machine.cpus, machine.memory)


def _machines_for(left: Sequence[Demand], rules: GroupRules, offers: Sequence[Offer]) -> list[Place]:
    """A machine for each place; what it leaves open is anything. Demand that no machine of this group could
    take asks for none."""
    wishes: list[Place] = []
    served: list[Demand] = []
    for demand in sorted(left, key=lambda one: (not one.place.capacity_type, not one.place.zone)):
        if not any(demand.place.allows(_facts(offer)) for offer in offers):
            continue
        served.append(demand)
        lacking = _lacking(served, wishes, rules)
        while lacking and len(wishes) < rules.max:
            rest = _lacking(served, [*wishes, demand.place], rules)
            if rest >= lacking:  # an agent that is larger than such a machine
                served.pop()
                break
            wishes.append(demand.place)
            lacking = rest
    return wishes


def _facts(offer: Offer) -> NodeFacts:
    return NodeFacts(offer.price, offer.capacity_type, offer.zone)


def _lacking(demands: Sequence[Demand], wishes: Sequence[Place], rules: GroupRules) -> int:
    """Agents that do not fit on machines at these places."""
    rooms = [
        Room(
            str(number),
            NodeFacts(None, CapacityType(place.capacity_type or ON_DEMAND), place.zone),
            rules.cpus,
            rules.memory,
        )
        for number, place in enumerate(wishes)
    ]
    return sum(demand.count for demand in pack(demands, rooms).left)


def _grow(
    rules: GroupRules, seen: GroupFigures, base: int, wishes: Sequence[Place], needed: int
) -> GroupPlan:
    here = [machine for machine in seen.machines if machine.state in HERE]
    room = rules.max - len(seen.machines)
    short = len(here) >= rules.min
    cause = "agents that fit on no node" if short else f"min ({rules.min})"
    if room <= 0:
        text = f"{cause.capitalize()} ask for {len(wishes)} more, but max ({rules.max}) is reached."
        return GroupPlan(reason=GroupReason.MAX, explanation=text, needed=needed)
    on_demand = sum(machine.capacity_type is ON_DEMAND for machine in here)
    launch: list[Offer] = []
    reason, why = GroupReason.DEMAND if short else GroupReason.MIN, ""
    for place in wishes[:room]:
        offer, note, fallback = _choose(rules, seen.offers, place, base - on_demand)
        why = note or why
        if offer is None:
            continue
        reason = GroupReason.FALLBACK if fallback else reason
        on_demand += offer.capacity_type is ON_DEMAND
        launch.append(offer)
    if not launch:
        reason = GroupReason.NO_CAPACITY
    return GroupPlan(tuple(launch), (), reason, _growth_in_words(cause, launch, why, len(wishes)), needed)


def _choose(
    rules: GroupRules, offers: Sequence[Offer], place: Place, below_base: int
) -> tuple[Offer | None, str, bool]:
    """The offer, why it is not the one that was wanted, and whether it is a fall-back."""
    there = [offer for offer in offers if not place.zone or offer.zone.casefold() == place.zone.casefold()]
    why = ""
    if place.capacity_type == SPOT or (not place.capacity_type and rules.prefer_spot and below_base <= 0):
        spot, why = best_spot(there, rules.max_price)
        if spot is not None:
            return spot, "", False
        if place.capacity_type == SPOT:
            return None, f"{why}, and the pools demand spot", False
        if not rules.spot_fallback:
            return None, f"{why}, and spot_fallback is off", False
    found = best_on_demand(there)
    if found is None:
        nothing = "the provider has no on-demand capacity"
        return None, f"{why}, and {nothing}" if why else nothing, False
    return found, why, bool(why)


def _growth_in_words(cause: str, launch: Sequence[Offer], why: str, wanted: int) -> str:
    if not launch:
        return f"{cause.capitalize()} ask for {wanted} more, but {why}."
    named = "; ".join(str(offer) for offer in launch[:5]) + ("; …" if len(launch) > 5 else "")
    noun = "machine" if len(launch) == 1 else "machines"
    return f"{cause.capitalize()} ask for {len(launch)} {noun}: {named}." + (
        f" Fall-back: {why}." if why else ""
    )


def _fits_without(seen: GroupFigures, rest: Sequence[MachineFigures]) -> bool:
    """Those that are still on their way carry nothing yet."""
    rooms = [_room(machine) for machine in rest if machine.state is MachineState.JOINED]
    return not pack(seen.demands, [*seen.elsewhere, *rooms]).left


def _shrink(
    rules: GroupRules, seen: GroupFigures, here: list[MachineFigures], base: int, needed: int
) -> GroupPlan | None:
    """Machines that have been empty for long enough, and without which everything fits."""
    on_demand = sum(machine.capacity_type is ON_DEMAND for machine in here)
    over = ON_DEMAND if on_demand > base else SPOT
    idle = [
        machine
        for machine in here
        if machine.state is MachineState.JOINED
        and not machine.agents
        and machine.empty_for >= rules.idle_timeout
    ]
    idle.sort(key=lambda machine: (machine.capacity_type is not over, -(machine.price or 0), str(machine.id)))
    leave: list[MachineFigures] = []
    for machine in idle:
        rest = [one for one in here if one is not machine and one not in leave]
        if len(rest) >= rules.min and _fits_without(seen, rest):
            leave.append(machine)
    if not leave:
        return None
    saved = sum((machine.price or Decimal(0)) for machine in leave)
    text = f"{len(leave)} empty for {rules.idle_timeout:g} s: released, which saves {saved:f} per hour."
    ends = tuple((machine.id, MachineEnd.IDLE) for machine in leave)
    return GroupPlan((), ends, GroupReason.IDLE, text, needed)


def _everything_fits(machines: int) -> str:
    noun = "machine carries" if machines == 1 else "machines carry"
    return f"{machines} {noun} what other nodes do not." if machines else "Everything fits on other nodes."


def _back_to_spot(
    rules: GroupRules, seen: GroupFigures, here: list[MachineFigures], base: int, needed: int
) -> GroupPlan:
    """One at a time: a spot machine first; an on-demand one leaves when what is on it fits elsewhere."""
    steady = GroupPlan(explanation=_everything_fits(len(here)), needed=needed)
    over = [machine for machine in here if machine.capacity_type is ON_DEMAND]
    joined = [machine for machine in over if machine.state is MachineState.JOINED]
    if len(over) <= base or not joined or any(machine.state is not MachineState.JOINED for machine in here):
        return steady
    spot, _ = best_spot(seen.offers, rules.max_price)
    if spot is None:
        return steady
    machine = min(joined, key=lambda one: (one.agents, str(one.id)))
    rest = [one for one in here if one is not machine]
    if len(rest) >= rules.min and _fits_without(seen, rest):
        text = f"On demand above the base ({base}), and spot is to be had: one leaves when it is empty."
        ends = ((machine.id, MachineEnd.BACK_TO_SPOT),)
        return GroupPlan((), ends, GroupReason.BACK_TO_SPOT, text, needed)
    if len(seen.machines) >= rules.max:
        return steady
    text = f"On demand above the base ({base}), and spot is to be had again: {spot}."
    return GroupPlan((spot,), (), GroupReason.BACK_TO_SPOT, text, needed)
