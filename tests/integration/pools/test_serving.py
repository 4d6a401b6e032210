"""The whole path on the in-memory runtime: a pool row, agents, leases, requests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from channels.db import database_sync_to_async

from pools.facade.contracts import LeaseOutcome
from pools.models import Agent
from pools.runtime.memory import MemoryRuntime
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, invocation, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    runtime = MemoryRuntime()
    yield Plant(runtime)
    await runtime.close()


@database_sync_to_async
def states(pool_id: object) -> list[str]:
    return sorted(Agent.objects.filter(pool_id=pool_id).values_list("state", flat=True))


async def test_a_warm_pool_serves_a_request(plant: Plant) -> None:
    pool = await database_sync_to_async(make_pool)(min_size=2)
    async with plant.running(), plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        result = await broker.invoke(lease, invocation({"x": 7}))
        assert result.results[0].output == 49
        assert await broker.release(lease, LeaseOutcome.OK)
        await until(lambda: len(plant.runtime.agents) == 2)
        assert await states(pool.pk) == ["idle", "idle"]
