"""Websockets to a deployed agent, through us: messages are relayed both ways, as they are.

They are not stored: what comes while the agent is down is refused with a code that says try again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from urllib.parse import parse_qsl, quote, urlencode

import aiohttp
from channels.generic.websocket import AsyncWebsocketConsumer

from aflow_site.kernel.errors import FlowError
from pools.domain.headers import to_agent
from pools.facade import agents
from teams.facade.contracts import Role

log = logging.getLogger(__name__)

UNAUTHENTICATED, NOT_ALLOWED, UNKNOWN, TRY_AGAIN = 4401, 4403, 4404, 1013
BIGGEST = 16 * 1024 * 1024  # bytes of a message
OURS = frozenset({"token", "team"})  # of the query: they say who asks
_HANDSHAKE = "sec-websocket-"


class ProxyConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._agent: aiohttp.ClientWebSocketResponse | None = None
        team = self.scope.get("team")
        if team is None or not team.role.includes(Role.EDITOR):
            await self._refuse(UNAUTHENTICATED if team is None else NOT_ALLOWED)
            return
        kwargs = self.scope["url_route"]["kwargs"]
        try:
            target = await agents.address_of(team.id, kwargs["ref"])
        except FlowError:
            await self._refuse(UNKNOWN)
            return
        if target is None or not await self._dial(target.address, target.token, kwargs.get("path") or "/"):
            await self._refuse(TRY_AGAIN)
            return
        assert self._agent is not None
        await self.accept(self._agent.protocol)
        self._task = asyncio.create_task(self._pump(self._agent))

    async def _refuse(self, code: int) -> None:
        """Accepted only to be closed with a code that says why."""
        await self.accept()
        await self.close(code)

    async def _dial(self, address: str, token: str, path: str) -> bool:
        query = parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        rest = urlencode([(name, value) for name, value in query if name not in OURS])
        url = f"ws://{address}{quote(path, safe='/:@!$&()*+,;=~-._')}" + (f"?{rest}" if rest else "")
        given = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.scope["headers"]]
        headers = [
            (name, value) for name, value in to_agent(given) if not name.lower().startswith(_HANDSHAKE)
        ]
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        try:
            self._agent = await self._session.ws_connect(
                url,
                headers=[*headers, ("Authorization", f"Bearer {token}")],
                protocols=self.scope.get("subprotocols", ()),
                max_msg_size=BIGGEST,
                timeout=aiohttp.ClientWSTimeout(ws_close=5),
            )
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as exc:
            log.info("no websocket to %s: %s", address, exc)
            return False
        return True

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._agent is None:
            return
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            if text_data is not None:
                await self._agent.send_str(text_data)
            elif bytes_data is not None:
                await self._agent.send_bytes(bytes_data)

    async def _pump(self, agent: aiohttp.ClientWebSocketResponse) -> None:
        async for message in agent:
            if message.type is aiohttp.WSMsgType.TEXT:
                await self.send(text_data=message.data)
            elif message.type is aiohttp.WSMsgType.BINARY:
                await self.send(bytes_data=message.data)
        code = agent.close_code
        await self.close(code if code is not None and _may_be_sent(code) else TRY_AGAIN)

    async def disconnect(self, code: int) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._agent is not None:
            await self._agent.close(code=code if _may_be_sent(code) else 1000)
        if self._session is not None:
            await self._session.close()


def _may_be_sent(code: int | None) -> bool:
    """RFC 6455, section 7.4: others tell of trouble on the way, and are never on the wire."""
    return code is not None and (
        (1000 <= code <= 1014 and code not in (1004, 1005, 1006)) or 3000 <= code <= 4999
    )
