"""What the controller does by the clock: fire triggers, and delete what is old.

Each round is bounded, and trouble is logged and outlived: the next round comes anyway.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from asgiref.sync import sync_to_async
from django.db import Error as DatabaseTrouble
from django.db import close_old_connections
from django.utils import timezone

from aflow_site.kernel.clock import system_clock
from aflow_site.kernel.waits import set_within
from workflows.services.charging import keep_accounts
from workflows.services.demand import Demand
from workflows.services.retention import tidy
from workflows.services.run_ends import look_at_ends
from workflows.services.schedules import fire_due

log = logging.getLogger(__name__)

FIRE_EVERY = 1.0
LOOK_AT_ENDS_EVERY = 10.0
FORESEE_EVERY = 5.0
ACCOUNTS_EVERY = 5.0
TIDY_EVERY = 60.0
TIDY_BUDGET = 0.25  # seconds at a time, for the controller's other duties wait meanwhile
TIDY_PAUSE = 1.0  # between two of them, when there is more to delete


def _round(duty: Callable[[datetime], object]) -> object:
    close_old_connections()
    return duty(timezone.now())


async def _attempt(duty: Callable[[datetime], object]) -> object:
    try:
        return await sync_to_async(_round)(duty)
    except DatabaseTrouble as exc:
        log.warning("%s has to wait: %s", duty.__name__, exc)
    except Exception:  # a fault of ours must not end the process that holds the other duties
        log.exception("%s did not work", duty.__name__)
    return None


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    await set_within(stop, seconds)


async def fire_forever(stop: asyncio.Event) -> None:
    looked = -LOOK_AT_ENDS_EVERY
    while not stop.is_set():
        await _attempt(fire_due)
        if system_clock.monotonic() - looked >= LOOK_AT_ENDS_EVERY:
            looked = system_clock.monotonic()
            await _attempt(look_at_ends)
        await _pause(stop, FIRE_EVERY)


def _tidy(now: datetime) -> bool:
    return tidy(now, TIDY_BUDGET)


async def foresee_forever(stop: asyncio.Event) -> None:
    foresee = Demand().foresee
    while not stop.is_set():
        await _attempt(foresee)
        await _pause(stop, FORESEE_EVERY)


async def keep_accounts_forever(stop: asyncio.Event) -> None:
    while not stop.is_set():
        await _attempt(keep_accounts)
        await _pause(stop, ACCOUNTS_EVERY)


async def tidy_forever(stop: asyncio.Event) -> None:
    while not stop.is_set():
        more = await _attempt(_tidy)
        await _pause(stop, TIDY_PAUSE if more else TIDY_EVERY)
