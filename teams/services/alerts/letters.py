"""What goes out: the words of an e-mail, and the body of a webhook."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from teams.domain.alerts import AlertEvent, AlertKind, sentence_of
from teams.models import Alert, AlertChannel, AlertDelivery
from teams.selectors.alerts import alert_shape
from teams.services.alerts.senders import Letter


def letter_of(delivery: AlertDelivery) -> Letter:
    """`delivery` with its alert, and the alert's team."""
    alert = delivery.alert
    sentence = sentence_of(AlertKind(alert.kind), alert.subject, alert.facts)
    over = delivery.event == AlertEvent.RESOLVED
    title = f"[{alert.team.name}] {'Resolved: ' if over else ''}{sentence}"
    lines = [sentence, "", *_facts(alert), f"{settings.AFLOW_URL}/"]
    if over:
        lines.insert(0, "This is over:")
    body = {"event": delivery.event, "team": alert.team.slug, "alert": alert_shape(alert)}
    return Letter(f"alert-{delivery.pk}", _one_line(title), "\n".join(lines), body)


def test_letter(channel: AlertChannel, key: str, author: str) -> Letter:
    sentence = f"This is a test of the channel {channel.name}, sent by {author}."
    body = {"event": AlertEvent.TEST, "team": channel.team.slug, "alert": None, "sentence": sentence}
    return Letter(key, _one_line(f"[{channel.team.name}] {sentence}"), sentence, body)


def _facts(alert: Alert) -> list[str]:
    facts: dict[str, Any] = {name: value for name, value in alert.facts.items() if name != "sentence"}
    shown = [f"{name.replace('_', ' ')}: {value}" for name, value in facts.items()]
    return [*shown, f"since: {alert.opened_at:%Y-%m-%d %H:%M:%S} UTC", ""]


def _one_line(text: str) -> str:
    """A title must not hold line ends: they would begin another header."""
    return " ".join(text.split())[:200]
