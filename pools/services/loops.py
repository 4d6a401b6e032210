"""Loops that must not end while their process lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

MEND_PAUSE = 1.0  # seconds until a loop that broke is taken up again


async def for_ever(loop: Callable[[], Awaitable[None]], name: str) -> None:
    """Runs until cancelled. Whatever breaks the loop is logged and outlived: a task that died unseen would
    leave its process at work without heartbeats, events, or whatever else it was for."""
    while True:
        try:
            await loop()
        except Exception:
            log.exception("the loop of %s broke; it is taken up again", name)
        await asyncio.sleep(MEND_PAUSE)
