"""Whether an answer left: an ASGI application and a server, played."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aflow_site.api.delivery import KEY, delivering
from aflow_site.kernel.hang_up import HangUp

GONE = {"type": "http.disconnect"}
LAST = {"type": "http.response.body", "body": b"", "more_body": False}


class Server:
    def __init__(self) -> None:
        self.scope: dict[str, Any] = {"type": "http"}
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.undone: list[str] = []
        self.told: list[str] = []

    async def send(self, message: dict[str, Any]) -> None:
        """As Daphne does: its own end of an answer looks like a client that has gone."""
        if message == LAST:
            self.messages.put_nowait(GONE)

    async def serve(self, application: Any) -> None:
        await delivering(application)(self.scope, self.messages.get, self.send)

    def begin(self) -> None:
        """What a view does."""
        self.scope[KEY].hang_up.then(lambda: self.told.append("gone"))
        self.scope[KEY].unless(lambda: self.undone.append("x"))


async def test_an_answer_that_left_is_not_undone() -> None:
    server = Server()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        server.begin()
        await send({**LAST, "more_body": True})
        await send(LAST)
        assert await receive() == GONE

    await server.serve(application)
    assert (server.undone, server.told) == ([], [])


async def test_a_client_that_went_before_the_answer() -> None:
    """Also when nobody had read yet that it went."""
    server = Server()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        server.begin()
        hearing = asyncio.create_task(receive())
        await asyncio.sleep(0)
        server.messages.put_nowait(GONE)
        await send(LAST)
        await hearing

    await server.serve(application)
    assert (server.undone, server.told) == (["x"], ["gone"])


async def test_a_request_that_breaks_off_is_undone() -> None:
    server = Server()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        server.begin()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await server.serve(application)
    assert (server.undone, server.told) == (["x"], ["gone"])
    server.begin()  # a view in a thread that comes late
    assert (server.undone, server.told) == (["x", "x"], ["gone", "gone"])


async def test_one_thing_that_cannot_be_undone_keeps_no_other() -> None:
    server = Server()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        def fail() -> None:
            raise OSError

        scope[KEY].unless(fail)
        server.begin()

    await server.serve(application)
    assert server.undone == ["x"]


def test_a_hang_up_is_told_once() -> None:
    hang_up, told = HangUp(), []
    hang_up.then(lambda: told.append(1))
    hang_up.tell()
    hang_up.tell()
    assert told == [1]
