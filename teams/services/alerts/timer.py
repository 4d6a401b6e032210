"""What the controller does for alerts by the clock: messages get lost, and attempts are repeated."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.db import close_old_connections
from django.utils import timezone

from aflow_site.kernel.clock import system_clock
from aflow_site.kernel.waits import set_within
from teams.services.alerts.deliveries import due, forget_alerts
from teams.services.alerts.nudges import nudge

log = logging.getLogger(__name__)

EVERY = 2.0  # seconds
FORGET_EVERY = 3600.0


def nudge_due() -> int:
    """Has executors send what is due; how much that is."""
    close_old_connections()
    found = due(timezone.now())
    for delivery_id in found:
        nudge(delivery_id)
    return len(found)


def _forget() -> None:
    close_old_connections()
    if settings.AFLOW_AUDIT_DAYS:
        forget_alerts(timezone.now() - timedelta(days=settings.AFLOW_AUDIT_DAYS))


async def deliver_forever(stop: asyncio.Event) -> None:
    forgotten = -FORGET_EVERY
    while not stop.is_set():
        try:
            await sync_to_async(nudge_due)()
            if system_clock.monotonic() - forgotten >= FORGET_EVERY:
                forgotten = system_clock.monotonic()
                await sync_to_async(_forget)()
        except DatabaseTrouble as exc:
            log.warning("alerts have to wait: %s", exc)
        await set_within(stop, EVERY)
