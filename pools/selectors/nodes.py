"""Reads about nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from pools.domain.agents import LIVE
from pools.domain.deployments import DeployedState, Desired
from pools.facade.contracts import NodeView
from pools.models import Agent, DeployedAgent, Node

THERE = (DeployedState.RUNNING, DeployedState.PAUSED)  # deployed agents that are on a node


def node_views(rows: Iterable[Node]) -> list[NodeView]:
    live = Agent.objects.filter(state__in=[state.value for state in LIVE])
    deployed = DeployedAgent.objects.filter(state__in=[state.value for state in THERE])
    deployed = deployed.exclude(desired=Desired.REMOVED.value)
    counts = Counter([*live.values_list("node", flat=True), *deployed.values_list("node", flat=True)])
    return [
        NodeView(
            name=row.name,
            address=row.address,
            state=row.state,
            cpus=row.cpus,
            memory=row.memory,
            price=row.price,
            capacity_type=row.capacity_type,
            zone=row.zone,
            agents=counts[row.name],
            note=row.note,
            changed_at=row.changed_at,
        )
        for row in rows
    ]


def node_payload(view: NodeView) -> dict[str, Any]:
    """The JSON shape of REST."""
    return {
        "name": view.name,
        "address": view.address,
        "state": view.state,
        "capacity": {"cpus": view.cpus, "memory": view.memory},
        "price": None if view.price is None else float(view.price),
        "capacity_type": view.capacity_type,
        "zone": view.zone,
        "agents": view.agents,
        "note": view.note,
        "changed_at": view.changed_at.isoformat(),
    }
