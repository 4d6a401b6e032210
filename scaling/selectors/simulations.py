"""Reads about simulations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from aflow_site.kernel.errors import NotFound
from scaling.models import Simulation


def simulations_of(team_id: int) -> QuerySet[Simulation]:
    """Without their traces, which are large."""
    return Simulation.objects.filter(team_id=team_id).defer("trace")


def get_simulation(team_id: int, simulation_id: UUID) -> Simulation:
    found = simulations_of(team_id).filter(pk=simulation_id).first()
    if found is None:
        raise NotFound("There is no such simulation; the newest fifty are kept.")
    return found


def simulation_shape(row: Simulation) -> dict[str, Any]:
    return {
        "id": row.pk,
        "pool": row.pool,
        "arrivals": row.arrivals,
        "state": row.state,
        "progress": {"done": len(row.outcomes), "total": row.runs},
        "policies": row.policies,
        "seeds": row.seeds,
        "conditions": row.conditions,
        "results": row.results,
        "error": row.error,
        "created_by": row.created_by,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }
