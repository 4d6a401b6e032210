"""The scaler at work: real pools, leases and rows, agents in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from channels.db import database_sync_to_async
from django.conf import LazySettings

from pools.facade import api as pools
from pools.facade.contracts import LeaseOutcome, Steering
from pools.models import Pool
from pools.runtime.memory import MemoryRuntime
from pools.services.broker.broker import Broker
from pools.services.controller.controller import PoolController
from scaling.models import ScalingDecision, ScalingPolicy
from scaling.selectors.counts import counted
from scaling.services.rationing import STEADY
from scaling.services.scaler import Scaler
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, rows_of, served, site, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

NOW = 1000.0
AT = 1_800_000_000.0


@asynccontextmanager
async def running(pool: Pool) -> AsyncIterator[tuple[Plant, PoolController, Broker]]:
    plant = site(MemoryRuntime())
    async with plant.running() as controller, plant.brokering() as broker:
        await until(lambda: served(pool.pk, pool.target_size))
        await until(lambda: known(pool))
        yield plant, controller, broker
    await plant.runtime.close()


@database_sync_to_async
def known(pool: Pool) -> bool:
    """Redis was told of it: a controller that has just begun has to do that first."""
    return any(load.pool_id == pool.pk and load.known for load in pools.load())


@database_sync_to_async
def evaluate(scaler: Scaler, now: float) -> dict[UUID, Steering]:
    return scaler.evaluate(now, AT + now)


@database_sync_to_async
def rows(pool: Pool) -> list[ScalingDecision]:
    return list(ScalingDecision.objects.filter(pool_id=pool.pk).order_by("pk"))


async def wishes(pool: Pool, spares: int) -> bool:
    loads = await database_sync_to_async(pools.load)()
    return [load.spares for load in loads if load.pool_id == pool.pk] == [spares]


async def alive(pool: Pool, number: int) -> bool:
    return len(await rows_of(pool.pk)) == number


new_pool = database_sync_to_async(make_pool)


@database_sync_to_async
def new_policy(pool: Pool, **values: Any) -> None:
    fields = {name: values.pop(name) for name in ("preset", "mode") if name in values}
    ScalingPolicy.objects.create(team=pool.team, pool=pool.name, values=values, **fields)


async def waiting(pool: Pool, number: int) -> bool:
    (load,) = await database_sync_to_async(pools.load)()
    return load.waiting == number


async def test_waiters_get_agents_and_the_decision_says_why() -> None:
    pool = await new_pool(min_size=1, max_size=8)
    async with running(pool) as (_, controller, broker):
        scaler = Scaler()
        controller.steer(await evaluate(scaler, NOW), 60)
        asking = [
            asyncio.create_task(broker.acquire(pool.pk, holder=f"h{n}", team_id=pool.team_id, timeout=60))
            for n in range(4)
        ]
        await until(lambda: waiting(pool, 3))
        steering = await evaluate(scaler, NOW + 2)
        assert steering == {pool.pk: Steering(4, spares=4)}
        assert await waiting(pool, 3)  # the pool itself leaves it to the scaler
        controller.steer(steering, 60)
        leases = await asyncio.gather(*asking)
        assert len({lease.agent_id for lease in leases}) == 4
        found = (await rows(pool))[-1]
        assert (found.action, found.reason, found.current_size, found.target_size) == (
            "scale_up",
            "queue_depth",
            1,
            4,
        )
        assert found.explanation == "1 agent at work while 3 callers wait: 4 agents are needed; from 1 to 4"
        assert (found.signals["leased"], found.signals["waiting"]) == (1, 3)
        for lease in leases:
            await broker.release(lease, LeaseOutcome.OK)


async def test_the_size_falls_after_the_window_and_the_idle_time_out() -> None:
    pool = await new_pool(min_size=1, max_size=8, target_size=6, idle_timeout=120.0)
    async with running(pool) as (_, controller, _broker):
        await until(lambda: served(pool.pk, 6))
        scaler, sizes = Scaler(), []
        for now in range(0, 200, 2):
            (steering,) = (await evaluate(scaler, NOW + now)).values()
            sizes.append(steering.size)
            await database_sync_to_async(Pool.objects.filter(pk=pool.pk).update)(target_size=steering.size)
        assert sizes[58] == 6  # 116 s: the idle time-out of the pool is longer than the policy's window
        assert sizes[-1] == 1
        controller.steer({pool.pk: Steering(1)}, 60)
        await until(lambda: served(pool.pk, 1))


async def test_a_pool_without_a_scaler_follows_its_demand_again() -> None:
    pool = await new_pool(min_size=1, max_size=8)
    async with running(pool) as (_, controller, broker):
        controller.steer({pool.pk: Steering(1)}, 0.5)  # and then the scaler falls silent
        leases = await asyncio.gather(
            *(broker.acquire(pool.pk, holder=f"h{n}", team_id=pool.team_id, timeout=60) for n in range(3))
        )
        assert len({lease.agent_id for lease in leases}) == 3
        for lease in leases:
            await broker.release(lease, LeaseOutcome.OK)


async def test_a_ceiling_outlasts_the_silence_of_the_scaler() -> None:
    """What a budget does not pay must not be made because nobody said so again."""
    pool = await new_pool(min_size=3, max_size=8)
    plant = site(MemoryRuntime())
    controller = plant.controller()
    await controller.start()
    try:
        controller.steer({pool.pk: Steering(5, ceiling=1)}, 0.0)
        await controller.tick()
        assert len(await rows_of(pool.pk)) == 1
        controller.steer({pool.pk: Steering(5)}, 0.0)
        await controller.tick()
        assert len(await rows_of(pool.pk)) == 3, "its size is its own again, and no ceiling is left"
    finally:
        await controller.close()


async def test_a_ceiling_beats_the_minimum_and_ends_no_work() -> None:
    pool = await new_pool(min_size=3, max_size=8)
    async with running(pool) as (_, controller, broker):
        lease = await broker.acquire(pool.pk, holder="h", team_id=pool.team_id, timeout=60)
        controller.steer({pool.pk: Steering(3, ceiling=0)}, 60)
        await until(lambda: served(pool.pk, 1))
        await broker.release(lease, LeaseOutcome.OK)


async def test_a_person_who_warms_a_pool_is_heeded_for_the_idle_time_out() -> None:
    pool = await new_pool(min_size=1, max_size=8, idle_timeout=120.0)
    scaler = Scaler()
    async with running(pool):
        await evaluate(scaler, NOW)
        await evaluate(scaler, NOW + 200)
        await database_sync_to_async(pools.warm_pool)(pool.team_id, pool.name, 5)
        assert (await evaluate(scaler, NOW + 202))[pool.pk].size == 5
        assert (await evaluate(scaler, NOW + 300))[pool.pk].size == 5
        assert (await evaluate(scaler, NOW + 330))[pool.pk].size < 5


async def test_a_shadow_decides_and_changes_nothing() -> None:
    pool = await new_pool(min_size=1, max_size=8)
    await new_policy(pool, mode="shadow")
    async with running(pool) as (_, _controller, broker):
        scaler = Scaler()
        await evaluate(scaler, NOW)
        held = await broker.acquire(pool.pk, holder="h", team_id=pool.team_id, timeout=60)
        assert await evaluate(scaler, NOW + 2) == {}
        assert (await rows(pool))[-1].mode == "shadow"
        await broker.release(held, LeaseOutcome.OK)


async def test_pools_without_warm_up_are_scaled_only_by_a_policy_of_their_own() -> None:
    pool = await new_pool(min_size=0, max_size=8, warm_up=False)
    async with running(pool):
        assert await evaluate(Scaler(), NOW) == {}
        await new_policy(pool, preset="reactive", min_idle=2)
        assert (await evaluate(Scaler(), NOW))[pool.pk].size == 2


async def test_a_drained_pool_is_left_alone() -> None:
    pool = await new_pool(min_size=1, max_size=8)
    async with running(pool):
        assert set(await evaluate(Scaler(), NOW)) == {pool.pk}
        await database_sync_to_async(pools.drain_pool)(pool.team_id, pool.name)
        assert await evaluate(Scaler(), NOW + 2) == {}


async def test_each_evaluation_is_counted_and_steady_ones_are_kept_once_a_minute() -> None:
    pool = await new_pool(min_size=1, max_size=1)
    async with running(pool):
        scaler = Scaler()
        for step in range(40):
            await evaluate(scaler, NOW + 200 + 2 * step)
        assert await database_sync_to_async(counted)() == {("hold", "hold"): 40}
        assert len(await rows(pool)) == 2  # in 80 s


async def test_it_runs_beside_the_controller_and_wakes_when_somebody_waits() -> None:
    pool = await new_pool(min_size=1, max_size=8)
    async with running(pool) as (_, controller, broker):
        task = asyncio.create_task(Scaler().run(controller))
        leases = await asyncio.gather(
            *(broker.acquire(pool.pk, holder=f"h{n}", team_id=pool.team_id, timeout=60) for n in range(5))
        )
        assert len({lease.agent_id for lease in leases}) == 5
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for lease in leases:
            await broker.release(lease, LeaseOutcome.OK)


async def test_what_a_policy_says_of_spot_goes_with_the_size() -> None:
    pool = await new_pool(min_size=1, max_size=4)
    async with running(pool):
        assert await evaluate(Scaler(), NOW) == {pool.pk: Steering(1, spares=3)}
        await new_policy(pool, prefer_spot=True)
        assert await evaluate(Scaler(), NOW) == {pool.pk: Steering(1, prefer_spot=True, spares=3)}
        await database_sync_to_async(ScalingPolicy.objects.update)(values={"spot_fallback": False})
        assert await evaluate(Scaler(), NOW) == {pool.pk: Steering(1, spot_fallback=False, spares=3)}


@pytest.mark.parametrize(("limit", "left"), [(0, None), (5, 1), (4, 1), (3, 0), (2, 0)])
async def test_replacements_take_nothing_that_others_want(
    settings: LazySettings, limit: int, left: int | None
) -> None:
    """The installation's limit leaves so many to the pool with an agent at its last use."""
    settings.AFLOW_MAX_AGENTS = limit
    busy = await new_pool(min_size=2, max_size=8, max_uses=1)
    quiet = await new_pool(min_size=1, max_size=8, max_uses=1)
    for pool in (busy, quiet):
        await new_policy(pool, mode="off")
    async with running(busy) as (_, controller, broker):
        controller.steer({busy.pk: Steering(None, spares=0)}, 600)
        await until(lambda: known(quiet))
        lease = await broker.acquire(busy.pk, holder="h", team_id=busy.team_id, timeout=60)
        await until(lambda: wishes(busy, 1))
        sizes = await evaluate(Scaler(), NOW)
        if left is None:
            assert sizes == {}
        else:
            assert (sizes[busy.pk].spares, sizes[quiet.pk].spares) == (left, 0)
        await broker.release(lease, LeaseOutcome.OK)


