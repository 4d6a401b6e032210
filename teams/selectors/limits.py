"""What a team's admins set for all of its runs."""

from __future__ import annotations

from teams.facade.contracts import TeamLimits
from teams.models import Team


def limits_of(team_id: int) -> TeamLimits:
    return _limits(Team.objects.get(pk=team_id))


def all_limits() -> list[TeamLimits]:
    return [_limits(team) for team in Team.objects.order_by("pk")]


def _limits(team: Team) -> TeamLimits:
    return TeamLimits(
        team_id=team.pk,
        slug=team.slug,
        name=team.name,
        max_concurrent_runs=team.max_concurrent_runs,
        capacity_weight=team.capacity_weight,
        retention_days=team.retention_days,
        created_at=team.created_at,
    )
