"""One connection to Redis that many coroutines share, without a lock and without a task per call.

Commands go out in the order in which they were called and are answered in that order (Redis promises it), so:
- calls made in the same moment travel together (pipelining for free);
- a coroutine that is cancelled while it waits disturbs nobody: its answer is dropped, and whatever it sends
  afterwards takes effect after what it sent before. The leases' clean-up relies on that.

A lost connection, or one whose oldest call stays without an answer for too long (a host that vanished sends
no reset), fails the calls in flight with `ConnectionError`; the next call connects again. A server that is
there but cannot serve (it reads its memory from the disk, it is a replica now) counts as one that is away.
Does not: retry, speak to a cluster, or subscribe.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import hiredis

from aflow_site.kernel.waits import set_within
from pools.leases.scripts import Script, load

Argument = str | bytes | int | float

PATIENCE = 5.0  # seconds for a connection, and for each answer
# The first words of what a server answers that will take the same command later, or whose successor will.
NOT_NOW = frozenset({"LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY"})
ELSEWHERE = frozenset({"MASTERDOWN", "READONLY"})  # a connection made anew may lead to another server


def _pack(command: Sequence[Argument]) -> bytes:
    # The library's stub asks for a tuple of one.
    packed: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]
    return packed


class RedisReplyError(Exception):
    """Redis refused a command; the text is its own."""


class _Protocol(asyncio.Protocol):
    def __init__(self, patience: float) -> None:
        self.reader = hiredis.Reader()
        self.patience = patience
        self.pending: deque[tuple[asyncio.Future[Any], float]] = deque()  # with the time of each call
        self.transport: asyncio.Transport | None = None
        self.outgoing: list[bytes] = []
        self.loop = asyncio.get_running_loop()
        self.alarm: asyncio.TimerHandle | None = None
        self.fault = "the connection to Redis was lost"
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.reader.feed(data)
        while (reply := self.reader.gets()) is not False:
            future, _ = self.pending.popleft()
            if not future.done():
                if isinstance(reply, hiredis.ReplyError):
                    future.set_exception(self._refusal(str(reply)))
                else:
                    future.set_result(reply)

    def _refusal(self, text: str) -> Exception:
        word = text.partition(" ")[0]
        if word in ELSEWHERE:
            self.loop.call_soon(self.abort)
        return ConnectionError(f"Redis cannot serve: {text}") if word in NOT_NOW else RedisReplyError(text)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.ended.set()
        if self.alarm is not None:
            self.alarm.cancel()
        for future, _ in self.pending:
            if not future.done():
                future.set_exception(ConnectionError(self.fault))
        self.pending.clear()
        self.outgoing.clear()

    def watch(self) -> None:
        """Answers come in order, so the oldest call tells of all: one timer serves the connection."""
        self.alarm = None
        if not self.pending:
            return
        left = self.pending[0][1] + self.patience - self.loop.time()
        if left > 0:
            self.alarm = self.loop.call_later(left, self.watch)
            return
        self.fault = f"Redis did not answer within {self.patience:g} s"
        self.abort()

    def send(self, packed: bytes) -> asyncio.Future[Any]:
        """Queues one command; what one turn of the loop queues leaves in one write."""
        if self.transport is None:
            raise ConnectionError(self.fault)
        future: asyncio.Future[Any] = self.loop.create_future()
        self.pending.append((future, self.loop.time()))
        if self.alarm is None:
            self.alarm = self.loop.call_later(self.patience, self.watch)
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
    """`call("GET", key)` and `run(script, *args)`; answers are bytes, ints, lists of them, or None.

    `patience` is for each answer; a wire for commands that block in Redis needs more of it.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self._url = urlsplit(url)
        self._patience = patience
        self._protocol: _Protocol | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        return self._protocol is not None and self._protocol.transport is not None

    async def connect(self) -> None:
        """All who call meanwhile share one attempt, and its failure: their waits do not add up."""
        if self.connected:
            return
        if self._closed:
            raise ConnectionError("this connection to Redis was closed")
        attempt = self._attempt
        if attempt is None:
            attempt = self._attempt = asyncio.create_task(self._connect())
            attempt.add_done_callback(self._attempted)
        await asyncio.wait({attempt})
        if attempt.cancelled():
            raise ConnectionError("this connection to Redis was closed")
        attempt.result()

    def _attempted(self, attempt: asyncio.Task[None]) -> None:
        self._attempt = None
        if not attempt.cancelled():
            attempt.exception()  # told to those who waited, if any still do

    async def _connect(self) -> None:
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

        def protocol() -> _Protocol:
            return _Protocol(self._patience)

        try:
            async with asyncio.timeout(PATIENCE):
                if url.scheme == "unix":
                    _, made = await loop.create_unix_connection(protocol, url.path)
                else:
                    context = ssl.create_default_context() if url.scheme == "rediss" else None
                    host, port = url.hostname or "localhost", url.port or 6379
                    _, made = await loop.create_connection(protocol, host, port, ssl=context)
        except TimeoutError as exc:
            raise ConnectionError(f"Redis does not answer at {url.hostname or url.path}.") from exc
        except OSError as exc:
            raise ConnectionError(f"Redis does not answer at {url.hostname or url.path}: {exc}") from exc
        return made

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
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.wait({self._attempt})
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.close()
            if not await set_within(protocol.ended, 2):  # the server does not take what we still had to say
                protocol.abort()

    def abort(self) -> None:
        """Drops the connection without leave-taking (tests of lost connections)."""
        if self._protocol is not None:
            self._protocol.abort()

    async def call(self, *command: Argument) -> Any:
        """Raises `ConnectionError` (it may be called again) or `RedisReplyError`."""
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
