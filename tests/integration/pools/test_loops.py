"""Loops end when they are to end, whatever they are at."""

from __future__ import annotations

import asyncio
import threading

import pytest
from channels.db import database_sync_to_async

from pools.services import loops
from tests.fakes.pools import until

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_loop_that_asks_the_database_at_that_moment_ends() -> None:
    """Its call comes back with a result, as if nobody had cancelled it."""
    asked, answered = threading.Event(), threading.Event()

    def ask() -> None:
        asked.set()
        answered.wait(60)

    async def repeat() -> None:
        while True:
            await database_sync_to_async(ask)()
            await asyncio.sleep(0.01)

    task = asyncio.create_task(loops.for_ever(repeat, "the test"))
    await until(asked.is_set)
    ending = asyncio.create_task(loops.end([task]))
    await asyncio.sleep(0)  # it is cancelled while the call is under way
    answered.set()
    async with asyncio.timeout(60):
        await ending
    assert task.done()
