"""Sends what is due, again and again until it arrives or an hour has passed.

A delivery may be asked for any number of times: it is taken by one statement, and by one at a time. It may
arrive twice all the same, when its sender dies after sending; `X-Agentainer-Delivery` tells the receiver.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from teams.domain.alerts import AT_ONCE_OF_A_TEAM, ChannelKind, DeliveryState, retry_in
from teams.models import Alert, AlertDelivery
from teams.services.alerts.letters import letter_of
from teams.services.alerts.senders import WITHIN, Undelivered, send_email, send_webhook
from teams.services.secrets import SecretLost, open_sealed

log = logging.getLogger(__name__)

HELD = timedelta(seconds=3 * WITHIN)  # by one sender; another may try after that
AT_ONCE = 100


def due(now: datetime) -> list[int]:
    """Deliveries to be sent now, each team's oldest first. The end of an alert waits for its beginning."""
    pending = AlertDelivery.objects.filter(state=DeliveryState.PENDING)
    before = pending.filter(alert=OuterRef("alert"), channel=OuterRef("channel"), pk__lt=OuterRef("pk"))
    rows = pending.filter(~Exists(before), due_at__lte=now, channel__enabled=True)
    place = Window(RowNumber(), partition_by=F("channel__team"), order_by=("due_at", "pk"))
    rows = rows.annotate(place=place).filter(place__lte=AT_ONCE_OF_A_TEAM)
    return list(rows.order_by("place", "due_at", "pk").values_list("pk", flat=True)[:AT_ONCE])


def deliver(delivery_id: int) -> DeliveryState | None:
    """One attempt, if it is due and nobody else makes it; what became of it."""
    now = timezone.now()
    open_ones = AlertDelivery.objects.filter(state=DeliveryState.PENDING)
    mine = open_ones.filter(pk=delivery_id, due_at__lte=now, channel__enabled=True)
    delivery = mine.select_related("alert__team", "channel__team").first()
    if delivery is None:
        return None
    before = open_ones.filter(alert=delivery.alert_id, channel=delivery.channel_id, pk__lt=delivery_id)
    if before.exists() or not mine.update(due_at=now + HELD, attempts=F("attempts") + 1):
        return None
    try:
        _send(delivery)
    except (Undelivered, SecretLost) as exc:
        return _failed(delivery, str(exc), final=isinstance(exc, SecretLost) or exc.final)
    except Exception as exc:  # it counts as an attempt: else it would be tried for ever
        log.exception("delivery %d broke", delivery_id)
        return _failed(delivery, f"It could not be sent: {type(exc).__name__}.", final=False)
    AlertDelivery.objects.filter(pk=delivery_id).update(
        state=DeliveryState.SENT, sent_at=timezone.now(), problem=""
    )
    return DeliveryState.SENT


def _send(delivery: AlertDelivery) -> None:
    letter, channel = letter_of(delivery), delivery.channel
    if channel.kind == ChannelKind.EMAIL:
        send_email(channel.target, letter)
    else:
        send_webhook(channel.target, open_sealed(channel.sealed), letter)


def _failed(delivery: AlertDelivery, problem: str, *, final: bool) -> DeliveryState:
    wait = None if final else retry_in(delivery.attempts + 1)
    state = DeliveryState.FAILED if wait is None else DeliveryState.PENDING
    due_at = timezone.now() + timedelta(seconds=wait or 0)
    AlertDelivery.objects.filter(pk=delivery.pk).update(state=state, due_at=due_at, problem=problem[:500])
    log.warning("an alert did not reach channel %s: %s", delivery.channel.name, problem)
    return state


def forget_alerts(before: datetime, limit: int = 1000) -> int:
    """Deletes alerts that were resolved before that, with their deliveries; how many."""
    old = Alert.objects.filter(resolved_at__lt=before).values_list("pk", flat=True)[:limit]
    rows = Alert.objects.filter(pk__in=list(old))
    count = rows.count()
    rows.delete()
    return count
