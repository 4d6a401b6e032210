"""What operators do with a pool as a whole: warm it, drain it, resume it, recycle it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from channels.db import database_sync_to_async

from pools.domain.agents import AgentState
from pools.facade import api as pools
from pools.facade.contracts import LeaseLost, LeaseOutcome, LeaseTimeout
from pools.leases.rules import LeaseRules
from pools.models import Pool
from pools.runtime.memory import MemoryRuntime
from pools.services.lease_rules import rules_of
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, code, invocation, rows_of, served, site, until

pytestmark = pytest.mark.django_db(transaction=True)

SLEEPY = "import time\ndef main(x):\n    time.sleep(x)\n    return 'slept'\n"


@pytest.fixture
def here() -> Plant:
    return site(MemoryRuntime())


async def new_pool(**values: object) -> Pool:
    pool: Pool = await database_sync_to_async(make_pool)(**values)
    return pool


async def reasons(pool: Pool) -> list[str]:
    return [str(agent.end_reason) for agent in await rows_of(pool.pk, AgentState.GONE)]


async def test_warm(here: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=4)
    async with here.running():
        await until(lambda: served(pool.pk, 1))
        view = await database_sync_to_async(pools.warm_pool)(pool.team_id, pool.name, 9)
        assert view.target_size == 4, "within the pool's limits"
        await until(lambda: served(pool.pk, 4))


async def test_drain_and_resume(here: Plant) -> None:
    """Running leases finish, nobody gets a new one, no agent stays; afterwards whoever waited is served."""
    pool = await new_pool(min_size=2)
    async with here.running(), here.brokering() as broker:
        await until(lambda: served(pool.pk, 2))
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        view = await database_sync_to_async(pools.drain_pool)(pool.team_id, pool.name)
        assert view.drained
        with pytest.raises(LeaseTimeout):
            await broker.acquire(pool.pk, holder="b", team_id=pool.team_id, timeout=0.3)
        waiting = asyncio.create_task(broker.acquire(pool.pk, holder="c", team_id=pool.team_id, timeout=30))
        assert (await broker.invoke(lease, invocation({"x": 3}))).results[0].output == 9
        assert len(await rows_of(pool.pk)) >= 1
        assert await broker.release(lease, LeaseOutcome.OK)

        async def empty() -> bool:
            return await rows_of(pool.pk) == []

        await until(empty)
        assert set(await reasons(pool)) == {"scale_down"}
        assert not waiting.done()
        await database_sync_to_async(pools.resume_pool)(pool.team_id, pool.name)
        await broker.release(await waiting, LeaseOutcome.OK)


async def test_a_drain_in_the_middle_of_a_round_holds(here: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller has read the rows a moment before, and does not say what they were."""
    pool = await new_pool(min_size=1)
    async with here.running() as controller:
        await until(lambda: served(pool.pk, 1))
        load, rounds = controller.registry.load_pools, 0

        async def load_and_drain() -> None:
            nonlocal rounds
            await load()
            rounds += 1
            if rounds == 1:
                await database_sync_to_async(pools.drain_pool)(pool.team_id, pool.name)

        said: list[bool] = []
        put = controller.leases.put_pool

        async def heard(pool_id: UUID, rules: LeaseRules, **how: Any) -> bool:
            await put(pool_id, rules, **how)
            said.append((await controller.leases.rules_told([pool_id]))[pool_id] == drained)
            return False

        row = await database_sync_to_async(Pool.objects.get)(pk=pool.pk)
        row.drained_at = datetime.now(UTC)
        drained = (await database_sync_to_async(rules_of)(row)).text
        monkeypatch.setattr(controller.leases, "put_pool", heard)
        monkeypatch.setattr(controller.registry, "load_pools", load_and_drain)
        await until(lambda: rounds > 1)
        assert all(said)
        assert (await controller.leases.rules_told([pool.pk]))[pool.pk] == drained


async def test_a_drain_has_its_deadline(here: Plant) -> None:
    """What is left then is ended, and its holder told."""
    pool = await new_pool(min_size=1)
    async with here.running(), here.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        work = asyncio.create_task(broker.invoke(lease, invocation({"x": 8}, runs=code(SLEEPY), timeout=20)))
        await asyncio.sleep(0.2)
        await database_sync_to_async(pools.drain_pool)(pool.team_id, pool.name, 0.5)
        with pytest.raises(LeaseLost):
            await work
        await until(lambda: rows_of(pool.pk, AgentState.GONE))


async def test_recycle(here: Plant) -> None:
    """Idle agents are replaced now, leased ones after their lease; the pool serves all the while."""
    pool = await new_pool(min_size=2, max_size=3)
    async with here.running(), here.brokering() as broker:
        await until(lambda: served(pool.pk, 2))
        before = {agent.pk for agent in await rows_of(pool.pk)}
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        await database_sync_to_async(pools.recycle_pool)(pool.team_id, pool.name)
        other = await broker.acquire(pool.pk, holder="b", team_id=pool.team_id, timeout=20)
        assert other.agent_id not in before
        assert (await broker.invoke(lease, invocation({"x": 2}))).results[0].output == 4
        for held in (lease, other):
            assert await broker.release(held, LeaseOutcome.OK)

        async def replaced() -> bool:
            return not before & {agent.pk for agent in await rows_of(pool.pk)}

        await until(replaced)
        assert await reasons(pool) == ["recycled"] * 2
