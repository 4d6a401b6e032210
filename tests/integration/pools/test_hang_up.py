"""Programs that hang up while they wait for a lease, at a real web process: nothing is left to them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from channels.db import database_sync_to_async

from aflow_site.kernel.hang_up import HangUp
from pools.facade import leases
from pools.facade.contracts import Lease, LeaseOutcome
from pools.leases.rules import TTL_SECONDS
from pools.leases.scripts import QueueFigures
from pools.models import Pool
from pools.runtime.memory import MemoryRuntime
from pools.services import borrowing
from pools.services.broker.broker import Broker
from teams.domain.roles import Role
from tests.factories.pools import make_pool
from tests.fakes.deployed import Person, alone
from tests.fakes.pools import code, invocation, served, site, until
from tests.fakes.web import web_process

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3600
ROUNDS, CLIENTS = 8, 8


class Visitor:
    """Asks for leases of an hour, over connections that it may drop at any time."""

    def __init__(self, port: int, token: str, pool: Pool) -> None:
        self._port, self._token, self._pool = port, token, pool

    @contextlib.asynccontextmanager
    async def asking(self, **headers: str) -> AsyncIterator[asyncio.StreamReader]:
        """The end of the block drops the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        body = json.dumps({"timeout": 60, "ttl": HOUR})
        told = {
            "Host": f"127.0.0.1:{self._port}",
            "Authorization": f"Token {self._token}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers,
        }
        lines = [f"{name}: {value}" for name, value in told.items()]
        request = (f"POST /api/v1/pools/{self._pool.name}/leases/ HTTP/1.1", *lines, "", body)
        try:
            writer.write("\r\n".join(request).encode())
            await writer.drain()
            yield reader
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def status_of(reader: asyncio.StreamReader) -> int:
    return int((await reader.readline()).split()[1])


@database_sync_to_async
def new_pool(size: int) -> tuple[Pool, str]:
    pool = make_pool(min_size=size, max_size=size, max_uses=1_000_000)
    return pool, Person(pool.team, Role.OPERATOR).token


async def figures_of(broker: Broker, pool: Pool) -> QueueFigures:
    return (await broker.leases.figures([pool.pk]))[pool.pk]


async def settled(broker: Broker, pool: Pool, **wanted: int) -> None:
    async def so() -> bool:
        figures = await figures_of(broker, pool)
        return all(getattr(figures, name) == value for name, value in wanted.items())

    await until(so)


@contextlib.asynccontextmanager
async def place(size: int) -> AsyncIterator[tuple[Visitor, Broker, Pool]]:
    pool, token = await new_pool(size)
    plant = site(MemoryRuntime())
    async with web_process() as web, plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, size))
        yield Visitor(web.port, token, pool), broker, pool
    await plant.runtime.close()


async def test_whoever_hangs_up_gets_nothing() -> None:
    """While it waits, while its request is looked at, before it is read."""
    chance = Random(7)
    async with place(2) as (visitor, broker, pool), contextlib.AsyncExitStack() as stays:

        async def hold() -> list[Lease]:
            return [
                await broker.acquire(pool.pk, holder=f"run/{n}", team_id=pool.team_id, timeout=60)
                for n in range(2)
            ]

        async def impatient() -> None:
            async with visitor.asking():
                await asyncio.sleep(chance.random() * 0.1)

        for _ in range(ROUNDS):
            held = await hold()
            await asyncio.gather(*(impatient() for _ in range(CLIENTS)))
            for lease in held:
                await broker.release(lease, LeaseOutcome.OK)
            await settled(broker, pool, waiting=0, leases=0, idle=2)
        held = await hold()
        async with visitor.asking(), visitor.asking():
            await settled(broker, pool, waiting=2)
            patient = await stays.enter_async_context(visitor.asking())
            await settled(broker, pool, waiting=3)
        await settled(broker, pool, waiting=1)
        await broker.release(held[0], LeaseOutcome.OK)
        assert await status_of(patient) == 201
        await settled(broker, pool, waiting=0, leases=2)


