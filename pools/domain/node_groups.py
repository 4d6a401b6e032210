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

from pools.domain.growth import GroupRules, Wish, machines_for, spot_instead
from pools.domain.machines import HERE, MachineEnd, MachineState
from pools.domain.nodes import CapacityType, NodeFacts
from pools.domain.offers import Offer
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
    below = base - sum(machine.capacity_type is ON_DEMAND for machine in here)
    wishes, lacking = machines_for(packing.left, rules, seen.offers, below, rules.min - len(here))
    needed = lacking + sum(str(machine.id) in packing.used for machine in here)
    if wishes:
        return _grow(rules, seen, here, wishes, needed)
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


def _grow(
    rules: GroupRules, seen: GroupFigures, here: list[MachineFigures], wishes: Sequence[Wish], needed: int
) -> GroupPlan:
    room = rules.max - len(seen.machines)
    short = len(here) >= rules.min
    cause = "agents that fit on no node" if short else f"min ({rules.min})"
    if room <= 0:
        text = f"{cause.capitalize()} ask for {len(wishes)} more, but max ({rules.max}) is reached."
        return GroupPlan(reason=GroupReason.MAX, explanation=text, needed=needed)
    taken = wishes[:room]
    launch = tuple(wish.offer for wish in taken if wish.offer is not None)
    why = next((wish.why for wish in reversed(taken) if wish.why), "")
    reason = GroupReason.DEMAND if short else GroupReason.MIN
    if any(wish.fallback for wish in taken):
        reason = GroupReason.FALLBACK
    if not launch:
        reason = GroupReason.NO_CAPACITY
    return GroupPlan(launch, (), reason, _growth_in_words(cause, launch, why, len(wishes)), needed)


def _growth_in_words(cause: str, launch: Sequence[Offer], why: str, wanted: int) -> str:
    if not launch:
        return f"{cause.capitalize()} ask for {wanted} more, but {why}."
    named = "; ".join(str(offer) for offer in launch[:5]) + ("; …" if len(launch) > 5 else "")
    noun = "machine" if len(launch) == 1 else "machines"
    return f"{cause.capitalize()} ask for {len(launch)} {noun}: {named}." + (
        f" Fall-back: {why}." if why else ""
    )


def _left_without(seen: GroupFigures, rest: Sequence[MachineFigures]) -> tuple[Demand, ...]:
    """What fits on none of these. Those that are still on their way carry nothing yet."""
    rooms = [_room(machine) for machine in rest if machine.state is MachineState.JOINED]
    return pack(seen.demands, [*seen.elsewhere, *rooms]).left


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
        if len(rest) >= rules.min and not _left_without(seen, rest):
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
    for machine in sorted(joined, key=lambda one: (one.agents, str(one.id))):
        rest = [one for one in here if one is not machine]
        left = _left_without(seen, rest)
        spot = spot_instead(left, rules, seen.offers)
        if not spot:
            continue
        if len(rest) >= rules.min and not left:
            text = f"On demand above the base ({base}), and spot is to be had: one leaves when it is empty."
            ends = ((machine.id, MachineEnd.BACK_TO_SPOT),)
            return GroupPlan((), ends, GroupReason.BACK_TO_SPOT, text, needed)
        # One that cannot be joined by all that are needed would only come and go.
        if len(seen.machines) + len(spot) <= rules.max:
            text = f"On demand above the base ({base}), and spot is to be had again: {spot[0]}."
            return GroupPlan(spot[:1], (), GroupReason.BACK_TO_SPOT, text, needed)
    return steady
