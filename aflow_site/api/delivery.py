"""Answers that do not reach their client: what was done for it can be undone.

A view in a thread learns nothing of a client that hangs up: its request is cancelled around it, while it is
at work, or when it has ended. Whether an answer left is known here alone, between the server and Django.
Does not: know whether it arrived. A network that loses it is what leases expire for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from threading import Lock
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from aflow_site.kernel.hang_up import HangUp

log = logging.getLogger(__name__)

KEY = "aflow.delivery"
Undo = Callable[[], None]


class Delivery:
    """Of one request's answer."""

    def __init__(self) -> None:
        self._lock = Lock()  # views are in threads
        self._undo: list[Undo] = []
        self._failed = False
        self.gone = False  # the client
        self.sent = False
        self.hang_up = HangUp()

    @property
    def matters(self) -> bool:
        return bool(self._undo)

    def lose(self) -> None:
        self.gone = True
        if not self.sent:
            self.hang_up.tell()

    def unless(self, undo: Undo) -> None:
        with self._lock:
            if not self._failed:
                self._undo.append(undo)
                return
        undo()

    def end(self) -> list[Undo]:
        """What is to be undone. A view that comes later does it by itself."""
        if self.sent:
            return []
        self.hang_up.tell()
        with self._lock:
            self._failed = True
            return self._undo


def unless_delivered(request: HttpRequest, undo: Undo) -> None:
    """Calls `undo`, in a thread, if the answer to this request does not leave: the client hung up before."""
    if (delivery := _delivery_of(request)) is not None:
        delivery.unless(undo)


def hang_up_of(request: HttpRequest) -> HangUp:
    """Told when the client is gone before its answer has left."""
    delivery = _delivery_of(request)
    return delivery.hang_up if delivery is not None else HangUp()


def _delivery_of(request: HttpRequest) -> Delivery | None:
    return request.scope.get(KEY) if isinstance(request, ASGIRequest) else None


def delivering(application: Any) -> Any:
    """Around an ASGI application that answers HTTP."""

    async def deliver(scope: dict[str, Any], receive: Any, send: Any) -> None:
        delivery = scope[KEY] = Delivery()

        async def hear() -> Any:
            message = await receive()
            if message["type"] == "http.disconnect":
                delivery.lose()
            return message

        async def say(message: dict[str, Any]) -> None:
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if last and delivery.matters:
                await asyncio.sleep(0)  # that the client has gone may lie there, not heard yet
            await send(message)
            if last:
                delivery.sent = not delivery.gone

        try:
            await application(scope, hear, say)
        finally:
            if undos := delivery.end():
                await asyncio.shield(asyncio.ensure_future(_undo(undos)))

    return deliver


async def _undo(undos: list[Undo]) -> None:
    for undo in undos:
        try:
            await sync_to_async(undo, thread_sensitive=False)()
        except Exception:
            log.exception("what a client never learned of was not undone")
