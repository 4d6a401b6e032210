"""Messages that have an executor send a delivery at once. Each may be lost: the controller's timer finds what
is due."""

from __future__ import annotations

import logging

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def nudge(delivery_id: int) -> None:
    try:
        current_app.send_task("teams.deliver_alert", args=[delivery_id], retry=False, expires=60)
    except OperationalError as exc:
        log.warning("delivery %d waits, the broker is away: %s", delivery_id, exc)
