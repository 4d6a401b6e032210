"""Writes about node groups: made, changed and deleted by the platform's staff; what was decided of them.

Does not: rent machines; the controller does (`services.controller.groups`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from aflow_site.kernel.errors import Conflict, Fault, InvalidInput, NotFound
from pools.domain.instance_types import read_machines
from pools.domain.machines import LIVE
from pools.domain.node_groups import GroupPlan
from pools.domain.offers import Offer
from pools.domain.placement import ZONE, ZONE_RULE
from pools.domain.room import usual_agents
from pools.models import Machine, NodeGroup, NodeGroupDecision
from pools.providers.base import NodeProvider
from teams.facade import api as teams

MOST_MACHINES = 1000
MOST_ZONES = 20
HIGHEST_PRICE = 10_000
DAY = 86_400.0
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
SETTABLE = (
    "zones",
    "min",
    "max",
    "on_demand_base",
    "prefer_spot",
    "spot_fallback",
    "max_price",
    "idle_timeout",
    "join_timeout",
)
DECISIONS_KEPT = timedelta(days=30)
NO_PROVIDER = (
    "This installation rents no machines: nodes are whatever the container engine has. Set "
    "AFLOW_NODE_PROVIDER=ec2 (with AFLOW_RUNTIME=swarm) and start it again."
)


def find(name: str) -> NodeGroup:
    row = NodeGroup.objects.filter(name=name, deleted_at__isnull=True).first()
    if row is None:
        raise NotFound(f"There is no node group named {name}.")
    return row


def create(data: Mapping[str, Any], provider: NodeProvider | None, *, team_id: int, author: str) -> NodeGroup:
    """Raises `Conflict` when the name is taken or there is no provider, `InvalidInput` with every fault."""
    if provider is None:
        raise Conflict(NO_PROVIDER)
    row = NodeGroup(name=data["name"], provider=provider.name)
    faults = [] if NAME.fullmatch(row.name) else [Fault("name", "Up to 63 of a-z, 0-9 and hyphens inside.")]
    _fill(row, {"template": {}, **data}, provider, faults)
    try:
        with transaction.atomic():
            row.save()
            teams.audit(team_id, actor=author, action="node_group.created", target=f"node-group/{row.name}")
    except IntegrityError as exc:
        raise Conflict(
            f"There is a node group named {row.name} already, or its machines still leave."
        ) from exc
    return row


def change(
    name: str, data: Mapping[str, Any], provider: NodeProvider | None, *, team_id: int, author: str
) -> NodeGroup:
    """What is not named stays; a template and types are taken as a whole, for machines from now on.

    Raises `NotFound`, `InvalidInput`."""
    with transaction.atomic():
        find(name)
        row = NodeGroup.objects.select_for_update().get(name=name)
        _fill(row, data, provider, [])
        row.save()
        teams.audit(team_id, actor=author, action="node_group.changed", target=f"node-group/{name}")
    return row


def delete(name: str, *, team_id: int, author: str) -> None:
    """No machines from now on; those that are there leave, and go when they are empty. Raises `NotFound`."""
    with transaction.atomic():
        row = find(name)
        row.deleted_at = datetime.now(UTC)
        row.save(update_fields={"deleted_at", "updated_at"})
        teams.audit(team_id, actor=author, action="node_group.deleted", target=f"node-group/{name}")


def _fill(
    row: NodeGroup, data: Mapping[str, Any], provider: NodeProvider | None, faults: list[Fault]
) -> None:
    for name in SETTABLE:
        if name in data:
            setattr(row, name, data[name])
    if isinstance(row.max_price, float | int):
        row.max_price = Decimal(str(row.max_price)).quantize(Decimal("0.000001"))
    faults += _faults_of(row)
    faults += _fill_machines(row, data, provider)
    if faults:
        raise InvalidInput("The node group is not valid.", faults=faults)


def _fill_machines(row: NodeGroup, data: Mapping[str, Any], provider: NodeProvider | None) -> list[Fault]:
    """Template and types are checked together: the one may lack what the other has."""
    named = [name for name in ("template", "instance_types") if name in data]
    if named and (provider is None or provider.name != row.provider):
        return [Fault(named[0], f"The provider {row.provider} is not set up here.")]
    if named and provider is not None:
        template, types = data.get("template", row.template), data.get("instance_types")
        try:
            read = read_machines(template, types, row.instance_types, provider.check)
        except InvalidInput as exc:
            return list(exc.faults)
        row.template, row.instance_types = read
    return []


def _faults_of(row: NodeGroup) -> list[Fault]:
    found: list[Fault] = []

    def check(name: str, good: bool, message: str) -> None:
        if not good:
            found.append(Fault(name, message))

    check("min", 0 <= row.min <= MOST_MACHINES, f"From 0 to {MOST_MACHINES} machines.")
    check("max", row.min <= row.max <= MOST_MACHINES, f"From min ({row.min}) to {MOST_MACHINES} machines.")
    base = row.on_demand_base
    check("on_demand_base", base is None or 0 <= base <= row.max, f"From 0 to max ({row.max}), or null.")
    price = row.max_price
    check("max_price", price is None or 0 <= price <= HIGHEST_PRICE, f"From 0 to {HIGHEST_PRICE}, or null.")
    check("idle_timeout", 0 <= row.idle_timeout <= DAY, "Seconds are expected here, from 0 to a day.")
    check("join_timeout", 10 <= row.join_timeout <= DAY, "Seconds are expected here, from 10 to a day.")
    zones = row.zones
    good = len(zones) <= MOST_ZONES and all(ZONE.fullmatch(zone) for zone in zones)
    check("zones", good and len(set(zones)) == len(zones), f"At most {MOST_ZONES}, each once. {ZONE_RULE}")
    return found


# --- by the controller -------------------------------------------------------------------------------------


def all_groups() -> list[NodeGroup]:
    return list(NodeGroup.objects.all())


def record(group: NodeGroup, plan: GroupPlan, machines: int, at: datetime) -> None:
    """Unless it holds for the same reason as before."""
    last = NodeGroupDecision.objects.filter(group=group).first()
    same = last is not None and (last.action, last.explanation) == (plan.action.value, plan.explanation[:500])
    if same and not plan.launch and not plan.leave:
        return
    NodeGroupDecision.objects.create(
        group=group,
        at=at,
        action=plan.action.value,
        reason=plan.reason.value,
        explanation=plan.explanation[:500],
        machines=machines,
        needed=plan.needed,
        launched=[
            {
                "instance_type": offer.instance_type,
                "capacity_type": offer.capacity_type.value,
                "zone": offer.zone,
                "price": None if offer.price is None else float(offer.price),
            }
            for offer in plan.launch
        ],
        released=[str(machine_id) for machine_id, _ in plan.leave],
    )
    NodeGroupDecision.objects.filter(group=group, at__lt=at - DECISIONS_KEPT).delete()


def tell_offers(group: NodeGroup, offers: Sequence[Offer]) -> None:
    """What there was to choose from, where that has changed."""
    seen = [
        {
            "instance_type": offer.instance_type,
            "capacity_type": offer.capacity_type.value,
            "zone": offer.zone,
            "price": None if offer.price is None else float(offer.price),
            "interruption_risk": round(offer.risk, 4),
            "short": offer.short,
            "cpus": offer.cpus,
            "memory": offer.memory,
            "agents": usual_agents(offer.cpus, offer.memory),
        }
        for offer in offers
    ]
    if group.offers != seen:
        group.offers = seen
        NodeGroup.objects.filter(pk=group.pk).update(offers=seen)


def tell_problem(group: NodeGroup, sentence: str) -> None:
    if group.problem != sentence[:500]:
        group.problem = sentence[:500]
        NodeGroup.objects.filter(pk=group.pk).update(problem=group.problem)


def forget_if_empty(group: NodeGroup) -> None:
    """Of a deleted group whose last machine has gone."""
    live = [state.value for state in LIVE]
    if group.deleted_at is not None and not Machine.objects.filter(group=group, state__in=live).exists():
        group.delete()
