"""Alerts are opened by what finds a cause, and resolved when it finds the cause gone.

Does not: send anything. Each opening and each end writes one delivery per channel in the same transaction;
`deliveries` sends them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from teams.domain.alerts import AT_ONCE_OF_A_TEAM, AlertEvent, AlertKind, DeliveryState
from teams.models import Alert, AlertChannel, AlertDelivery
from teams.services.alerts.nudges import nudge

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that a team is to be told while it is so. `subject` is `thing/name`; `facts` is JSON for
    programs, with the `sentence` for people, and without secrets."""

    team_id: int
    kind: AlertKind
    subject: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def raise_alert(
    team_id: int, kind: str, subject: str, facts: Mapping[str, Any], *, period: str = ""
) -> UUID | None:
    """The new alert's id; None when there is one already, which stays as it is.

    With a `period` (such as ``2026-11``) there is one of that kind and subject for the period, resolved or
    not; without one there is one at a time. Raises ValueError for a kind that is not an `AlertKind`.
    """
    known = AlertKind(kind)
    same = Alert.objects.filter(team_id=team_id, kind=known, subject=subject[:255], period=period)
    if (same if period else same.filter(resolved_at=None)).exists():
        return None
    now = timezone.now()
    try:
        with transaction.atomic():
            alert = Alert.objects.create(
                team_id=team_id,
                kind=known,
                subject=subject[:255],
                period=period,
                facts=dict(facts),
                opened_at=now,
            )
            _tell(alert, AlertEvent.RAISED)
    except IntegrityError:  # somebody else raised it at this moment
        return None
    log.warning("alert for team %d: %s of %s", team_id, kind, subject)
    return alert.pk


def resolve_alert(team_id: int, kind: str, subject: str, *, period: str = "") -> bool:
    """Whether one was open."""
    with transaction.atomic():
        rows = Alert.objects.select_for_update().filter(
            team_id=team_id, kind=AlertKind(kind), subject=subject[:255], period=period, resolved_at=None
        )
        return _resolve(list(rows))


def settle(kinds: Collection[AlertKind], causes: Collection[Cause]) -> None:
    """`causes` are all that there are now of these kinds, of every team: raises what is new, and resolves
    whatever is open and no more so."""
    open_now = {
        (alert.team_id, alert.kind, alert.subject): alert
        for alert in Alert.objects.filter(kind__in=kinds, resolved_at=None)
    }
    for cause in causes:
        if open_now.pop((cause.team_id, cause.kind, cause.subject), None) is None:
            raise_alert(cause.team_id, cause.kind, cause.subject, cause.facts)
    if open_now:
        with transaction.atomic():
            gone = [alert.pk for alert in open_now.values()]
            _resolve(list(Alert.objects.select_for_update().filter(pk__in=gone, resolved_at=None)))


def _resolve(alerts: list[Alert]) -> bool:
    now = timezone.now()
    for alert in alerts:
        alert.resolved_at = now
        alert.save(update_fields=["resolved_at"])
        _tell(alert, AlertEvent.RESOLVED)
    return bool(alerts)


def _tell(alert: Alert, event: AlertEvent) -> None:
    """Inside the transaction that opens or resolves it."""
    channels = AlertChannel.objects.filter(team_id=alert.team_id, enabled=True)
    deliveries = AlertDelivery.objects.bulk_create(
        AlertDelivery(alert=alert, channel=channel, event=event, due_at=timezone.now())
        for channel in channels
        if not channel.kinds or alert.kind in channel.kinds
    )
    pending = AlertDelivery.objects.filter(channel__team_id=alert.team_id, state=DeliveryState.PENDING)
    room = AT_ONCE_OF_A_TEAM - (pending.count() - len(deliveries))
    for delivery in deliveries[: max(0, room)]:  # the timer tells of the others, team by team
        transaction.on_commit(lambda pk=delivery.pk: nudge(pk))  # type: ignore[misc]
