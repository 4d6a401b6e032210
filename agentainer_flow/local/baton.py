"""Whose turn it is: one sync body runs at a time, as if in one thread.

Bodies of the platform have processes of their own, so users' code need not be safe for threads, and not even
Python's own library is everywhere. A body that waits for the run lends its turn to others meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agentainer_flow.local.values import Refused


class Baton:
    """Turns go round in the order in which they were asked for. For the run's event loop."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.wanted = 0  # how many wait for a turn

    async def take(self) -> None:
        self.wanted += 1
        try:
            await self.lock.acquire()
        finally:
            self.wanted -= 1


class Turn:
    """Of one body. A body that ran out of time has lost it, whatever its thread still does."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._has = False
        self.over = False

    async def __aenter__(self) -> Turn:
        await self._baton.take()
        self._has = True
        return self

    async def __aexit__(self, *_raised: object) -> None:
        self.over = True
        if self._has:
            self._has = False
            self._baton.lock.release()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """Others may run until the end of the block. Raises Refused when the turn is over."""
        self.check()
        self._has = False
        self._baton.lock.release()
        try:
            yield
        finally:
            await self._baton.take()
            if self.over:
                self._baton.lock.release()
            else:
                self._has = True
        self.check()

    def check(self) -> None:
        if self.over:
            raise Refused("ended", "The request that this call belongs to has ended.")
