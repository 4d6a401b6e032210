"""The controller against reality: deaths, losses of memory, restarts, orphans, broken images."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from channels.db import database_sync_to_async
from django.conf import settings

from pools.domain.agents import AgentState
from pools.facade.contracts import LeaseLost, LeaseOutcome
from pools.leases.store import Leases
from pools.models import Agent, Pool, PoolEpoch
from pools.runtime.base import AgentSpec, RuntimeFault
from pools.runtime.memory import MemoryRuntime
from pools.selectors.pools import agent_views, views
from pools.services import loops
from pools.services.agents import NotLeading
from pools.services.controller import leadership
from pools.services.controller.leadership import Silence
from teams.models import Team
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
    """At once, as Redis loses its memory: nobody sees a part of it."""
    script = "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('DEL', key) end"
    await call("EVAL", script, "0", plant.prefix)


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
        await until(lambda: not controller.creator.tasks)  # Redis knows both
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


async def test_without_a_reset_an_agent_is_not_taken_up_again(plant: Plant) -> None:
    """A request of before may still run in it, and a second one must not join it."""
    pool = await new_pool(min_size=1, max_size=1, image="echo")
    async with plant.running() as controller, plant.brokering(heartbeat=0.1) as broker:
        lease = await broker.acquire(pool.pk, holder="before", team_id=pool.team_id, timeout=10)
        memory(plant).agents[lease.agent_id].knows_reset = False
        await flush(plant, controller.leases.wire.call)
        after = await broker.acquire(pool.pk, holder="after", team_id=pool.team_id, timeout=15)
        assert after.agent_id != lease.agent_id
        (gone,) = await rows_of(pool.pk, AgentState.GONE)
        assert (gone.pk, gone.end_reason) == (lease.agent_id, "recycled")
        assert lease.agent_id not in memory(plant).agents


async def test_an_agent_that_redis_knows_by_now_is_not_reset(plant: Plant) -> None:
    """It was registered after the controller had asked who is in service; it may be leased already."""
    pool = await new_pool(min_size=1, max_size=1)
    async with plant.running() as controller, plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        await until(lambda: not controller.creator.tasks)
        await controller.reality.restore_missing(set())
        await asyncio.sleep(0.2)
        assert memory(plant).agents[lease.agent_id].resets == 0
        assert (await broker.invoke(lease, invocation({"x": 3}))).results[0].output == 9
        assert await broker.release(lease, LeaseOutcome.OK)


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
            template=pool.template,
            nonce="n",
            started_at=datetime.now(UTC),
        )

    row = await intent()
    async with plant.running():
        await until(lambda: served(pool.pk, 1))
    assert [agent.pk for agent in await rows_of(pool.pk)] == [row.pk]
    assert memory(plant).creations == 1


async def test_an_agent_that_vanished_while_it_warmed_up_is_not_waited_for(plant: Plant) -> None:
    """As after a restart of the machine: the row says that it runs, and nothing does."""
    pool = await new_pool(min_size=1)

    @database_sync_to_async
    def warming() -> Agent:
        from datetime import UTC, datetime

        return Agent.objects.create(
            pool=pool,
            team_id=pool.team_id,
            pool_name=pool.name,
            image=pool.image,
            template=pool.template,
            nonce="n",
            state="warming",
            address="127.0.0.1:1",
            started_at=datetime.now(UTC),
        )

    row = await warming()
    async with plant.running():
        await until(lambda: served(pool.pk, 1))
    assert row.pk not in {agent.pk for agent in await rows_of(pool.pk)}


async def test_agents_of_a_team_that_is_gone_end(plant: Plant) -> None:
    pool = await new_pool(min_size=2)
    async with plant.running():
        await until(lambda: served(pool.pk, 2))
        await database_sync_to_async(Team.objects.filter(pk=pool.team_id).delete)()
        await until(lambda: not memory(plant).agents)


async def test_a_removal_that_fails_is_not_tried_at_once_again(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await new_pool(min_size=1)
    attempts = 0

    async def refuse(agent_id: object, **_: Any) -> None:
        nonlocal attempts
        attempts += 1
        raise RuntimeFault("It does not end.")

    @database_sync_to_async
    def delete() -> None:
        from datetime import UTC, datetime

        Pool.objects.filter(pk=pool.pk).update(deleted_at=datetime.now(UTC))

    async with plant.running() as controller:
        await until(lambda: served(pool.pk, 1))
        with monkeypatch.context() as patched:
            patched.setattr(plant.runtime, "remove", refuse)
            await delete()
            controller.nudge()
            await until(lambda: attempts)
            await asyncio.sleep(2.5)
            assert attempts <= 4
        await until(lambda: not memory(plant).agents)


async def test_an_agent_that_failed_its_check_is_unhealthy_until_it_is_gone(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that leaves for a reason of the pool's is draining."""
    pool = await new_pool(min_size=2, max_size=2)
    remove, let_go = plant.runtime.remove, asyncio.Event()

    async def slowly(agent_id: UUID, **_: Any) -> None:
        await let_go.wait()
        await remove(agent_id)

    @database_sync_to_async
    def seen() -> tuple[dict[str, int], dict[UUID, str]]:
        leases = Leases(redis.Redis.from_url(settings.REDIS_URL), plant.prefix)
        (view,) = views([Pool.objects.get(pk=pool.pk)], leases)
        agents = agent_views(Agent.objects.filter(pool=pool).exclude(state="gone"), leases)
        leases.client.close()
        return dict(view.states), {agent.id: agent.health for agent in agents}

    monkeypatch.setattr(plant.runtime, "remove", slowly)
    async with plant.running() as controller, plant.brokering() as broker:
        await until(lambda: served(pool.pk, 2))
        await until(lambda: not controller.creator.tasks)  # Redis knows both
        sick, leaving = memory(plant).agents.values()
        sick.healthy = False
        await controller.leases.drain(leaving.spec.agent_id, "scale_down")
        await asyncio.sleep(0.6)
        waiter = asyncio.create_task(broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=15))

        async def both_leave() -> bool:
            states, health = await seen()
            return (states["unhealthy"], states["draining"]) == (1, 1) and health == {
                sick.spec.agent_id: "failing",
                leaving.spec.agent_id: "unknown",
            }

        try:
            await until(both_leave)
        finally:
            let_go.set()
        assert (await waiter).agent_id not in {sick.spec.agent_id, leaving.spec.agent_id}
        ends = {agent.pk: agent.end_reason for agent in await rows_of(pool.pk, AgentState.GONE)}
        assert ends == {sick.spec.agent_id: "unhealthy", leaving.spec.agent_id: "scale_down"}


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


