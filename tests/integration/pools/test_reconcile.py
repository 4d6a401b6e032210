"""The controller against reality: deaths, losses of memory, restarts, orphans, broken images."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async

from pools.domain.agents import AgentState
from pools.facade.contracts import LeaseLost, LeaseOutcome
from pools.models import Agent, Pool, PoolEpoch
from pools.runtime.base import AgentSpec
from pools.runtime.memory import MemoryRuntime
from pools.services.agents import NotLeading
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, invocation, rows_of, served, until

pytestmark = pytest.mark.django_db(transaction=True)


async def new_pool(**values: Any) -> Pool:
    pool: Pool = await database_sync_to_async(make_pool)(**values)
    return pool


def memory(plant: Plant) -> MemoryRuntime:
    assert isinstance(plant.runtime, MemoryRuntime)
    return plant.runtime


async def flush(plant: Plant, call: Any) -> None:
    for key in await call("KEYS", f"{plant.prefix}*"):
        await call("DEL", key)


async def test_a_dead_idle_agent_is_replaced(plant: Plant) -> None:
    pool = await new_pool(min_size=2)
    async with plant.running():
        await until(lambda: served(pool.pk, 2))
        victim = next(iter(memory(plant).agents))
        await memory(plant).kill(victim)
        await until(lambda: rows_of(pool.pk, AgentState.GONE))
        await until(lambda: served(pool.pk, 2))
        assert victim not in {agent.pk for agent in await rows_of(pool.pk)}


async def test_a_death_without_an_event_is_found_by_the_timer(plant: Plant) -> None:
    pool = await new_pool(min_size=2)
    async with plant.running():
        await until(lambda: served(pool.pk, 2))
        await memory(plant).remove(next(iter(memory(plant).agents)))
        await until(lambda: rows_of(pool.pk, AgentState.GONE))
        await until(lambda: served(pool.pk, 2))


async def test_redis_loses_its_memory(plant: Plant) -> None:
    """Agents go on to serve under a new epoch; whoever held a lease is fenced."""
    pool = await new_pool(min_size=2, max_size=2)
    async with plant.running() as controller, plant.brokering(heartbeat=0.1) as broker:
        await until(lambda: served(pool.pk, 2))
        lease = await broker.acquire(pool.pk, holder="before", team_id=pool.team_id, timeout=10)
        await flush(plant, controller.leases.wire.call)
        after = [
            await broker.acquire(pool.pk, holder=f"after{number}", team_id=pool.team_id, timeout=15)
            for number in range(2)
        ]
        assert all(new.fence > lease.fence for new in after)
        assert not await broker.release(lease, LeaseOutcome.OK)
        with pytest.raises(LeaseLost):
            await broker.invoke(lease, invocation({"x": 1}))
        result = await broker.invoke(after[0], invocation({"x": 5}))
        assert result.results[0].output == 25
        assert memory(plant).creations == 2
        assert all(agent.resets == 1 for agent in memory(plant).agents.values())


async def test_fences_rise_over_epochs_even_when_nothing_was_saved(plant: Plant) -> None:
    pool = await new_pool(min_size=1)
    fences = []
    async with plant.running() as controller, plant.brokering() as broker:
        for number in range(3):
            lease = await broker.acquire(pool.pk, holder=f"h{number}", team_id=pool.team_id, timeout=15)
            fences.append(lease.fence)
            await broker.release(lease, LeaseOutcome.OK)
            await database_sync_to_async(PoolEpoch.objects.update)(fence_high_water=0)
            await flush(plant, controller.leases.wire.call)
    assert fences == sorted(set(fences))


async def test_a_new_controller_adopts_what_runs(plant: Plant) -> None:
    pool = await new_pool(min_size=3)
    broker = plant.broker()
    runtime = memory(plant)
    async with plant.running():
        await until(lambda: served(pool.pk, 3))
        await broker.start()
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        agents = dict(runtime.agents)
        runtime.agents = {}  # so that the end of this controller does not end them
    runtime.agents = agents
    try:
        async with plant.running() as controller:
            await controller.tick()
            result = await broker.invoke(lease, invocation({"x": 4}))
            assert result.results[0].output == 16
            assert await broker.release(lease, LeaseOutcome.OK)
            await until(lambda: served(pool.pk, 3))
        assert runtime.creations == 3
    finally:
        await broker.close()


async def test_intents_of_a_dead_controller_are_carried_out(plant: Plant) -> None:
    """It died between writing the intent and making the agent: the agent is made, once."""
    pool = await new_pool(min_size=1)

    @database_sync_to_async
    def intent() -> Agent:
        from datetime import UTC, datetime

        return Agent.objects.create(
            pool=pool,
            team_id=pool.team_id,
            pool_name=pool.name,
            image=pool.image,
            nonce="n",
            started_at=datetime.now(UTC),
        )

    row = await intent()
    async with plant.running():
        await until(lambda: served(pool.pk, 1))
    assert [agent.pk for agent in await rows_of(pool.pk)] == [row.pk]
    assert memory(plant).creations == 1


async def test_orphans_end_unless_they_are_young(plant: Plant) -> None:
    runtime = memory(plant)
    specs = [AgentSpec(uuid4(), uuid4(), "p", "echo", "n", epoch=1, token="t") for _ in range(2)]
    for spec in specs:
        await runtime.create(spec)
    old, young = (spec.agent_id for spec in specs)
    runtime.agents[old].created_at = time.time() - 3600
    async with plant.running() as controller:
        await controller.tick()
        await until(lambda: old not in runtime.agents)
        assert young in runtime.agents


async def test_a_broken_image_is_tried_ever_less_often(plant: Plant) -> None:
    memory(plant).broken.add("broken")
    pool = await new_pool(min_size=4, max_size=4, image="broken")

    @database_sync_to_async
    def problem() -> str | None:
        return Pool.objects.get(pk=pool.pk).problem

    async with plant.running() as controller:
        await until(problem)
        for _ in range(30):
            await controller.tick()
        assert memory(plant).creations <= 8
        assert "broken" in str(await problem())
        memory(plant).broken.clear()
        memory(plant).images["broken"] = lambda value: value
        await until(lambda: served(pool.pk, 4))

        async def mended() -> bool:
            return await problem() is None

        await until(mended)


async def test_a_missing_image_is_a_sentence_on_the_pool(plant: Plant) -> None:
    pool = await new_pool(min_size=1, image="nowhere:latest")

    @database_sync_to_async
    def problem() -> str | None:
        return Pool.objects.get(pk=pool.pk).problem

    async with plant.running():
        await until(problem)
    assert "nowhere:latest" in str(await problem())


async def test_an_expired_lease_is_taken_back_and_its_agent_replaced(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=2)
    async with plant.running() as controller, plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="silent", team_id=pool.team_id, timeout=10)
        call = controller.leases.wire.call
        await call("HSET", f"{plant.prefix}:lease:{lease.token}", "expires", 1)
        await call("ZADD", controller.leases.keys.pool(pool.pk, "leases"), 1, lease.token)
        controller.nudge()
        await until(lambda: rows_of(pool.pk, AgentState.GONE))
        (gone,) = await rows_of(pool.pk, AgentState.GONE)
        assert (gone.pk, gone.end_reason) == (lease.agent_id, "recycled")
        with pytest.raises(LeaseLost):
            await broker.invoke(lease, invocation({"x": 1}))
        await until(lambda: served(pool.pk, 1))


async def test_one_controller_leads(plant: Plant) -> None:
    second = plant.controller()
    async with plant.running():
        with pytest.raises(NotLeading):
            await second.start()
    await second.close()


async def test_a_controller_that_was_overtaken_writes_nothing(plant: Plant) -> None:
    pool = await new_pool(min_size=1)
    first, second = plant.controller(), plant.controller()
    await first.start()
    await flush(plant, first.leases.wire.call)  # the lock in Redis is lost: another may lead
    await second.start()
    try:
        with pytest.raises(NotLeading):
            await first.tick()
        assert await rows_of(pool.pk) == []
        await second.tick()
        assert len(await rows_of(pool.pk)) == 1
        await until(lambda: served(pool.pk, 1))
    finally:
        await second.close()
        await first.close()


async def test_ticks_that_repeat_change_nothing(plant: Plant) -> None:
    pool = await new_pool(min_size=2)
    async with plant.running() as controller:
        await until(lambda: served(pool.pk, 2))
        before = {agent.pk for agent in await rows_of(pool.pk)}
        await asyncio.gather(*(controller.tick() for _ in range(5)))
        assert {agent.pk for agent in await rows_of(pool.pk)} == before
        assert memory(plant).creations == 2
