"""Finds runs that nobody drives and tells an executor: messages get lost, and executors die."""

from __future__ import annotations

import asyncio
import logging

from asgiref.sync import sync_to_async
from django.db import Error as DatabaseTrouble
from django.db import close_old_connections
from django.utils import timezone

from aflow_site.kernel.waits import set_within
from workflows.services import claims
from workflows.services.nudges import nudge

log = logging.getLogger(__name__)

SWEEP_EVERY = 0.5


def sweep() -> int:
    """Nudges every run without a living driver; how many there were."""
    close_old_connections()
    found = claims.unclaimed(timezone.now())
    for run_id in found:
        nudge(run_id)
    return len(found)


async def sweep_forever(stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await sync_to_async(sweep)()
        except DatabaseTrouble as exc:
            log.warning("cannot look for runs that wait: %s", exc)
        await set_within(stop, SWEEP_EVERY)
