"""Reads about nodes: how they are, and what they cost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db.models import Min, Sum

from pools.domain.agents import LIVE
from pools.domain.deployments import DeployedState, Desired
from pools.domain.nodes import NodeState, idle_share
from pools.facade.contracts import NodeView
from pools.facade.node_contracts import NodeCosts
from pools.models import Agent, DeployedAgent, Machine, Node
from pools.selectors.node_groups import number, text

THERE = (DeployedState.RUNNING, DeployedState.PAUSED)  # deployed agents that are on a node
NOTHING = Decimal(0)
MICRO = Decimal("0.000001")


def node_views(rows: Iterable[Node]) -> list[NodeView]:
    live = Agent.objects.filter(state__in=[state.value for state in LIVE])
    deployed = DeployedAgent.objects.filter(state__in=[state.value for state in THERE])
    deployed = deployed.exclude(desired=Desired.REMOVED.value)
    counts: Counter[str] = Counter()
    used: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for node, cpu, memory in [
        *live.values_list("node", "pool__cpu", "pool__memory"),
        *deployed.values_list("node", "cpu", "memory"),
    ]:
        counts[node] += 1
        used[node].append((cpu or 0.0, memory or 0))
    return [
        NodeView(
            name=row.name,
            address=row.address,
            state=row.state,
            cpus=row.cpus,
            memory=row.memory,
            price=row.price,
            on_demand_price=row.on_demand_price,
            idle_price=_idle_price(row, used[row.name]),
            capacity_type=row.capacity_type,
            zone=row.zone,
            agents=counts[row.name],
            note=row.note,
            changed_at=row.changed_at,
            leave_by=row.leave_by,
        )
        for row in rows
    ]


def _idle_price(row: Node, agents: list[tuple[float, int]]) -> Decimal | None:
    if row.price is None:
        return None
    cpus, memory = sum(cpu for cpu, _ in agents), sum(memory for _, memory in agents)
    return (row.price * Decimal(str(idle_share(row.cpus, row.memory, cpus, memory)))).quantize(MICRO)


def costs(currency: str) -> NodeCosts:
    """Of the nodes that the engine hears of, and of all machines that are remembered. A node without an
    on-demand price saves nothing that is known."""
    views = node_views(Node.objects.exclude(state=NodeState.LOST.value))
    price = sum((view.price or NOTHING for view in views), NOTHING)
    saved = sum(
        (
            view.on_demand_price - view.price
            for view in views
            if view.price is not None and view.on_demand_price is not None
        ),
        NOTHING,
    )
    so_far = Machine.objects.aggregate(
        cost=Sum("cost"), on_demand_cost=Sum("on_demand_cost"), since=Min("requested_at")
    )
    cost, on_demand = so_far["cost"] or NOTHING, so_far["on_demand_cost"] or NOTHING
    return NodeCosts(
        currency=currency,
        price=price,
        on_demand_price=price + saved,
        saved=saved,
        idle=sum((view.idle_price or NOTHING for view in views), NOTHING),
        unpriced=sum(view.price is None for view in views),
        since=so_far["since"],
        cost_so_far=cost,
        saved_so_far=on_demand - cost,
    )


def node_payload(view: NodeView) -> dict[str, Any]:
    """The JSON shape of REST."""
    return {
        "name": view.name,
        "address": view.address,
        "state": view.state,
        "capacity": {"cpus": view.cpus, "memory": view.memory},
        "price": number(view.price),
        "on_demand_price": number(view.on_demand_price),
        "idle_price": number(view.idle_price),
        "capacity_type": view.capacity_type,
        "zone": view.zone,
        "agents": view.agents,
        "note": view.note,
        "changed_at": view.changed_at.isoformat(),
        "leave_by": text(view.leave_by),
    }


def costs_payload(found: NodeCosts) -> dict[str, Any]:
    """The JSON shape of REST."""
    return {
        "currency": found.currency,
        "per_hour": {
            "cost": number(found.price),
            "on_demand": number(found.on_demand_price),
            "saved": number(found.saved),
            "idle": number(found.idle),
        },
        "unpriced": found.unpriced,
        "so_far": {
            "since": text(found.since),
            "cost": number(found.cost_so_far),
            "saved": number(found.saved_so_far),
        },
    }
