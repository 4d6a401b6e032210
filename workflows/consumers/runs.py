"""The live view of one run: a snapshot, then every event after it, in order and without gaps.

The events come from the rows; a message on the channel layer only says that there are more. So a lost message
costs a delay (`POLL`), never an event, and a client that reconnects with its last `seq` misses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from aflow_site.kernel.errors import NotFound
from aflow_site.kernel.json import to_json
from aflow_site.kernel.waits import set_within
from workflows.selectors import runs as read
from workflows.services.nudges import run_group

log = logging.getLogger(__name__)

POLL = 2.0  # seconds without a message after which the rows are asked anyway
PAGE = 500

UNAUTHENTICATED = 4401
NOT_FOUND = 4404
BAD_REQUEST = 4400
TRY_AGAIN = 4503


class RunConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self._pump: asyncio.Task[None] | None = None
        team = self.scope.get("team")
        await self.accept()
        if team is None:
            await self.close(UNAUTHENTICATED)
            return
        self.run_id: UUID = self.scope["url_route"]["kwargs"]["run_id"]
        seq = parse_qs(self.scope["query_string"].decode("latin-1")).get("seq", [None])[0]
        if seq is not None and not (seq.isascii() and seq.isdigit() and len(seq) < 19):
            await self.close(BAD_REQUEST)
            return
        # The group first, the snapshot second: what happens in between is told twice rather than never.
        self._news = asyncio.Event()
        await self.channel_layer.group_add(run_group(self.run_id), self.channel_name)
        try:
            snapshot = await self._snapshot(team.id)
        except NotFound:
            await self.close(NOT_FOUND)
            return
        self.seq = int(seq) if seq is not None and int(seq) <= snapshot["seq"] else snapshot["seq"]
        if seq is None or int(seq) > snapshot["seq"]:
            await self._send(snapshot)
        self._pump = asyncio.create_task(self._pump_or_close())

    async def disconnect(self, code: int) -> None:
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        if hasattr(self, "run_id"):
            await self.channel_layer.group_discard(run_group(self.run_id), self.channel_name)

    async def run_changed(self, _message: dict[str, Any]) -> None:
        self._news.set()

    @database_sync_to_async
    def _snapshot(self, team_id: int) -> dict[str, Any]:
        run = read.get_run(team_id, self.run_id)
        # Read before the steps: an event between the two is sent again, and tells the same.
        seq = run.last_seq
        steps = read.steps_of(run)
        return {"type": "snapshot", "seq": seq, "run": read.run_detail(run), "steps": steps}

    async def _pump_or_close(self) -> None:
        """A socket that cannot tell the news closes: its client comes back with its last `seq`."""
        try:
            await self._pump_events()
        except Exception:
            log.exception("the live view of run %s ends", self.run_id)
            await self.close(TRY_AGAIN)

    async def _pump_events(self) -> None:
        while True:
            self._news.clear()
            events = await database_sync_to_async(read.events_after)(self.run_id, self.seq, PAGE)
            for event in events:
                shape = read.event_shape(event)
                await self._send({**shape, "type": "event", "event": event.type})
                self.seq = event.seq
            if len(events) == PAGE:
                continue
            await set_within(self._news, POLL)

    async def _send(self, message: dict[str, Any]) -> None:
        await self.send(text_data=to_json(message).decode())
