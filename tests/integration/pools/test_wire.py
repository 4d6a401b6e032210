"""The connection to Redis when the other side is silent, away, or gone in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import hiredis
import pytest
from django.conf import settings

from pools.facade.contracts import LeaseTimeout
from pools.leases.wire import PATIENCE, RedisReplyError, Wire
from pools.services.broker.broker import Broker
from pools.services.broker.grants import INBOX_WAIT


class Line:
    """A way to the real Redis that can be cut without a word: what is sent is taken, and nothing returns. Or
    with one: with a `refusal`, each command is answered by that, and does not arrive."""

    def __init__(self, *, silent: bool = False, refusal: str = "") -> None:
        self.silent = silent
        self.refusal = refusal
        self.connections = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        place = settings.REDIS_URL.split("//")[1].split("/")[0].split("@")[-1]
        host, _, port = place.partition(":")
        redis_reader, redis_writer = await asyncio.open_connection(host, int(port or 6379))
        try:
            await asyncio.gather(self._carry(reader, redis_writer, writer), self._carry(redis_reader, writer))
        finally:
            writer.close()
            redis_writer.close()

    async def _carry(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        back: asyncio.StreamWriter | None = None,
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if self.refusal and back is not None:
                    commands = hiredis.Reader()
                    commands.feed(data)
                    while commands.gets() is not False:
                        back.write(f"-{self.refusal}\r\n".encode())
                elif not self.silent:
                    target.write(data)
                    await target.drain()
        target.close()


@pytest.fixture
async def wires() -> AsyncIterator[list[Wire]]:
    made: list[Wire] = []
    yield made
    await asyncio.gather(*(wire.close() for wire in made))


async def test_a_server_that_accepts_and_never_answers(wires: list[Wire]) -> None:
    async with Line(silent=True) as url:
        wires.append(wire := Wire(url, patience=0.3))
        started = time.monotonic()
        with pytest.raises(ConnectionError, match=r"did not answer within 0\.3 s"):
            await wire.call("PING")
        assert time.monotonic() - started < 2


async def test_callers_of_a_silent_server_wait_side_by_side(wires: list[Wire]) -> None:
    line = Line(silent=True)
    async with line as url:
        wires.append(wire := Wire(url, patience=0.5))
        started = time.monotonic()
        outcomes = await asyncio.gather(*(wire.call("PING") for _ in range(20)), return_exceptions=True)
        assert all(isinstance(outcome, ConnectionError) for outcome in outcomes)
        assert time.monotonic() - started < 3
        assert line.connections == 1


async def test_a_server_that_falls_silent_and_comes_back(wires: list[Wire]) -> None:
    line = Line()
    async with line as url:
        wires.append(wire := Wire(url, patience=0.4))
        assert await wire.call("PING") == b"PONG"
        line.silent = True
        with pytest.raises(ConnectionError):
            await wire.call("PING")
        line.silent = False
        assert await wire.call("PING") == b"PONG"
        assert line.connections == 2


LOADING = "LOADING Redis is loading the dataset in memory"
REPLICA = "READONLY You can't write against a read only replica."


@pytest.mark.parametrize(("refusal", "connections"), [(LOADING, 1), (REPLICA, 2)])
async def test_a_server_that_cannot_serve_is_one_that_is_away(
    wires: list[Wire], refusal: str, connections: int
) -> None:
    """A replica that was the master before is left: the name may lead to the new one."""
    line = Line()
    async with line as url:
        wires.append(wire := Wire(url))
        assert await wire.call("PING") == b"PONG"
        line.refusal = refusal
        with pytest.raises(ConnectionError, match=refusal[:7]):
            await wire.call("PING")
        await asyncio.sleep(0)
        line.refusal = ""
        assert await wire.call("PING") == b"PONG"
        assert line.connections == connections


async def test_what_redis_refuses_for_good_is_no_matter_of_the_connection(wires: list[Wire]) -> None:
    async with Line() as url:
        wires.append(wire := Wire(url))
        with pytest.raises(RedisReplyError, match="unknown command"):
            await wire.call("NOSUCH")


async def test_a_connection_to_a_server_that_is_loading_is_tried_again(wires: list[Wire]) -> None:
    line = Line(refusal=LOADING)
    async with line as url:
        wires.append(wire := Wire(url))
        with pytest.raises(ConnectionError, match="LOADING"):
            await wire.call("PING")
        line.refusal = ""
        assert await wire.call("PING") == b"PONG"


async def test_a_busy_connection_is_not_taken_for_a_dead_one(wires: list[Wire]) -> None:
    """Longer in use than any one answer may take."""
    line = Line()
    async with line as url:
        wires.append(wire := Wire(url, patience=0.3))
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            assert await wire.call("PING") == b"PONG"
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)  # nothing is asked: nothing is overdue
        assert await wire.call("PING") == b"PONG"
        assert line.connections == 1


async def test_a_caller_that_gives_up_leaves_the_attempt_to_the_others(wires: list[Wire]) -> None:
    async with Line() as url:
        wires.append(wire := Wire(url))
        first = asyncio.create_task(wire.call("PING"))
        await asyncio.sleep(0)
        second = asyncio.create_task(wire.call("PING"))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == b"PONG"


async def test_closing_in_the_middle_of_an_attempt() -> None:
    async with Line(silent=True) as url:
        wire = Wire(url)
        call = asyncio.create_task(wire.call("PING"))
        await asyncio.sleep(0.1)
        await wire.close()
        with pytest.raises(ConnectionError, match="closed"):
            await call


async def test_a_brokers_wires_are_patient_for_as_long_as_they_must_be() -> None:
    """5 s for each answer; what waits in Redis is waited for."""
    broker = Broker("redis://127.0.0.1:1/0", "p", "s")
    assert broker._wire._patience == PATIENCE == 5.0
    assert broker._inbox._patience == INBOX_WAIT + PATIENCE


async def test_an_acquire_ends_in_time_when_redis_vanished() -> None:
    line = Line()
    async with line as url:
        broker = Broker(url, f"aflow:{uuid4().hex}:pools", "s")
        broker._wire._patience = broker._inbox._patience = 0.3
        await broker.start()
        line.silent = True
        started = time.monotonic()
        with pytest.raises(LeaseTimeout):
            await broker.acquire(uuid4(), holder="h", team_id=1, timeout=1.0)
        assert time.monotonic() - started < 4
        await asyncio.wait_for(broker.close(), 10)
