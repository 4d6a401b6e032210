"""How many runs may be under way at once: in one workflow, in one team, and on the whole platform.

A place is a row in the state `running`, never a counter: a run that has ended, waits or is paused holds none,
and one whose executor died is taken up again by the next within seconds. So no place can leak.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from workflows.domain.states import RunState
from workflows.models import Run

_LOCK = 0x61666C6F77  # of PostgreSQL's advisory locks: one claim under a limit at a time


@dataclass(frozen=True, slots=True)
class Limit:
    """`scope`: workflow, team or platform. `used` places of `limit`."""

    scope: str
    limit: int
    used: int

    @property
    def is_full(self) -> bool:
        return self.used >= self.limit


def admits(run_id: UUID) -> bool:
    """Whether the run may begin, or go on, now. Inside the transaction that claims it."""
    place = _place(run_id)
    if place is None:
        return False
    if place.state == RunState.RUNNING or not place.limits:
        return True
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    return _first_full(place) is None


def full_limit(run_id: UUID) -> Limit | None:
    """The first limit that keeps the run from being under way, or None."""
    place = _place(run_id)
    return _first_full(place) if place is not None and place.state != RunState.RUNNING else None


@dataclass(frozen=True, slots=True)
class _Place:
    """A run in the eyes of the limits. Runs that a step of another run started take no place of their own:
    their parent waits for them, and would wait for ever."""

    run_id: UUID
    state: str
    workflow_id: UUID
    team_id: int
    limits: dict[str, int]


def _place(run_id: UUID) -> _Place | None:
    row = (
        Run.objects.filter(pk=run_id)
        .values_list(
            "state", "workflow_id", "team_id", "parent_step_id", "max_concurrent", "team__max_concurrent_runs"
        )
        .first()
    )
    if row is None:
        return None
    state, workflow_id, team_id, parent, of_workflow, of_team = row
    given = {"workflow": of_workflow, "team": of_team, "platform": settings.AFLOW_MAX_CONCURRENT_RUNS}
    limits: dict[str, int] = {}
    if parent is None:
        limits = {scope: most for scope, most in given.items() if most is not None}
    return _Place(run_id, state, workflow_id, team_id, limits)


def _first_full(place: _Place) -> Limit | None:
    under_way = Run.objects.filter(state=RunState.RUNNING, parent_step=None).exclude(pk=place.run_id)
    scopes: dict[str, dict[str, Any]] = {
        "workflow": {"workflow_id": place.workflow_id},
        "team": {"team_id": place.team_id},
        "platform": {},
    }
    for scope, most in place.limits.items():
        limit = Limit(scope, most, under_way.filter(**scopes[scope]).count())
        if limit.is_full:
            return limit
    return None
