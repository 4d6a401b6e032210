"""Places of a run's `max_parallel`: calls that wait for an agent or are under way have one each."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Place:
    """Of one call, for as long as its context lasts, save while it is left to others."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._taken = False

    async def __aenter__(self) -> Place:
        await self.take()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    async def take(self) -> None:
        """Waits for one, unless it has one."""
        if not self._taken:
            await self._places.acquire()
            self._taken = True

    def leave(self) -> None:
        if self._taken:
            self._taken = False
            self._places.release()
