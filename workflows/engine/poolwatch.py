"""How pools stand, as all runs of an executor see it: one look at a pool serves everybody for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pools.facade import api as pools
from pools.facade.contracts import AgentKind, PoolNotFound, PoolView

FRESH = 4.0  # seconds


class PoolWatch:
    """`read(function, *args)` runs a function that asks the database away from the loop."""

    def __init__(self, read: Callable[..., Awaitable[PoolView]]) -> None:
        self._read = read
        self._looks: dict[tuple[int, str], tuple[float, asyncio.Future[PoolView]]] = {}

    async def look(self, team_id: int, name: str) -> PoolView:
        """At most `FRESH` seconds old. Raises PoolNotFound."""
        clock = asyncio.get_running_loop().time()
        known = self._looks.get((team_id, name))
        if known is None or clock - known[0] > FRESH or _has_failed(known[1]):
            look = asyncio.ensure_future(self._read(pools.get_pool, team_id, name))
            self._looks[team_id, name] = known = (clock, look)
            self._forget(clock)
        return await asyncio.shield(known[1])

    async def look_or_make(self, team_id: int, name: str, kind: AgentKind) -> PoolView:
        """The same; a shared pool that somebody deleted is made again. Raises PoolNotFound."""
        try:
            return await self.look(team_id, name)
        except PoolNotFound:
            if name != pools.default_pool_name(kind):
                raise
        self._looks.pop((team_id, name), None)
        return await self._read(pools.ensure_shared_pool, team_id, kind)

    def _forget(self, clock: float) -> None:
        for key in [key for key, (at, _) in self._looks.items() if clock - at > 60]:
            del self._looks[key]


def _has_failed(look: asyncio.Future[PoolView]) -> bool:
    return look.done() and (look.cancelled() or look.exception() is not None)
