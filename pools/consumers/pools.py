"""The live view of a team's pools, and of those that others share with it: a snapshot, then every numbered
change after it.

Numbers (`seq`) begin anew with an epoch; a client that comes back with both misses nothing, or
gets a snapshot when its place has been forgotten.
Does not: write, or decide what changed (the controller's sampler does).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any
from urllib.parse import parse_qs

import orjson
import redis.asyncio
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from redis.exceptions import RedisError

from pools.facade import api as pools
from pools.leases.scripts import Keys, prefix_of
from pools.leases.wire import PATIENCE
from pools.selectors.views import agent_payload, pool_payload

log = logging.getLogger(__name__)

UNAUTHENTICATED, BAD_REQUEST, TRY_AGAIN = 4401, 4400, 1013
BLOCK_MS = 5000
AT_ONCE = 500


class PoolConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self._pump: asyncio.Task[None] | None = None
        team = self.scope.get("team")
        await self.accept()
        if team is None:
            await self.close(UNAUTHENTICATED)
            return
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        asked = [query.get(name, [""])[0] for name in ("seq", "epoch")]
        if any(text and not (text.isascii() and text.isdigit() and len(text) < 19) for text in asked):
            await self.close(BAD_REQUEST)
            return
        self._team_id: int = team.id
        self._keys = Keys(prefix_of(settings.AFLOW_INSTANCE))
        self._pump = asyncio.create_task(self._run(*(int(text) if text else -1 for text in asked)))

    async def disconnect(self, code: int) -> None:
        if self._pump is not None:
            self._pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pump

    async def _run(self, seq: int, epoch: int) -> None:
        try:
            # The library's own time-out is as long as our quiet reads, and would end every one of them.
            patience = BLOCK_MS / 1000 + PATIENCE
            async with redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=patience) as client:
                await self._follow(client, seq, epoch)
        except (RedisError, OSError):
            await self.close(TRY_AGAIN)
        except Exception:  # an open socket that says nothing more would pass for a quiet platform
            log.exception("the live view of team %d broke off", self._team_id)
            await self.close(TRY_AGAIN)

    async def _follow(self, client: redis.asyncio.Redis, seq: int, epoch: int) -> None:
        current = await self._epoch(client)
        if epoch != current or not await self._remembered(client, seq):
            seq = await self._snapshot(client, current)
        while True:
            found: Any = await client.xread({self._keys.stream: f"{seq}-0"}, count=AT_ONCE, block=BLOCK_MS)
            for _, entries in found or ():
                for entry_id, fields in entries:
                    seq = int(entry_id.split(b"-")[0])
                    if int(fields[b"team"]) == self._team_id:
                        await self.send(text_data=fields[b"body"].decode())
            if not found and await self._epoch(client) != current:
                # Redis lost its memory: numbers begin anew, so does the view.
                current = await self._epoch(client)
                seq = await self._snapshot(client, current)

    async def _epoch(self, client: redis.asyncio.Redis) -> int:
        return int(await client.get(self._keys.epoch) or 0)

    async def _remembered(self, client: redis.asyncio.Redis, seq: int) -> bool:
        last = int(await client.get(f"{self._keys.stream}:seq") or 0)
        if seq == last:
            return True
        oldest: Any = await client.xrange(self._keys.stream, count=1)
        return bool(oldest) and int(oldest[0][0].split(b"-")[0]) <= seq + 1 <= last

    async def _snapshot(self, client: redis.asyncio.Redis, epoch: int) -> int:
        """The number is read first: a change in between is told twice rather than never."""
        seq = int(await client.get(f"{self._keys.stream}:seq") or 0)
        message = await self._shapes()
        await self.send(
            text_data=orjson.dumps({"type": "snapshot", "seq": seq, "epoch": epoch, **message}).decode()
        )
        return seq

    @database_sync_to_async
    def _shapes(self) -> dict[str, Any]:
        return {
            "pools": [pool_payload(view, self._team_id) for view in pools.list_pools(self._team_id)],
            "agents": [agent_payload(view) for view in pools.list_agents(self._team_id)],
        }
