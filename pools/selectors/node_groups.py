"""Reads about node groups and their machines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from pools.domain.machines import LIVE
from pools.facade.node_contracts import GroupView, MachineView
from pools.models import Machine, Node, NodeGroup, NodeGroupDecision


def present() -> QuerySet[NodeGroup]:
    return NodeGroup.objects.filter(deleted_at__isnull=True)


def group_views(groups: Iterable[NodeGroup]) -> list[GroupView]:
    rows = list(groups)
    live = Machine.objects.filter(group__in=rows, state__in=[state.value for state in LIVE])
    names = dict(Node.objects.values_list("ref", "name"))
    machines: dict[int, list[MachineView]] = defaultdict(list)
    for row in live:
        if row.group_id is not None:
            machines[row.group_id].append(_machine_view(row, names.get(row.node_ref, "")))
    last = {row.pk: NodeGroupDecision.objects.filter(group=row).first() for row in rows}
    return [
        GroupView(
            name=row.name,
            provider=row.provider,
            template=row.template,
            instance_types=tuple(row.instance_types),
            zones=tuple(row.zones),
            min=row.min,
            max=row.max,
            on_demand_base=row.on_demand_base,
            prefer_spot=row.prefer_spot,
            spot_fallback=row.spot_fallback,
            max_price=row.max_price,
            idle_timeout=row.idle_timeout,
            join_timeout=row.join_timeout,
            problem=row.problem or None,
            explanation=decision.explanation if (decision := last[row.pk]) else None,
            offers=tuple(row.offers),
            machines=tuple(machines[row.pk]),
        )
        for row in rows
    ]


def _machine_view(row: Machine, node: str) -> MachineView:
    return MachineView(
        id=row.pk,
        state=row.state,
        ref=row.ref,
        node=node,
        instance_type=row.instance_type,
        capacity_type=row.capacity_type,
        zone=row.zone,
        price=row.price,
        on_demand_price=row.on_demand_price,
        cost=row.cost,
        requested_at=row.requested_at,
        leave_by=row.leave_by,
    )


def group_payload(view: GroupView) -> dict[str, Any]:
    """The JSON shape of REST."""
    return {
        "name": view.name,
        "provider": view.provider,
        "template": dict(view.template),
        "instance_types": [dict(kind) for kind in view.instance_types],
        "zones": list(view.zones),
        "min": view.min,
        "max": view.max,
        "on_demand_base": view.on_demand_base,
        "prefer_spot": view.prefer_spot,
        "spot_fallback": view.spot_fallback,
        "max_price": number(view.max_price),
        "idle_timeout": view.idle_timeout,
        "join_timeout": view.join_timeout,
        "problem": view.problem,
        "explanation": view.explanation,
        "offers": [dict(offer) for offer in view.offers],
        "machines": [_machine_payload(machine) for machine in view.machines],
    }


def _machine_payload(view: MachineView) -> dict[str, Any]:
    return {
        "id": str(view.id),
        "state": view.state,
        "ref": view.ref,
        "node": view.node or None,
        "instance_type": view.instance_type,
        "capacity_type": view.capacity_type,
        "zone": view.zone,
        "price": number(view.price),
        "on_demand_price": number(view.on_demand_price),
        "cost": number(view.cost),
        "requested_at": view.requested_at.isoformat(),
        "leave_by": text(view.leave_by),
    }


def decision_payload(row: NodeGroupDecision) -> dict[str, Any]:
    return {
        "id": row.pk,
        "at": row.at.isoformat(),
        "action": row.action,
        "reason": row.reason,
        "explanation": row.explanation,
        "machines": row.machines,
        "needed": row.needed,
        "launched": [{"instance_type": "", **one} for one in row.launched],
        "released": row.released,
    }


def number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
