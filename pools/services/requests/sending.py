"""One request on its way to an agent: sent once, its answer handed on as it comes, and its end written down.

The claim is renewed while it goes on; a connection of its own is used, so that nothing is ever sent twice
over a connection that had died.
Does not: choose what to send, or try again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from pools.domain.headers import REPLAY, REQUEST_ID, Pairs, to_client
from pools.domain.requests import FailReason
from pools.models import AgentRequest
from pools.services.controller.registry import in_database, now
from pools.services.requests import store

log = logging.getLogger(__name__)

RENEW_EVERY = 8.0  # seconds
CONNECT_WITHIN = 5.0
_OUR_OWN = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")  # that the library would add
Body = bytes | AsyncIterator[bytes]


class NotSent(Exception):
    """No connection: the agent cannot have it."""


class Broken(Exception):
    """The connection broke, or nothing came in time: the agent may have it, or not."""

    def __init__(self, reason: FailReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """Where an agent listens, and the token that it knows us by. `silence`: seconds without a byte after
    which an answer is given up; `kept`: bytes of an answer that are stored."""

    address: str
    token: str
    prefix: str  # the address of the proxy, for agents that make links
    silence: float = 300.0
    kept: int = 1024 * 1024
    cancelled: FailReason = FailReason.CLIENT_GONE  # why whoever waits for the answer is cancelled


class Answer:
    """The head of the answer, and an iterator over its body; `close` or read it to its end."""

    def __init__(self, delivery: Delivery, response: aiohttp.ClientResponse) -> None:
        self._delivery = delivery
        self._response = response
        self._loop = asyncio.get_running_loop()
        self._kept = bytearray()
        self._size = 0
        self.status = response.status
        self.headers: Pairs = to_client(response.headers.items())

    def __aiter__(self) -> Answer:
        return self

    async def __anext__(self) -> bytes:
        """Raises `Broken`."""
        try:
            piece = await self._response.content.readany()
        except asyncio.CancelledError:
            await self._delivery.fail(self._delivery.target.cancelled)
            raise
        except TimeoutError as exc:
            await self._delivery.fail(FailReason.TIMEOUT)
            raise Broken(FailReason.TIMEOUT) from exc
        except (aiohttp.ClientError, OSError) as exc:
            await self._delivery.fail(FailReason.INTERRUPTED)
            raise Broken(FailReason.INTERRUPTED) from exc
        if not piece:
            await self._delivery.complete(self.status, self.headers, bytes(self._kept), self._size)
            raise StopAsyncIteration
        self._size += len(piece)
        self._kept += piece[: max(0, self._delivery.target.kept - len(self._kept))]
        return piece

    async def read(self) -> bytes:
        """The whole body. Raises `Broken`."""
        return b"".join([piece async for piece in self])

    async def aclose(self) -> None:
        await self._delivery.fail(FailReason.CLIENT_GONE)

    def close(self) -> None:
        """From any thread: whoever read has hung up, or has read to the end."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and everything with it
            self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self.aclose()))


class Delivery:
    """`request` is held by `holder`."""

    def __init__(self, request: AgentRequest, target: Target, holder: str) -> None:
        self.target = target
        self._request = request
        self._holder = holder
        self._session: aiohttp.ClientSession | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._response: aiohttp.ClientResponse | None = None
        self._over = False

    async def send(self, body: Body) -> Answer:
        """Returns with the head of the answer. Raises `NotSent` (the request waits again, when it is stored
        whole), or `Broken` (it has failed)."""
        self._renewing = asyncio.create_task(self._renew())
        self._session = _session(self.target)
        try:
            response = await self._session.request(
                self._request.method,
                # As the client wrote it: decoding and encoding would change what some agents tell apart.
                URL(f"http://{self.target.address}{self._request.path}", encoded=True),
                data=body or None,
                headers=self._headers(),
                allow_redirects=False,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
            await self._give_back()
            raise NotSent from exc
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as exc:
            late = isinstance(exc, TimeoutError)
            reason = FailReason.TIMEOUT if late else FailReason.INTERRUPTED
            await self.fail(reason)
            raise Broken(reason) from exc
        except asyncio.CancelledError:
            await self.fail(self.target.cancelled)
            raise
        self._response = response
        return Answer(self, response)

    def _headers(self) -> CIMultiDict[str]:
        found: CIMultiDict[str] = CIMultiDict((name, value) for name, value in self._request.headers)
        found["Authorization"] = f"Bearer {self.target.token}"
        found["X-Forwarded-Prefix"] = self.target.prefix
        found[REQUEST_ID] = str(self._request.id)
        if self._request.replays:
            found[REPLAY] = "true"
        return found

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY)
            if not await in_database(store.renew, self._request.pk, self._holder, now()):
                log.warning("request %s is not ours any more; its answer will not count", self._request.id)
                return

    async def complete(self, status: int, headers: Pairs, body: bytes, size: int) -> None:
        what: dict[str, Any] = {"status": status, "headers": headers, "body": body, "size": size}
        await self._end(store.complete, **what, now=now())

    async def fail(self, reason: FailReason) -> None:
        await self._end(store.fail, reason, now())

    async def _give_back(self) -> None:
        if self._request.whole:
            await self._end(store.give_back)
        else:
            await self.fail(FailReason.TOO_LARGE)

    async def _end(self, write: Any, *args: Any, **kwargs: Any) -> None:
        """Once, and also when whoever waits for it is cancelled meanwhile."""
        if self._over:
            return
        self._over = True
        await asyncio.shield(asyncio.ensure_future(self._write(write, *args, **kwargs)))

    async def _write(self, write: Any, *args: Any, **kwargs: Any) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
        if self._response is not None:
            self._response.close()
        if self._session is not None:
            await self._session.close()
        await in_database(write, self._request.pk, self._holder, *args, **kwargs)


def _session(target: Target) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=1, force_close=True),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN, sock_read=target.silence),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # bytes pass as they are
        skip_auto_headers=_OUR_OWN,
    )
