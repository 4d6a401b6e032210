"""A request's database connection ends with the request.

Each request over ASGI has a thread of its own, hence a connection of its own, which nobody uses afterwards.
Kept open for reuse (`CONN_MAX_AGE`), it would stay until the garbage collector finds it, with its caches and
one of the places that PostgreSQL has.
Does not: touch the connections of websockets, which share a thread that stays.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connections


def closing_connections(application: Any) -> Any:
    """Around an ASGI application that answers HTTP."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        async with ThreadSensitiveContext():  # Django's own is inside, and gives way
            try:
                await application(scope, receive, send)
            finally:
                await sync_to_async(connections.close_all)()

    return answer
