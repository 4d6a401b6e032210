"""Loops that must not end while their process lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

log = logging.getLogger(__name__)

MEND_PAUSE = 1.0  # seconds until a loop that broke is taken up again
CANCEL_AGAIN = 0.2  # seconds


async def for_ever(loop: Callable[[], Awaitable[None]], name: str) -> None:
    """Runs until cancelled. Whatever breaks the loop is logged and outlived: a task that died unseen would
    leave its process at work without heartbeats, events, or whatever else it was for."""
    while True:
        try:
            await loop()
        except Exception:
            log.exception("the loop of %s broke; it is taken up again", name)
        await asyncio.sleep(MEND_PAUSE)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels them until they have ended. Once may not do: a call of the database that is under way when its
    task is cancelled gives its result, and the cancellation is lost (asgiref's `SyncToAsync`)."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN)