async def test_an_orphan_that_is_slow_to_end_holds_up_nothing(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = memory(plant)
    spec = AgentSpec(uuid4(), uuid4(), "p", "echo", "n", epoch=1, token="t")
    await runtime.create(spec)
    runtime.agents[spec.agent_id].created_at = time.time() - 3600
    begun = asyncio.Event()

    async def hang(agent_id: UUID, **_: Any) -> None:
        begun.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(runtime, "remove", hang)
    controller = plant.controller()
    await controller.start()
    try:
        await asyncio.wait_for(controller.tick(), 60)
        await asyncio.wait_for(begun.wait(), 60)
    finally:
        monkeypatch.undo()
        await controller.close()


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


async def test_a_part_that_breaks_is_taken_up_again(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime's events and the live view outlive a fault that nobody foresaw."""
    monkeypatch.setattr(loops, "MEND_PAUSE", 0.05)
    pool = await new_pool(min_size=1)
    controller = plant.controller()
    follow, sample, broken = controller.reality.follow_events, controller._sampler.sample, []

    def breaks_once(name: str, work: Any) -> Any:
        async def run() -> None:
            if name not in broken:
                broken.append(name)
                raise ValueError("unforeseen")
            await work()

        return run

    monkeypatch.setattr(controller.reality, "follow_events", breaks_once("events", follow))
    monkeypatch.setattr(controller._sampler, "sample", breaks_once("sampler", sample))
    stop = asyncio.Event()
    monkeypatch.setattr(controller, "_learn_when_due", partial(asyncio.sleep, 0))  # by events alone
    await controller.start()
    running = asyncio.create_task(controller.run_forever(stop))
    try:
        await until(lambda: served(pool.pk, 1))
        await until(lambda: len(broken) == 2)
        await memory(plant).kill(next(iter(memory(plant).agents)))
        await until(lambda: rows_of(pool.pk, AgentState.GONE))

        async def shown() -> bool:
            return bool(await controller.leases.wire.call("XLEN", controller.leases.keys.stream))

        await until(shown)
    finally:
        stop.set()
        await running
        await controller.close()


async def test_an_agent_that_goes_in_the_middle_of_a_round(plant: Plant) -> None:
    """Its figures are saved all the same."""
    pool = await new_pool(min_size=1)
    async with plant.running() as controller:
        # Its row says that it serves a moment before Redis knows it.
        await until(lambda: controller.leases.agents([pool.pk]))
        (agent,) = await controller.leases.agents([pool.pk])
        gone = replace(agent, id=uuid4(), uses=3)
        await controller._save({gone.id: gone})


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


async def test_a_dead_leader_whose_time_does_not_run_out(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's clock was set back, say. Who leads says so again and again; who is silent is dead."""
    monkeypatch.setattr(leadership, "LEAD_TTL", 3600.0)
    dead, silence = plant.controller(), Silence()
    await dead.start()
    monkeypatch.setattr(leadership, "LEAD_TTL", 0.5)
    others = [plant.controller(silence=silence) for _ in range(3)]
    try:
        with pytest.raises(NotLeading):
            await others[0].start()
        await asyncio.sleep(0.6)
        await dead.tick()  # it lives after all
        with pytest.raises(NotLeading):
            await others[1].start()
        await asyncio.sleep(0.6)
        await others[2].start()
        with pytest.raises(NotLeading):
            await dead.tick()
    finally:
        for controller in (dead, *others):
            await controller.close()
