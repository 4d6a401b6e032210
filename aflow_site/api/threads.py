"""Where requests are worked on: nearly all in a thread from beginning to end, those of `/agent/` on the loop.

Django's own handler walks between the loop and a thread at every middleware, and makes a thread and a
database connection for every request: two thirds of what a short request costs. Views here are synchronous,
and so is `InThread`'s way to them, in a thread that keeps its connection for the requests to come.
The proxy to agents is asynchronous, as thousands of its requests may wait at once: it has Django's way, and
a connection that ends with the request. Kept open for reuse (`CONN_MAX_AGE`), that would stay until the
garbage collector finds it, with its caches and one of the places that PostgreSQL has.
Does not: touch the connections of websockets, which share a thread that stays.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.db import close_old_connections, connections
from django.http import HttpRequest, HttpResponseBase

KEPT = 4  # threads without work, each with a connection to the database


class InThread(ASGIHandler):
    """Django's handler of ASGI with all middleware and the view in one thread."""

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


class Threads:
    """A thread for each request that is under way; the one that was used last is used next.

    A thread is given on when all that its request began in it has ended: a view goes on when its client has
    hung up.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._idle: deque[ThreadPoolExecutor] = deque()

    def around(self, application: Any) -> Any:
        """Around an ASGI application that answers HTTP and leaves no task behind."""

        async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
            thread = self._take()
            try:
                async with ThreadSensitiveContext(executor=thread):  # Django's own is inside, and gives way
                    await application(scope, receive, send)
            finally:
                thread.submit(self._put_back, thread)

        return answer

    def close(self) -> None:
        """Ends those without work, with their connections."""
        while self._idle:
            thread = self._idle.pop()
            thread.submit(connections.close_all)
            thread.shutdown()

    def _take(self) -> ThreadPoolExecutor:
        try:
            return self._idle.pop()
        except IndexError:
            return ThreadPoolExecutor(max_workers=1, thread_name_prefix="request")

    def _put_back(self, thread: ThreadPoolExecutor) -> None:
        """The last work of a request in its thread."""
        if len(self._idle) < self._kept:
            close_old_connections()  # a request that was broken off ends without Django's own look at it
            self._idle.append(thread)
        else:
            connections.close_all()
            thread.shutdown(wait=False)


def closing_connections(application: Any) -> Any:
    """Around an ASGI application that answers HTTP: a thread and a connection of its own for each request."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        async with ThreadSensitiveContext():  # Django's own is inside, and gives way
            try:
                await application(scope, receive, send)
            finally:
                await sync_to_async(connections.close_all)()

    return answer
