"""Changing a team's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from teams.facade.contracts import TeamLimits
from teams.models import Team
from teams.selectors.limits import limits_of
from teams.services.audit import audit

FIELDS = ("name", "max_concurrent_runs", "retention_days")


@transaction.atomic
def change_settings(team_id: int, changes: Mapping[str, Any], *, author: str) -> TeamLimits:
    """`changes` has any of `FIELDS`; None takes a limit away. Nothing is written when nothing changes."""
    team = Team.objects.select_for_update().get(pk=team_id)
    details = {
        name: {"before": getattr(team, name), "after": changes[name]}
        for name in FIELDS
        if name in changes and changes[name] != getattr(team, name)
    }
    if details:
        for name in details:
            setattr(team, name, changes[name])
        team.save(update_fields=list(details))
        audit(team_id, actor=author, action="team.changed", target=f"team/{team.slug}", details=details)
    return limits_of(team_id)
