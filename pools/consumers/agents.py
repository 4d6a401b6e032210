"""A deployed agent live: its log as it is written, and what it uses, every second.

Does not: write anything, or keep what it told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import parse_qs

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer

from aflow_site.kernel.errors import FlowError, NotFound
from pools.facade import agents

log = logging.getLogger(__name__)

UNAUTHENTICATED, BAD_REQUEST, UNKNOWN, TRY_AGAIN, NOT_POSSIBLE = 4401, 4400, 4404, 1013, 4501
LOOK_AGAIN = 1.0  # seconds until an agent that has ended is looked for again
MOST_LINES = 10_000


class _Live(AsyncWebsocketConsumer, ABC):
    """Runs `pump` until the client goes."""

    async def connect(self) -> None:
        self._task: asyncio.Task[None] | None = None
        team = self.scope.get("team")
        await self.accept()
        if team is None:
            await self.close(UNAUTHENTICATED)
            return
        self.team_id: int = team.id
        self.ref: str = self.scope["url_route"]["kwargs"]["ref"]
        self._task = asyncio.create_task(self._run())

    async def disconnect(self, code: int) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        try:
            await self.pump()
        except NotFound:
            await self.close(UNKNOWN)
        except FlowError as exc:
            await self.tell({"type": "problem", "detail": exc.detail})
            await self.close(NOT_POSSIBLE if exc.status == 501 else TRY_AGAIN)
        except Exception:  # an open socket that says nothing more would pass for a quiet agent
            log.exception("the live view of agent %s broke off", self.ref)
            await self.close(TRY_AGAIN)

    @abstractmethod
    async def pump(self) -> None:
        """Tells what there is to tell, until it is cancelled or has closed the socket. Raises `NotFound`, and
        other `FlowError`s."""

    async def tell(self, message: dict[str, Any]) -> None:
        await self.send(text_data=orjson.dumps(message).decode())


class AgentLogConsumer(_Live):
    """`{"type": "log", "text": …}` pieces; `{"type": "ended"}` when the agent ends. It goes on when the agent
    is started again. `?tail=` lines come first."""

    async def pump(self) -> None:
        given = parse_qs(self.scope["query_string"].decode("latin-1")).get("tail", ["100"])[0]
        if not (given.isascii() and given.isdigit() and int(given[:9]) <= MOST_LINES):
            await self.close(BAD_REQUEST)
            return
        tail, told_end = int(given), False
        while True:
            async for piece in agents.follow(self.team_id, self.ref, tail):
                told_end = False
                await self.tell({"type": "log", "text": piece})
            if not told_end:
                told_end = True
                await self.tell({"type": "ended"})
            # What it writes until we look again comes with the next piece, if it is started meanwhile.
            tail = 0
            await asyncio.sleep(LOOK_AGAIN)


class AgentUsageConsumer(_Live):
    """`{"type": "usage", …}` every second, as `GET …/metrics/` tells it; `{"type": "ended"}` while it does
    not run."""

    async def pump(self) -> None:
        running = True
        while True:
            async for usage in agents.usage(self.team_id, self.ref):
                running = True
                await self.tell({"type": "usage", "running": True, **usage.as_dict()})
            if running:
                running = False
                await self.tell({"type": "ended", "running": False})
            await asyncio.sleep(LOOK_AGAIN)