@pytest.mark.parametrize(("spares", "agents"), [(0, 2), (1, 3), (None, 3)])
async def test_no_more_replacements_are_made_than_the_scaler_allows(spares: int | None, agents: int) -> None:
    pool = await new_pool(min_size=2, max_size=8, max_uses=1)
    async with running(pool) as (_, controller, broker):
        controller.steer({pool.pk: Steering(None, spares=spares)}, 0.0)  # silent since, which changes nothing
        leases = [
            await broker.acquire(pool.pk, holder=f"h{n}", team_id=pool.team_id, timeout=60) for n in range(2)
        ]
        await until(lambda: alive(pool, agents))
        await controller.tick()
        assert await alive(pool, agents)
        for lease in leases:
            await broker.release(lease, LeaseOutcome.OK)


async def test_a_place_that_is_free_for_a_moment_is_not_made_a_replacement_of(settings: LazySettings) -> None:
    """Nor is one made and ended again, while another pool's agents end and begin."""
    settings.AFLOW_MAX_AGENTS = 3
    pool = await new_pool(min_size=2, max_size=8, max_uses=1)
    await new_policy(pool, mode="off")
    async with running(pool) as (_, controller, broker):
        scaler = Scaler()
        controller.steer({pool.pk: Steering(None, spares=0)}, 600)
        lease = await broker.acquire(pool.pk, holder="h", team_id=pool.team_id, timeout=60)
        await until(lambda: wishes(pool, 1))
        settings.AFLOW_MAX_AGENTS = 2
        assert (await evaluate(scaler, NOW))[pool.pk].spares == 0
        settings.AFLOW_MAX_AGENTS = 3
        assert (await evaluate(scaler, NOW + STEADY))[pool.pk].spares == 0
        assert (await evaluate(scaler, NOW + STEADY + 1))[pool.pk].spares == 1
        await broker.release(lease, LeaseOutcome.OK)


