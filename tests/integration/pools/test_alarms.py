"""What a pool's trouble tells its team, and that it is taken back when the trouble is over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from channels.db import database_sync_to_async

from pools.domain.saturation import SaturationRule
from pools.facade import api as pools
from pools.facade.contracts import LeaseOutcome
from pools.models import Pool
from pools.runtime.memory import MemoryRuntime
from teams.models import Alert
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, served, until

pytestmark = pytest.mark.django_db(transaction=True)


@database_sync_to_async
def open_alerts(pool: Pool) -> dict[str, dict[str, Any]]:
    """The facts of each, by kind."""
    rows = Alert.objects.filter(team=pool.team_id, subject=f"pool/{pool.name}", resolved_at=None)
    return {alert.kind: alert.facts for alert in rows}


async def new_pool(**values: Any) -> Pool:
    pool: Pool = await database_sync_to_async(make_pool)(**values)
    return pool


async def test_agents_that_cannot_be_made(plant: Plant) -> None:
    runtime = plant.runtime
    assert isinstance(runtime, MemoryRuntime)
    runtime.broken.add("bad")
    pool, well = await new_pool(image="bad", name="bad"), await new_pool()
    async with plant.running():
        await until(lambda: open_alerts(pool))
        facts = (await open_alerts(pool))["creation"]
        assert "The image bad does not start" in facts["sentence"]
        assert facts["problem"] == "creation"
        assert await open_alerts(well) == {}
    # One alert, however often it is tried and whoever leads.
    async with plant.running():
        runtime.broken.discard("bad")
        runtime.images["bad"] = lambda value: value
        await until(lambda: served(pool.pk, 1))
        await until(lambda: gone(pool))
    assert await database_sync_to_async(Alert.objects.count)() == 1


async def gone(pool: Pool) -> bool:
    return not await open_alerts(pool)


async def test_a_pool_that_is_deleted_has_no_trouble(plant: Plant) -> None:
    runtime = plant.runtime
    assert isinstance(runtime, MemoryRuntime)
    runtime.broken.add("bad")
    pool = await new_pool(image="bad")
    async with plant.running():
        await until(lambda: open_alerts(pool))
        await database_sync_to_async(pools.delete_pool)(pool.team_id, pool.name)
        await until(lambda: gone(pool))


async def test_a_saturated_pool(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=1)
    rule = SaturationRule(waiting=3, seconds=0)
    async with plant.running(saturation=rule) as controller, plant.brokering() as broker:
        await until(lambda: served(pool.pk, 1))

        def acquire(number: int) -> asyncio.Task[Any]:
            asking = broker.acquire(pool.pk, holder=f"h{number}", team_id=pool.team_id, timeout=60)
            return asyncio.create_task(asking)

        first = await acquire(0)
        waiters = [acquire(number) for number in (1, 2)]
        await until(lambda: waiting(controller, pool, 2))
        await controller.alarms.look()
        assert await open_alerts(pool) == {}
        waiters.append(acquire(3))
        await until(lambda: open_alerts(pool))
        facts = (await open_alerts(pool))["saturation"]
        assert (facts["waiting"], facts["threshold"]) == (3, 3)
        await broker.release(first, LeaseOutcome.OK)
        await until(lambda: gone(pool))
        for _ in range(3):
            (done, _) = await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                waiters.remove(task)
                await broker.release(task.result(), LeaseOutcome.OK)


async def waiting(controller: Any, pool: Pool, count: int) -> bool:
    figures = await controller.leases.figures([pool.pk])
    return bool(figures[pool.pk].waiting == count)


async def test_who_takes_over_takes_nothing_back(plant: Plant) -> None:
    """A new controller has watched for no time at all, and knows what the one before it said."""
    pool = await new_pool(min_size=0, max_size=1, warm_up=False, image="bad")
    runtime = plant.runtime
    assert isinstance(runtime, MemoryRuntime)
    runtime.sick.add("bad")
    async with plant.brokering() as broker:
        waiter = asyncio.create_task(broker.acquire(pool.pk, holder="h", team_id=pool.team_id, timeout=120))
        async with plant.running(saturation=SaturationRule(1, 0)):
            await until(lambda: has(pool, "saturation"))
        async with plant.running(saturation=SaturationRule(1, 3600)) as controller:
            await until(lambda: waiting(controller, pool, 1))
            await controller.alarms.look()
            assert await has(pool, "saturation")
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
    rows = Alert.objects.filter(kind="saturation")
    assert await database_sync_to_async(rows.count)() == 1


async def has(pool: Pool, kind: str) -> bool:
    return kind in await open_alerts(pool)


@pytest.mark.parametrize(("name", "value"), [("AFLOW_ALERT_WAITING", 3), ("AFLOW_ALERT_SECONDS", 7.0)])
def test_the_settings_are_the_rule(settings: Any, name: str, value: float) -> None:
    settings.AFLOW_ALERT_WAITING, settings.AFLOW_ALERT_SECONDS = 10, 60.0
    before = pools.PoolController(MemoryRuntime()).alarms.rule
    setattr(settings, name, value)
    after = pools.PoolController(MemoryRuntime()).alarms.rule
    assert (before, after) == (
        SaturationRule(10, 60.0),
        SaturationRule(settings.AFLOW_ALERT_WAITING, settings.AFLOW_ALERT_SECONDS),
    )
    assert before != after