async def in_a_thread(pool: Pool, hang_up: HangUp) -> asyncio.Future[Any]:
    wish = leases.Wish(wait=60, ttl=HOUR)
    return asyncio.ensure_future(
        asyncio.to_thread(alone, leases.borrow, pool.team_id, pool.name, wish, hang_up)
    )


async def test_a_hang_up_while_the_agent_is_asked_for_its_health(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, hang_up = threading.Event(), HangUp()

    async def slow(*_: Any) -> str | None:
        asked.set()
        await asyncio.sleep(HOUR)
        return None

    pool, _ = await new_pool(1)
    plant = site(MemoryRuntime())
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, 1))
        monkeypatch.setattr(borrowing, "VALIDATE_AFTER_MS", -1)
        monkeypatch.setattr(borrowing, "_fault", slow)
        borrowed = await in_a_thread(pool, hang_up)
        await asyncio.to_thread(asked.wait)
        await settled(broker, pool, leases=1)
        hang_up.tell()
        with pytest.raises(asyncio.CancelledError):
            await borrowed
        await settled(broker, pool, waiting=0, leases=0, idle=1)
        told_before = await in_a_thread(pool, hang_up)
        with pytest.raises(asyncio.CancelledError):
            await told_before
        await settled(broker, pool, waiting=0, leases=0, idle=1)
    await plant.runtime.close()


async def test_a_hang_up_stops_the_agents_work_and_keeps_the_lease() -> None:
    pool, _ = await new_pool(1)
    runtime = MemoryRuntime()
    plant, hang_up = site(runtime), HangUp()
    async with plant.running():
        await until(lambda: served(pool.pk, 1))
        wish = leases.Wish(wait=60, ttl=HOUR)
        loan = await asyncio.to_thread(alone, leases.borrow, pool.team_id, pool.name, wish, HangUp())
        token, agent = loan.lease.token, runtime.agents[loan.lease.agent_id]

        def ask(source: str, hang_up: HangUp) -> Any:
            asked = invocation({}, runs=code(source))
            return asyncio.to_thread(alone, leases.ask, pool.team_id, token, asked, hang_up)

        slow = asyncio.ensure_future(ask("import time\ndef main():\n    time.sleep(2)\n", hang_up))
        await until(lambda: bool(agent.calls))
        hang_up.tell()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert agent.cancelled == [token]
        answer = await ask("def main():\n    return 7\n", HangUp())
        assert answer.results[0].output == 7
    await runtime.close()


async def test_an_answer_that_does_not_leave_is_undone() -> None:
    """Not when the program asked again meanwhile, by the same key: it has that lease."""
    pool, _ = await new_pool(2)
    plant = site(MemoryRuntime())
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, 2))
        wish = leases.Wish(wait=60, ttl=HOUR, key="k")

        async def borrow() -> leases.Loan:
            return await asyncio.to_thread(alone, leases.borrow, pool.team_id, pool.name, wish, HangUp())

        first, again = await borrow(), await borrow()
        assert first.lease.token == again.lease.token
        await asyncio.to_thread(leases.put_back, first)
        await settled(broker, pool, leases=1)
        await asyncio.to_thread(leases.put_back, again)
        await settled(broker, pool, leases=0, idle=2)
    await plant.runtime.close()


async def test_a_lease_that_nobody_took_ends_soon() -> None:
    """The process that asked for it may have died: not before its first heartbeat it lasts for an hour."""
    pool, _ = await new_pool(1)
    plant = site(MemoryRuntime())
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, 1))
        answer = await broker.leases.acquire(
            str(pool.pk), "api/x", client="c", team_id=pool.team_id, token="t", wait=1, ttl=HOUR
        )
        assert answer.grant is not None
        assert answer.grant.expires_ms - answer.grant.now_ms == TTL_SECONDS * 1000
        (expires_ms,) = await broker.leases.heartbeat(["t"])
        assert expires_ms - answer.grant.now_ms >= HOUR * 1000
    await plant.runtime.close()