async def test_whoever_begins_to_wait_while_sizes_are_decided_is_seen_at_once() -> None:
    pool = await new_pool(min_size=0, max_size=8)
    async with running(pool) as (_, controller, _broker):
        await controller.leases.nudge()
        await asyncio.sleep(0.2)  # nobody listens yet
        async with asyncio.timeout(60):
            await controller.woken(600)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await controller.woken(600)


async def test_when_agents_are_short_teams_get_fair_shares(settings: LazySettings) -> None:
    settings.AFLOW_MAX_AGENTS = 4
    greedy = await new_pool(min_size=4, max_size=8)
    modest = await new_pool(min_size=0, max_size=8)
    async with running(greedy) as (_, controller, broker):
        scaler = Scaler()
        # Until all three ask: its own demand would make agents for the first of them.
        controller.steer({modest.pk: Steering(0, ceiling=0)}, 600)
        await until(lambda: known(modest))
        asking = [
            asyncio.create_task(
                broker.acquire(modest.pk, holder=f"h{n}", team_id=modest.team_id, timeout=600)
            )
            for n in range(3)
        ]
        await until(lambda: asks(modest, 3))
        controller.steer(await evaluate(scaler, NOW), 600)
        await until(lambda: alive(greedy, 2))
        sizes = await evaluate(scaler, NOW + 2)
        assert sizes[greedy.pk].ceiling == 2
        assert sizes[modest.pk].ceiling == 2
        controller.steer(sizes, 600)
        await until(lambda: alive(modest, 2))
        decided = {row.reason for row in await rows(greedy)}
        assert "capacity" in decided
        done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        assert done
        for task in asking:  # each waits its turn: nobody starves
            done_lease = await task
            await broker.release(done_lease, LeaseOutcome.OK)


async def asks(pool: Pool, number: int) -> bool:
    loads = await database_sync_to_async(pools.load)()
    return next(load.waiting for load in loads if load.pool_id == pool.pk) == number
