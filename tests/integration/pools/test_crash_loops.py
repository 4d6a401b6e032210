"""Pools whose agents start well and end under their work, or fail their checks, again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from channels.db import database_sync_to_async
from django.db.models import F

from pools.domain import crash_loops
from pools.domain.agents import AgentState, EndReason
from pools.facade import api as pools
from pools.facade.contracts import AgentLost, LeaseOutcome, LeaseTimeout
from pools.models import Agent, Pool
from pools.runtime.memory import MemoryRuntime
from pools.selectors.views import agent_view
from pools.services.controller.controller import PoolController
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, has_problem, invocation, problem, rows_of, until

pytestmark = pytest.mark.django_db(transaction=True)


class Eloquent(MemoryRuntime):
    """Its agents leave last words, and live on when a controller ends."""

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        return "Segmentation fault\0\n"

    async def close(self) -> None:
        pass


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    runtime = Eloquent({"fragile": lambda value: value})
    yield Plant(runtime)
    await MemoryRuntime.close(runtime)


@pytest.fixture
def hour_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool in a loop makes no agent while a test looks at it."""
    monkeypatch.setattr(crash_loops, "FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(crash_loops, "LONGEST_PAUSE", 3600.0)


def memory(plant: Plant) -> MemoryRuntime:
    assert isinstance(plant.runtime, MemoryRuntime)
    return plant.runtime


async def new_pool(**values: Any) -> Pool:
    pool: Pool = await database_sync_to_async(make_pool)(**values)
    return pool


async def kill_under_work(plant: Plant, pool: Pool, times: int) -> None:
    """Each agent dies of the first request that it gets."""
    async with plant.brokering() as broker:
        for number in range(times):
            lease = await broker.acquire(pool.pk, holder=f"h{number}", team_id=pool.team_id, timeout=60)
            await memory(plant).kill(lease.agent_id)
            with pytest.raises(AgentLost):
                await broker.invoke(lease, invocation({"x": 1}, runs=None))
            await broker.release(lease, LeaseOutcome.POISON)


async def work(plant: Plant, pool: Pool, times: int) -> None:
    async with plant.brokering() as broker:
        for number in range(times):
            lease = await broker.acquire(pool.pk, holder=f"w{number}", team_id=pool.team_id, timeout=60)
            await broker.invoke(lease, invocation({"x": 1}, runs=None))
            await broker.release(lease, LeaseOutcome.OK)


@database_sync_to_async
def set_clock_back(pool: Pool, by: timedelta) -> None:
    """What was written before lies that much later than what will be."""
    Agent.objects.filter(pool=pool).update(
        started_at=F("started_at") + by, ready_at=F("ready_at") + by, ended_at=F("ended_at") + by
    )


@database_sync_to_async
def kept(pool: Pool) -> Any:
    """Of its crash loop, for the next controller."""
    return Pool.objects.get(pk=pool.pk).crash_loop


@database_sync_to_async
def write(pool: Pool, kept: Any) -> None:
    Pool.objects.filter(pk=pool.pk).update(crash_loop=kept)


async def lacks(pool: Pool) -> bool:
    return await kept(pool) is None


async def well(plant: Plant, pool: Pool) -> bool:
    """Whether its one agent lives: the row of one that died is idle until the controller notices."""
    (agent,) = await rows_of(pool.pk, AgentState.IDLE) or (None,)
    return agent is not None and agent.pk in memory(plant).agents


async def is_left(pool: Pool, state: AgentState) -> bool:
    """Whether its only live agent is in that state; GONE: whether it has none."""
    return {AgentState(agent.state) for agent in await rows_of(pool.pk)} == {state} - {AgentState.GONE}


async def remove_or_hang(plant: Plant, remove: Any, agent_id: UUID, *, grace: float = 0.0) -> None:
    """Never ends for an agent that has died."""
    if agent_id not in memory(plant).agents:
        await asyncio.Event().wait()
    await remove(agent_id, grace=grace)


@pytest.mark.usefixtures("hour_long_pauses")
async def test_agents_that_die_at_work_are_replaced_ever_less_often(plant: Plant) -> None:
    """The pool says so, with the last words; the first agent that works ends it."""
    pool = await new_pool(min_size=1, max_size=1, image="fragile")
    async with plant.running() as controller:
        await kill_under_work(plant, pool, crash_loops.FORGIVEN + 1)
        await until(lambda: has_problem(pool, "crash_loop"))
        _, told = await problem(pool)
        assert "died or failed at their work" in str(told)
        assert str(told).endswith("wrote: Segmentation fault\ufffd")
        made = memory(plant).creations
        for _ in range(20):
            await controller.tick()
        assert memory(plant).creations == made == crash_loops.FORGIVEN + 1
        async with plant.brokering() as broker:
            with pytest.raises(LeaseTimeout):
                await broker.acquire(pool.pk, holder="late", team_id=pool.team_id, timeout=0.2)
        # The pause is over.
        controller.loops.of(controller.registry.pools[pool.pk]).open_until = 0.0
        controller.nudge()
        await until(lambda: well(plant, pool))
        assert await has_problem(pool, "crash_loop"), "that one starts proves nothing"
        await work(plant, pool, crash_loops.PROVEN_USES)
        controller.nudge()
        await until(lambda: has_problem(pool, None))


@pytest.mark.usefixtures("hour_long_pauses")
async def test_agents_that_fail_their_checks_are_never_used_and_not_made_for_ever(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=1, image="fragile", health_check_interval=1.0)
    async with plant.running() as controller:

        async def sicken() -> bool:
            for agent in await rows_of(pool.pk, AgentState.IDLE):
                if agent.pk in memory(plant).agents:
                    memory(plant).agents[agent.pk].healthy = False
                await controller.leases.drain(agent.pk, "unhealthy")
            return await has_problem(pool, "crash_loop")

        await until(sicken)
        assert "failed their health check" in str((await problem(pool))[1])
        gone = await rows_of(pool.pk, AgentState.GONE)
        assert {(agent.end_reason, agent.uses) for agent in gone} == {("unhealthy", 0)}
        assert memory(plant).creations == crash_loops.FORGIVEN + 1


@pytest.mark.usefixtures("hour_long_pauses")
async def test_a_pool_that_was_changed_begins_anew(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=1, image="fragile")
    async with plant.running() as controller:
        await kill_under_work(plant, pool, crash_loops.FORGIVEN + 1)
        await until(lambda: has_problem(pool, "crash_loop"))
        more = {"memory": pool.memory * 2}
        await database_sync_to_async(pools.update_pool)(pool.team_id, pool.name, more)
        controller.nudge()
        await until(lambda: well(plant, pool))
        await until(lambda: has_problem(pool, None))


async def test_an_agent_that_is_kept_out_says_why(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=1)
    async with plant.running() as controller:
        await until(lambda: well(plant, pool))
        (agent,) = await rows_of(pool.pk)
        stuck = asyncio.Event()
        remove = plant.runtime.remove

        async def wait(agent_id: Any, *, grace: float = 0.0) -> None:
            await stuck.wait()
            await remove(agent_id, grace=grace)

        plant.runtime.remove = wait  # type: ignore[method-assign]
        await controller.leases.drain(agent.pk, "unhealthy")
        (seen,) = await controller.leases.agents([pool.pk])
        assert (agent_view(agent, seen).state, agent_view(agent, seen).end_reason) == (
            "unhealthy",
            "unhealthy",
        )
        await until(lambda: rows_of(pool.pk, AgentState.STOPPING))
        (row,) = await rows_of(pool.pk, AgentState.STOPPING)
        assert (agent_view(row, None).state, agent_view(row, None).end_reason) == ("unhealthy", "unhealthy")
        stuck.set()
        await until(lambda: rows_of(pool.pk, AgentState.GONE))


@pytest.mark.usefixtures("hour_long_pauses")
@pytest.mark.parametrize("removed", [True, False], ids=["gone", "on its way out"])
async def test_a_crash_loop_outlives_the_controller(plant: Plant, removed: bool) -> None:
    """It counts the last agent, whether or not that was removed before the controller ended."""
    pool = await new_pool(min_size=1, max_size=1, image="fragile")
    with pytest.MonkeyPatch.context() as patch:
        async with plant.running():
            await kill_under_work(plant, pool, crash_loops.FORGIVEN)
            await until(lambda: well(plant, pool))
            if not removed:
                patch.setattr(plant.runtime, "remove", partial(remove_or_hang, plant, plant.runtime.remove))
            await kill_under_work(plant, pool, 1)
            await until(lambda: has_problem(pool, "crash_loop"))
            await until(lambda: is_left(pool, AgentState.GONE if removed else AgentState.STOPPING))
    made = memory(plant).creations
    for _ in range(3):
        async with plant.running() as controller:
            for _ in range(3):
                await controller.tick()
            assert controller.loops.of(controller.registry.pools[pool.pk]).excess == 1
    assert memory(plant).creations == made
    assert await has_problem(pool, "crash_loop")
    await database_sync_to_async(pools.update_pool)(pool.team_id, pool.name, {"env": {"A": "1"}})
    async with plant.running():
        await until(lambda: well(plant, pool))  # of what is made anew nothing is known


async def test_who_takes_over_counts_no_ends_before_a_proof_whatever_the_clock_says(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=1, image="fragile")

    def ends(controller: PoolController) -> int:
        return controller.loops.of(controller.registry.pools[pool.pk]).ends.total()

    async with plant.running() as controller:
        await kill_under_work(plant, pool, crash_loops.FORGIVEN)
        await until(lambda: well(plant, pool))
        assert ends(controller) == crash_loops.FORGIVEN
    await set_clock_back(pool, timedelta(minutes=10))
    async with plant.running() as controller:
        assert ends(controller) == crash_loops.FORGIVEN
        await work(plant, pool, crash_loops.PROVEN_USES)
        controller.nudge()
        await until(lambda: ends(controller) == 0)
    assert await kept(pool) is None
    async with plant.running() as controller:
        await kill_under_work(plant, pool, 2)  # the second is a new one
        await until(lambda: ends(controller) == 1)
        await until(lambda: well(plant, pool))
    async with plant.running() as controller:
        assert ends(controller) == 1


@pytest.mark.usefixtures("hour_long_pauses")
async def test_the_agent_that_is_being_made_is_gone_on_with_and_no_other_is_made(plant: Plant) -> None:
    pool = await new_pool(min_size=2, max_size=2, image="fragile")
    async with plant.running() as controller:
        await kill_under_work(plant, pool, crash_loops.FORGIVEN + 1)
        await until(lambda: has_problem(pool, "crash_loop"))
        for agent in await rows_of(pool.pk, AgentState.IDLE):
            await memory(plant).kill(agent.pk)
        await until(lambda: is_left(pool, AgentState.GONE))
    made = memory(plant).creations
    memory(plant).sick.add("fragile")  # what is made stays on its way
    controller = plant.controller()
    await controller.start()
    controller.loops.of(controller.registry.pools[pool.pk]).open_until = 0.0
    await controller.tick()
    await until(lambda: is_left(pool, AgentState.WARMING))
    before = await kept(pool)
    assert before is not None
    assert before["until"] > time.time() + 3000, "known before anybody looks again"
    await controller.close()
    for made_then in memory(plant).agents.values():
        made_then.healthy = True
    async with plant.running():
        await until(lambda: well(plant, pool))
    assert memory(plant).creations == made + 1


async def test_what_another_controller_wrote_late_does_not_last(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=1, image="fragile")
    async with plant.running() as controller:
        await kill_under_work(plant, pool, 1)
        await until(lambda: kept(pool))
        stale = await kept(pool)
        await work(plant, pool, crash_loops.PROVEN_USES)
        controller.nudge()
        await until(lambda: lacks(pool))
        await write(pool, stale)
        controller.nudge()
        await until(lambda: lacks(pool))


async def test_what_another_version_kept_keeps_nobody_from_starting(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=1, image="fragile")
    await write(pool, {"ends": {"bored": 3}})
    async with plant.running():
        await until(lambda: well(plant, pool))
        await until(lambda: lacks(pool))


async def test_who_ends_in_order_forgets_nothing(plant: Plant) -> None:
    """Not even what it could not write down when it happened."""
    pool = await new_pool(min_size=0, max_size=1, image="fragile")
    controller = plant.controller()
    await controller.start()
    controller.loops.of(controller.registry.pools[pool.pk]).ended(EndReason.ERRORS, (), 0.0)
    await controller.close()
    assert (await kept(pool))["ends"] == {"errors": 1}
