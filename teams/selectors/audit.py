"""Reads of the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from teams.models import AuditEntry


def entries_of(
    team_id: int,
    *,
    actor: str | None = None,
    action: str | None = None,
    target: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """The team's entries. `action` and `target` name one, or all of a kind (`workflow`: any `workflow.…`)."""
    found = AuditEntry.objects.filter(team_id=team_id)
    if actor:
        found = found.filter(actor=actor)
    if action:
        found = found.filter(Q(action=action) | Q(action__startswith=f"{action}."))
    if target:
        found = found.filter(Q(target=target) | Q(target__startswith=f"{target}/"))
    if after:
        found = found.filter(at__gte=after)
    if before:
        found = found.filter(at__lt=before)
    return found


def entry_shape(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.pk,
        "at": entry.at,
        "actor": entry.actor,
        "via": entry.via,
        "address": entry.address,
        "action": entry.action,
        "target": entry.target,
        "details": entry.details,
    }
