"""The live view of a team's decisions: the newest as a snapshot, then each one after it, in order.

They come from the rows; a message on the channel layer only says that there are more. So a lost message costs
a delay, never a decision, and a client that comes back with its last `seq` (a decision's id) misses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from aflow_site.kernel.json import to_json
from aflow_site.kernel.waits import set_within
from scaling.selectors import decisions as read
from scaling.services.decisions import group

log = logging.getLogger(__name__)

POLL = 5.0  # seconds without a message after which the rows are asked anyway
PAGE = 200
IN_SNAPSHOT = 100
UNAUTHENTICATED, BAD_REQUEST, TRY_AGAIN = 4401, 4400, 4503


class DecisionConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self._pump: asyncio.Task[None] | None = None
        self._team: int | None = None
        team = self.scope.get("team")
        await self.accept()
        if team is None:
            await self.close(UNAUTHENTICATED)
            return
        seq = parse_qs(self.scope["query_string"].decode("latin-1")).get("seq", [None])[0]
        if seq is not None and not (seq.isascii() and seq.isdigit() and len(seq) < 19):
            await self.close(BAD_REQUEST)
            return
        self._team = team.id
        self._news = asyncio.Event()
        await self.channel_layer.group_add(group(team.id), self.channel_name)
        self._pump = asyncio.create_task(self._run(None if seq is None else int(seq)))

    async def disconnect(self, code: int) -> None:
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        if self._team is not None:
            await self.channel_layer.group_discard(group(self._team), self.channel_name)

    async def decisions_made(self, _message: dict[str, Any]) -> None:
        self._news.set()

    async def _run(self, seq: int | None) -> None:
        try:
            await self._follow(seq)
        except Exception:  # an open socket that says nothing more would pass for a quiet platform
            log.exception("the live view of decisions ends")
            await self.close(TRY_AGAIN)

    async def _follow(self, seq: int | None) -> None:
        newest = await database_sync_to_async(read.newest)(self._team, IN_SNAPSHOT)
        last = newest[0].pk if newest else 0
        if seq is None or seq > last:
            shapes = [read.decision_shape(row) for row in newest]
            await self._send({"type": "snapshot", "seq": last, "decisions": shapes})
            seq = last
        while True:
            self._news.clear()
            found = await database_sync_to_async(read.after)(self._team, seq, PAGE)
            for row in found:
                await self._send({"type": "decision", "seq": row.pk, "decision": read.decision_shape(row)})
                seq = row.pk
            if len(found) < PAGE:
                await set_within(self._news, POLL)

    async def _send(self, message: dict[str, Any]) -> None:
        await self.send(text_data=to_json(message).decode())
