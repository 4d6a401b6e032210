"""Agents on which bodies are parked: others are made in the place of those that can serve nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from channels.db import database_sync_to_async

from pools.domain.agents import EndReason
from pools.facade.contracts import LeaseOutcome
from pools.leases.scripts import MOST_PARKED
from pools.runtime.memory import MemoryRuntime
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, rows_of, until

pytestmark = pytest.mark.django_db(transaction=True)

new_pool = database_sync_to_async(make_pool)


async def test_a_full_pool_of_parked_bodies_still_serves_what_they_wait_for(plant: Plant) -> None:
    pool: Any = await new_pool(min_size=1, max_size=1)
    assert isinstance(plant.runtime, MemoryRuntime)
    async with plant.running(), plant.brokering() as broker:
        body = await broker.acquire(pool.pk, holder="body", team_id=pool.team_id, timeout=60)
        assert await broker.leases.park(body.token)
        await broker.leases.drain(body.agent_id, EndReason.RECYCLED)
        hired = await broker.acquire(pool.pk, holder="hired", team_id=pool.team_id, timeout=60)
        assert hired.agent_id != body.agent_id
        assert len(await rows_of(pool.pk)) == 2
        await broker.release(hired, LeaseOutcome.OK)
        assert await broker.release(body, LeaseOutcome.OK)

        async def one_is_left() -> bool:
            return [agent.pk for agent in await rows_of(pool.pk)] == [hired.agent_id]

        await until(one_is_left)


async def test_a_body_that_runs_keeps_its_place(plant: Plant) -> None:
    pool: Any = await new_pool(min_size=1, max_size=1, max_uses=1)
    async with plant.running() as controller, plant.brokering() as broker:
        await broker.acquire(pool.pk, holder="body", team_id=pool.team_id, timeout=60)
        for _ in range(3):
            await controller.tick()
        assert len(await rows_of(pool.pk)) == 1


async def test_only_so_many_bodies_wait_in_one_agent(plant: Plant) -> None:
    """Each is a process, and they share the agent's memory: the next one begins in another agent."""
    pool: Any = await new_pool(min_size=1, max_size=1)
    async with plant.running(), plant.brokering() as broker:
        bodies = []
        for number in range(MOST_PARKED):
            lease = await broker.acquire(pool.pk, holder=f"body{number}", team_id=pool.team_id, timeout=60)
            assert await broker.leases.park(lease.token)
            bodies.append(lease)
        assert len({body.agent_id for body in bodies}) == 1
        another = await broker.acquire(pool.pk, holder="another", team_id=pool.team_id, timeout=60)
        assert another.agent_id != bodies[0].agent_id
        assert await broker.release(another, LeaseOutcome.OK)
        for body in bodies:
            assert await broker.release(body, LeaseOutcome.OK)
