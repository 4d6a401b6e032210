"""Leases of somebody who is gone: whoever goes on with the work stops what runs, and the agents serve on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from channels.db import database_sync_to_async

from pools.facade.contracts import LeaseLost, LeaseOutcome
from pools.services.broker.broker import Broker
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, code, invocation, rows_of, served, until

pytestmark = pytest.mark.django_db(transaction=True)

new_pool = database_sync_to_async(make_pool)
LONG = code("import time\n\n\ndef main(x):\n    time.sleep(3)\n")


async def at_work(plant: Plant, broker: Broker, pool: Any) -> tuple[Any, asyncio.Task[Any]]:
    """A lease of the run's former driver, and its request, which has reached the agent."""
    lease = await broker.acquire(pool.pk, holder="run/1/former", team_id=pool.team_id, timeout=60)
    request = asyncio.create_task(broker.invoke(lease, invocation(1, runs=LONG, timeout=50.0)))
    await until(lambda: plant.runtime.agents[lease.agent_id].calls)  # type: ignore[attr-defined]
    return lease, request


async def test_an_agent_that_stops_serves_the_next_driver(plant: Plant) -> None:
    pool: Any = await new_pool(min_size=1, max_size=1)
    async with plant.running(), plant.brokering() as former, plant.brokering() as following:
        await until(lambda: served(pool.pk, 1))
        lease, request = await at_work(plant, former, pool)
        waiter = {"client": "gone", "team_id": pool.team_id, "token": "t", "wait": 60}
        assert (await former.leases.acquire(str(pool.pk), "run/2/former", **waiter)).outcome == "waiting"
        await following.take_back(pool.pk, "run/", keep="/following")
        again = await following.acquire(pool.pk, holder="run/1/following", team_id=pool.team_id, timeout=60)
        assert again.agent_id == lease.agent_id
        assert again.fence > lease.fence
        with pytest.raises(LeaseLost):
            await request
        assert not await former.release(lease, LeaseOutcome.OK)
        assert (await following.invoke(again, invocation(3))).results[0].output == 9
        figures = (await following.leases.figures([pool.pk]))[pool.pk]
        assert (figures.leases, figures.waiting) == (1, 0)
        assert await following.release(again, LeaseOutcome.OK)


async def test_an_agent_that_does_not_say_so_is_replaced(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool: Any = await new_pool(min_size=1, max_size=1)
    async with plant.running(), plant.brokering() as former, plant.brokering() as following:
        await until(lambda: served(pool.pk, 1))
        lease, request = await at_work(plant, former, pool)

        async def silent(_held: object) -> bool:
            return False

        monkeypatch.setattr(following._caller, "stop", silent)
        await following.take_back(pool.pk, "run/", keep="/following")
        again = await following.acquire(pool.pk, holder="run/1/following", team_id=pool.team_id, timeout=60)
        assert again.agent_id != lease.agent_id
        with pytest.raises(LeaseLost):
            await request
        assert await following.release(again, LeaseOutcome.OK)
        assert lease.agent_id not in {agent.pk for agent in await rows_of(pool.pk)}


async def test_leases_and_waits_of_others_stay(plant: Plant) -> None:
    pool: Any = await new_pool(min_size=2, max_size=2)
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, 2))
        own = await broker.acquire(pool.pk, holder="run/1/following", team_id=pool.team_id, timeout=60)
        other = await broker.acquire(pool.pk, holder="another/1/former", team_id=pool.team_id, timeout=60)
        waiting = asyncio.create_task(
            broker.acquire(pool.pk, holder="another/2/former", team_id=pool.team_id, timeout=60)
        )
        await broker.take_back(pool.pk, "run/", keep="/following")
        assert (await broker.invoke(own, invocation(2))).results[0].output == 4
        assert await broker.release(own, LeaseOutcome.OK)
        assert (await waiting).agent_id == own.agent_id
        assert await broker.release(other, LeaseOutcome.OK)
