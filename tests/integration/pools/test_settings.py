"""Each setting of a pool, changed alone, changes what its agents do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from channels.db import database_sync_to_async

from pools.domain.agents import AgentState
from pools.facade.contracts import Lease, LeaseOutcome
from pools.models import Agent, Pool
from pools.services.broker.broker import Broker
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, invocation, rows_of, served, until

pytestmark = pytest.mark.django_db(transaction=True)


async def new_pool(**values: Any) -> Pool:
    pool: Pool = await database_sync_to_async(make_pool)(**values)
    return pool


async def reasons(pool_id: UUID) -> list[str]:
    return [str(agent.end_reason) for agent in await rows_of(pool_id, AgentState.GONE)]


async def use(broker: Broker, pool: Pool, holder: str) -> Lease:
    lease = await broker.acquire(pool.pk, holder=holder, team_id=pool.team_id, timeout=10)
    await broker.invoke(lease, invocation({"x": 1}))
    await broker.release(lease, LeaseOutcome.OK)
    return lease


async def test_min_size(plant: Plant) -> None:
    one, three = await new_pool(min_size=1), await new_pool(min_size=3)
    async with plant.running():
        await until(lambda: served(one.pk, 1))
        await until(lambda: served(three.pk, 3))


async def test_max_size(plant: Plant) -> None:
    """As many leases at once as there may be agents."""
    small = await new_pool(min_size=1, max_size=1)
    large = await new_pool(min_size=1, max_size=4)
    async with plant.running(), plant.brokering() as broker:
        for number in range(4):
            await broker.acquire(large.pk, holder=f"l{number}", team_id=large.team_id, timeout=10)
        await broker.acquire(small.pk, holder="s", team_id=small.team_id, timeout=10)
        assert len(await rows_of(large.pk)) == 4
        assert len(await rows_of(small.pk)) == 1


async def test_warm_up(plant: Plant) -> None:
    """Without it, agents are made for the work at hand only."""
    warm, cold = await new_pool(min_size=1), await new_pool(min_size=1, warm_up=False)
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(warm.pk, 1))
        assert await rows_of(cold.pk) == []
        await use(broker, cold, "first")
        assert len(await rows_of(cold.pk)) == 1


async def test_max_uses(plant: Plant) -> None:
    """An agent serves so many requests, then another takes its place."""
    once = await new_pool(max_uses=1, max_size=1)
    often = await new_pool(max_uses=50, max_size=1)
    async with plant.running(), plant.brokering() as broker:
        for number in range(3):
            await use(broker, once, f"o{number}")
            await use(broker, often, f"m{number}")

        async def all_retired() -> bool:
            return await reasons(once.pk) == ["max_uses"] * 3

        await until(all_retired)
        assert await reasons(often.pk) == []

        async def counted() -> bool:
            uses = {agent.uses for agent in await rows_of(once.pk, AgentState.GONE)}
            (agent,) = await rows_of(often.pk)
            return uses == {1} and agent.uses == 3 and agent.last_used is not None

        await until(counted)


async def test_idle_timeout(plant: Plant) -> None:
    """Above `min_size` only, and lastingly: what was reaped is not made again."""
    short = await new_pool(min_size=1, max_size=3, target_size=3, idle_timeout=0.3)
    long = await new_pool(min_size=1, max_size=3, target_size=3, idle_timeout=300)
    async with plant.running() as controller:
        await until(lambda: served(long.pk, 3))

        async def reaped() -> bool:
            return await reasons(short.pk) == ["idle_timeout"] * 2

        await until(reaped)
        for _ in range(3):
            await controller.tick()
        assert len(await rows_of(short.pk)) == 1
        assert len(await rows_of(long.pk)) == 3


async def test_target_size(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=5, target_size=4)

    @database_sync_to_async
    def set_target(size: int) -> None:
        row = Pool.objects.get(pk=pool.pk)
        row.target_size = size
        row.save()

    async with plant.running() as controller:
        await until(lambda: served(pool.pk, 4))
        await set_target(2)
        controller.nudge()
        await until(lambda: served(pool.pk, 2))
        assert set(await reasons(pool.pk)) == {"scale_down"}


async def test_a_new_image_replaces_the_agents_of_the_old(plant: Plant) -> None:
    pool = await new_pool(min_size=2, image="echo")

    @database_sync_to_async
    def set_image() -> None:
        row = Pool.objects.get(pk=pool.pk)
        row.image = "agentainer/python-agent"
        row.save()

    async with plant.running() as controller:
        await until(lambda: served(pool.pk, 2))
        await set_image()
        controller.nudge()

        async def replaced() -> bool:
            images = [agent.image for agent in await rows_of(pool.pk, AgentState.IDLE)]
            return images == ["agentainer/python-agent"] * 2

        await until(replaced)
        assert set(await reasons(pool.pk)) == {"recycled"}


async def test_a_deleted_pool_lets_its_leases_finish(plant: Plant) -> None:
    from datetime import UTC, datetime

    pool = await new_pool(min_size=2)

    @database_sync_to_async
    def delete() -> None:
        Pool.objects.filter(pk=pool.pk).update(deleted_at=datetime.now(UTC))

    @database_sync_to_async
    def left() -> tuple[bool, int]:
        live = Agent.objects.filter(pool_name=pool.name, ended_at__isnull=True)
        return Pool.objects.filter(pk=pool.pk).exists(), live.count()

    async with plant.running() as controller, plant.brokering() as broker:
        await until(lambda: served(pool.pk, 2))
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        await delete()
        controller.nudge()
        await until(lambda: rows_of(pool.pk, AgentState.GONE))
        result = await broker.invoke(lease, invocation({"x": 3}))
        assert result.results[0].output == 9
        await broker.release(lease, LeaseOutcome.OK)

        async def gone() -> bool:
            return await left() == (False, 0)

        await until(gone)
