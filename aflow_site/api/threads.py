"""Where requests are worked on: nearly all in a thread from beginning to end, those of `/agent/` on the loop.

Django's own handler walks between the loop and a thread at every middleware, and makes a thread and a
database connection for every request: two thirds of what a short request costs. Views here are synchronous,
and so is `InThread`'s way to them, in a thread that keeps its connection for the requests to come.
The proxy to agents is asynchronous, as thousands of its requests may wait at once: it has Django's way, and
a connection that ends with the request. Kept open for reuse (`CONN_MAX_AGE`), that would stay until the
garbage collector finds it, with its caches and one of the places that PostgreSQL has.
Of a crowd, few begin at once (`Gate`).
Does not: touch the connections of websockets, which share a thread that stays.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from threading import Lock
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import close_old_connections, connections
from django.http import HttpRequest, HttpResponseBase

KEPT = 4  # threads without work, each with a connection to the database
BURST = 16  # requests at once, after which none is kept
BEGINNING = 16  # requests at once that have just begun
JUST = 0.1  # seconds: a short request has ended by then
_bare = contextvars.copy_context()


class InThread(ASGIHandler):
    """Django's handler of ASGI with all middleware and the view in one thread."""

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


class Gate:
    """Lets requests begin in the order in which they came, and `at_once` of them have `just` (seconds) begun.

    Python runs one thread at a time: a thousand that begin together cost three times as much as a thousand in
    turn. Whoever takes longer, for its work or in waiting for an agent, holds up nobody after that.
    """

    def __init__(self, at_once: int = BEGINNING, just: float = JUST) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._just = just

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Around the whole of a request."""
        await self._free.acquire()
        beginning = True

        def begun() -> None:
            nonlocal beginning
            if beginning:
                beginning = False
                self._free.release()

        timer = asyncio.get_running_loop().call_later(self._just, begun)
        try:
            yield
        finally:
            timer.cancel()
            begun()


class Threads:
    """A thread for each request that is under way; the one that was used last is used next.

    A thread is given on when all that its request began in it has ended: a view goes on when its client has
    hung up. After a burst all end, since SQLite closes the files of its connections when none is left.
    """

    def __init__(self, kept: int = KEPT, burst: int = BURST, gate: Gate | None = None) -> None:
        self._kept = kept
        self._burst = burst
        self._gate = gate or Gate()
        self._lock = Lock()
        self._idle: list[ThreadPoolExecutor] = []
        self._busy = 0
        self._most = 0  # busy at once, since none was

    def around(self, application: Any) -> Any:
        """Around an ASGI application that answers HTTP."""

        async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
            async with self._gate.passed():
                thread = self._take()
                try:
                    await _in(thread, application, scope, receive, send)
                finally:
                    thread.submit(self._put_back, thread)

        return answer

    def close(self) -> None:
        """Ends those without work, with their connections."""
        for thread in self._end_idle():
            thread.shutdown()

    def _take(self) -> ThreadPoolExecutor:
        with self._lock:
            self._busy += 1
            self._most = max(self._most, self._busy)
            if self._idle:
                return self._idle.pop()
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix="request")

    def _put_back(self, thread: ThreadPoolExecutor) -> None:
        """The last work of a request in its thread."""
        close_old_connections()  # a request that was broken off ends without Django's own look at it
        with self._lock:
            self._busy -= 1
            keep = len(self._idle) < self._kept
            if keep:
                self._idle.append(thread)
            after_burst = not self._busy and self._most > self._burst
            if not self._busy:
                self._most = 0
        if not keep:
            connections.close_all()
            thread.shutdown(wait=False)
        if after_burst:
            self._end_idle()

    def _end_idle(self) -> list[ThreadPoolExecutor]:
        with self._lock:
            ending, self._idle = self._idle, []
        for thread in ending:
            thread.submit(connections.close_all)
            thread.shutdown(wait=False)
        return ending


async def _in(
    thread: ThreadPoolExecutor, application: Any, scope: dict[str, Any], receive: Any, send: Any
) -> None:
    async with ThreadSensitiveContext(executor=thread):  # Django's own is inside, and gives way
        try:
            await application(scope, receive, send)
        except asyncio.CancelledError:
            # The server stops. Django leaves the view and its answer to themselves then; this waits behind
            # the view, so that the loop is there as long as it works.
            await sync_to_async(_nothing)()
            raise


def _nothing() -> None: ...


def closing_connections(application: Any) -> Any:
    """Around an ASGI application that answers HTTP: a thread and a connection of its own for each request."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        async with ThreadSensitiveContext():  # Django's own is inside, and gives way
            try:
                await application(scope, receive, send)
            finally:
                await sync_to_async(connections.close_all)()

    return answer


def by_path(to_agents: Any, others: Any) -> Any:
    """An ASGI application that answers HTTP, of two: `/agent/…`, and all else."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope["path"].removeprefix(get_script_prefix(scope))
        await (to_agents if path.startswith("/agent/") else others)(scope, receive, send)

    return answer


def on_its_own(application: Any) -> Any:
    """Around any ASGI application: a request is nobody's child.

    One that follows another on its connection may be begun by the end of that (Twisted does), in its context,
    and would look for its thread.
    """

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if SyncToAsync.thread_sensitive_context.get(None) is None:
            await application(scope, receive, send)
        else:
            await asyncio.create_task(application(scope, receive, send), context=_bare.copy())

    return answer
