"""Waiting for an event, with an end."""

from __future__ import annotations

import asyncio


async def set_within(event: asyncio.Event, seconds: float | None) -> bool:
    """Whether the event is set within so many seconds; None waits for ever.

    `asyncio.wait_for` would do, from Python 3.12 on: before, a cancellation that comes together with the
    event is lost (cpython #86296), and whoever cancelled waits for ever.
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
