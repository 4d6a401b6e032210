"""One connection to Redis that many coroutines share, without a lock and without a task per call.

Commands go out in the order in which they were called and are answered in that order (Redis promises it), so:
- calls made in the same moment travel together (pipelining for free);
- a coroutine that is cancelled while it waits disturbs nobody: its answer is dropped, and whatever it sends
  afterwards takes effect after what it sent before. The leases' clean-up relies on that.

Does not: retry, speak to a cluster, or subscribe. A lost connection fails the calls in flight with
`ConnectionError`; the next call connects again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import hiredis

from pools.leases.scripts import Script, load

Argument = str | bytes | int | float


def _pack(command: Sequence[Argument]) -> bytes:
    # The library's stub asks for a tuple of one.
    packed: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]
    return packed


class RedisReplyError(Exception):
    """Redis refused a command; the text is its own."""


class _Protocol(asyncio.Protocol):
    def __init__(self) -> None:
        self.reader = hiredis.Reader()
        self.pending: deque[asyncio.Future[Any]] = deque()
        self.transport: asyncio.Transport | None = None
        self.outgoing: list[bytes] = []
        self.loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.reader.feed(data)
        while (reply := self.reader.gets()) is not False:
            future = self.pending.popleft()
            if not future.done():
                if isinstance(reply, hiredis.ReplyError):
                    future.set_exception(RedisReplyError(str(reply)))
                else:
                    future.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.ended.set()
        for future in self.pending:
            if not future.done():
                future.set_exception(ConnectionError("the connection to Redis was lost"))
        self.pending.clear()
        self.outgoing.clear()

    def send(self, packed: bytes) -> asyncio.Future[Any]:
        """Queues one command; what one turn of the loop queues leaves in one write."""
        future: asyncio.Future[Any] = self.loop.create_future()
        self.pending.append(future)
        if not self.outgoing:
            self.loop.call_soon(self.flush)
        self.outgoing.append(packed)
        return future

    def close(self) -> None:
        if self.transport is not None:
            self.flush()
            self.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def flush(self) -> None:
        if self.transport is not None and self.outgoing:
            self.transport.write(b"".join(self.outgoing))
        self.outgoing.clear()


class Wire:
    """`call("GET", key)` and `run(script, *args)`; answers are bytes, ints, lists of them, or None."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._protocol: _Protocol | None = None
        self._connecting: asyncio.Lock = asyncio.Lock()
        self._closed = False

    @property
    def connected(self) -> bool:
        return self._protocol is not None and self._protocol.transport is not None

    async def connect(self) -> None:
        async with self._connecting:
            if self.connected:
                return
            if self._closed:
                raise ConnectionError("this connection to Redis was closed")
            protocol = await self._open()
            try:
                for command in self._greeting():
                    await protocol.send(_pack(command))
                for script in load().values():
                    await protocol.send(_pack((b"SCRIPT", b"LOAD", script.text)))
            except BaseException:
                protocol.close()
                raise
            self._protocol = protocol

    async def _open(self) -> _Protocol:
        loop = asyncio.get_running_loop()
        url = self._url
        try:
            async with asyncio.timeout(5):
                if url.scheme == "unix":
                    _, protocol = await loop.create_unix_connection(_Protocol, url.path)
                else:
                    context = ssl.create_default_context() if url.scheme == "rediss" else None
                    host, port = url.hostname or "localhost", url.port or 6379
                    _, protocol = await loop.create_connection(_Protocol, host, port, ssl=context)
        except (OSError, TimeoutError) as exc:
            raise ConnectionError(f"Redis does not answer at {url.hostname or url.path}: {exc}") from exc
        return protocol

    def _greeting(self) -> list[tuple[str, ...]]:
        commands: list[tuple[str, ...]] = []
        if self._url.password:
            user = (unquote(self._url.username),) if self._url.username else ()
            commands.append(("AUTH", *user, unquote(self._url.password)))
        database = self._url.path.strip("/") if self._url.scheme != "unix" else ""
        if database.isdigit() and database != "0":
            commands.append(("SELECT", database))
        return commands

    async def close(self) -> None:
        self._closed = True
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.close()
            try:
                await asyncio.wait_for(protocol.ended.wait(), 2)
            except TimeoutError:  # the server does not take what we still had to say
                protocol.abort()

    def abort(self) -> None:
        """Drops the connection without leave-taking (tests of lost connections)."""
        if self._protocol is not None:
            self._protocol.abort()

    async def call(self, *command: Argument) -> Any:
        """Raises `ConnectionError` or `RedisReplyError`."""
        if not self.connected:
            await self.connect()
        assert self._protocol is not None
        return await self._protocol.send(_pack(command))

    async def run(self, script: Script, args: Sequence[Argument]) -> Any:
        if not self.connected:
            await self.connect()
        assert self._protocol is not None
        packed = _pack((b"EVALSHA", script.sha, b"0", *args))
        try:
            return await self._protocol.send(packed)
        except RedisReplyError as exc:
            if not str(exc).startswith("NOSCRIPT"):
                raise
        # Redis was restarted or flushed of its scripts behind this connection.
        return await self.call(b"EVAL", script.text, b"0", *args)
