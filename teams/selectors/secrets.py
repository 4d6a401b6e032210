"""Which secrets a team has."""

from __future__ import annotations

from teams.facade.contracts import SecretView
from teams.models import Secret


def list_secrets(team_id: int) -> list[SecretView]:
    """By name, without their values."""
    rows = Secret.objects.filter(team_id=team_id)
    return [SecretView(row.name, row.author, row.changed_at) for row in rows]
