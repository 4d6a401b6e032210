"""Reads of alerts, and of the channels that they go to."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from teams.domain.alerts import AlertKind, AlertState, sentence_of
from teams.models import Alert, AlertChannel


def alerts_of(
    team_id: int, *, state: str | None = None, kind: str | None = None, subject: str | None = None
) -> QuerySet[Alert]:
    found = Alert.objects.filter(team_id=team_id)
    if state is not None:
        found = found.filter(resolved_at__isnull=state == AlertState.OPEN)
    if kind is not None:
        found = found.filter(kind=kind)
    if subject:
        found = found.filter(subject=subject)
    return found


def alert_shape(alert: Alert) -> dict[str, Any]:
    return {
        "id": str(alert.pk),
        "kind": alert.kind,
        "subject": alert.subject,
        "period": alert.period,
        "state": AlertState.OPEN if alert.resolved_at is None else AlertState.RESOLVED,
        "sentence": sentence_of(AlertKind(alert.kind), alert.subject, alert.facts),
        "facts": alert.facts,
        "opened_at": alert.opened_at,
        "resolved_at": alert.resolved_at,
    }


def open_subjects(kind: AlertKind) -> set[tuple[int, str]]:
    """Of which teams' subjects such an alert is open."""
    return set(Alert.objects.filter(kind=kind, resolved_at=None).values_list("team_id", "subject"))


def channels_of(team_id: int) -> list[AlertChannel]:
    """By name."""
    return list(AlertChannel.objects.filter(team_id=team_id))


def channel_shape(channel: AlertChannel) -> dict[str, Any]:
    """`last` is the latest delivery that was tried, else the latest of all: what waits for its turn has
    nothing to tell yet. None before the first."""
    newest = channel.deliveries.order_by("-pk")
    last = newest.filter(attempts__gt=0).first() or newest.first()
    told = None
    if last is not None:
        told = {
            "state": last.state,
            "attempts": last.attempts,
            "problem": last.problem or None,
            "at": last.sent_at or last.due_at,
        }
    return {
        "id": channel.pk,
        "name": channel.name,
        "kind": channel.kind,
        "target": channel.target,
        "kinds": channel.kinds,
        "enabled": channel.enabled,
        "created_by": channel.created_by,
        "created_at": channel.created_at,
        "last": told,
    }
