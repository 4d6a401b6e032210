"""Figures of runs: how many leases, on how many agents, and how long they were waited for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from workflows.domain.estimates import quantile


def lease_statistics(usages: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """From the usage of a run's steps: {"agents", "leases", "requests", "lease_p50_ms", "lease_p99_ms"}."""
    agents: dict[str, int] = {}
    waits: list[float] = []
    leases = 0
    for usage in usages:
        leases += usage.get("leases", 0)
        waits += usage.get("waits_ms", [])
        for agent, count in usage.get("agents", {}).items():
            agents[agent] = agents.get(agent, 0) + count
    return {
        "agents": len(agents),
        "leases": leases,
        "requests": sum(agents.values()),
        "lease_p50_ms": quantile(waits, 0.5),
        "lease_p99_ms": quantile(waits, 0.99),
    }
