"""Leases and requests, from a pool's row to an agent's answer, on the in-memory runtime."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async

from pools.facade.contracts import (
    AgentLost,
    AgentTimeout,
    LeaseLost,
    LeaseOutcome,
    LeaseTimeout,
    PoolNotFound,
)
from pools.models import Pool
from pools.runtime.memory import MemoryRuntime
from pools.services import loops
from tests.factories.pools import make_pool
from tests.fakes.listener import FakeListener
from tests.fakes.pools import Plant, code, invocation, served, until

pytestmark = pytest.mark.django_db(transaction=True)
SLOW = code("import time\ndef main(seconds):\n    time.sleep(seconds)\n    return 'late'\n")


async def new_pool(**values: Any) -> Pool:
    pool: Pool = await database_sync_to_async(make_pool)(**values)
    return pool


def memory(plant: Plant) -> MemoryRuntime:
    assert isinstance(plant.runtime, MemoryRuntime)
    return plant.runtime


async def test_a_warm_pool_serves_a_request(plant: Plant) -> None:
    pool = await new_pool(min_size=2)
    async with plant.running(), plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        result = await broker.invoke(lease, invocation({"x": 7}))
        assert result.results[0].output == 49
        batch = await broker.invoke(lease, invocation({"x": 2}, {"x": "no"}, batch=True))
        assert [item.error.type if item.error else item.output for item in batch.results] == [4, "TypeError"]
        assert await broker.release(lease, LeaseOutcome.OK)
        assert not await broker.release(lease, LeaseOutcome.OK)


async def test_one_agent_serves_waiters_in_their_order(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=1)
    served_in_order: list[int] = []
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, 1))

        async def work(number: int) -> None:
            lease = await broker.acquire(pool.pk, holder=f"h{number}", team_id=pool.team_id, timeout=20)
            served_in_order.append(number)
            await broker.invoke(lease, invocation({"x": number}))
            await broker.release(lease, LeaseOutcome.OK)

        tasks = []
        for number in range(8):
            tasks.append(asyncio.create_task(work(number)))
            await asyncio.sleep(0.01)
        await asyncio.gather(*tasks)
    assert served_in_order == list(range(8))
    assert memory(plant).creations == 1


async def test_the_same_holder_gets_the_same_lease(plant: Plant) -> None:
    pool = await new_pool(min_size=2)
    async with plant.running(), plant.brokering() as broker, plant.brokering() as other:
        first = await broker.acquire(pool.pk, holder="attempt", team_id=pool.team_id, timeout=10)
        again = await other.acquire(pool.pk, holder="attempt", team_id=pool.team_id, timeout=10)
        assert (first.token, first.fence) == (again.token, again.fence)


async def test_a_full_pool_times_out_and_forgets_the_wait(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=1)
    async with plant.running() as controller, plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        with pytest.raises(LeaseTimeout) as refused:
            await broker.acquire(pool.pk, holder="b", team_id=pool.team_id, timeout=0.2)
        assert "Retry-After" in refused.value.headers
        figures = (await controller.leases.figures([pool.pk]))[pool.pk]
        assert (figures.waiting, figures.leases) == (0, 1)
        await broker.release(lease, LeaseOutcome.OK)


async def test_another_teams_pool_and_an_unknown_one_are_not_found(plant: Plant) -> None:
    pool = await new_pool()
    async with plant.running(), plant.brokering() as broker:
        with pytest.raises(PoolNotFound):
            await broker.acquire(pool.pk, holder="a", team_id=pool.team_id + 1, timeout=0.3)
        with pytest.raises(PoolNotFound):
            await broker.acquire(uuid4(), holder="a", team_id=pool.team_id, timeout=0.3)


@pytest.mark.parametrize("pause", [0.0, 0.001, 0.01, 0.1])
async def test_cancelling_an_acquire_leaks_nothing(plant: Plant, pause: float) -> None:
    """Cancelled before, during and after the grant: the wait is withdrawn, a raced grant given back."""
    pool = await new_pool(min_size=2, max_size=2)
    async with plant.running() as controller, plant.brokering() as broker:
        await until(lambda: served(pool.pk, 2))
        held = await broker.acquire(pool.pk, holder="held", team_id=pool.team_id, timeout=10)
        tasks = [
            asyncio.create_task(
                broker.acquire(pool.pk, holder=f"h{number}", team_id=pool.team_id, timeout=10)
            )
            for number in range(12)
        ]
        await asyncio.sleep(pause)
        release = asyncio.create_task(broker.release(held, LeaseOutcome.OK))
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        await release
        for outcome in outcomes:
            if not isinstance(outcome, BaseException):
                await broker.release(outcome, LeaseOutcome.OK)

        async def quiet() -> bool:
            figures = (await controller.leases.figures([pool.pk]))[pool.pk]
            return (figures.leases, figures.waiting, figures.idle) == (0, 0, 2)

        await until(quiet)


async def test_a_cancelled_request_is_stopped_at_the_agent(plant: Plant) -> None:
    pool = await new_pool()
    async with plant.running() as controller, plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        call = asyncio.create_task(broker.invoke(lease, invocation({"seconds": 0.5}, runs=SLOW)))
        await asyncio.sleep(0.1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await broker.release(lease, LeaseOutcome.ERROR)
        assert memory(plant).agents[lease.agent_id].cancelled == [lease.token]
        figures = (await controller.leases.figures([pool.pk]))[pool.pk]
        assert (figures.leases, figures.condemned) == (0, 0)


async def test_a_time_out_ends_the_agent(plant: Plant) -> None:
    """An agent that does not keep the deadline itself is given up."""
    pool = await new_pool()
    async with plant.running(), plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        with pytest.raises(AgentTimeout):
            await broker.invoke(lease, invocation({"seconds": 5}, runs=SLOW, timeout=0.2))
        assert memory(plant).agents[lease.agent_id].cancelled == [lease.token]
        await broker.release(lease, LeaseOutcome.OK)
        await until(lambda: lease.agent_id not in memory(plant).agents)
        await until(lambda: served(pool.pk, 1))


async def test_a_dead_agent_is_noticed_by_its_request(plant: Plant) -> None:
    pool = await new_pool(min_size=2)
    async with plant.running(), plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        call = asyncio.create_task(broker.invoke(lease, invocation({"seconds": 2}, runs=SLOW)))
        await asyncio.sleep(0.2)
        await memory(plant).kill(lease.agent_id)
        with pytest.raises((AgentLost, LeaseLost)):
            await call
        assert not await broker.release(lease, LeaseOutcome.OK)
        await until(lambda: served(pool.pk, 2))


async def test_a_sick_agent_is_replaced_unseen(plant: Plant) -> None:
    """Health is checked before an agent that has been idle is used again."""
    pool = await new_pool(min_size=2, max_size=3)
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, 2))
        sick = next(iter(memory(plant).agents.values()))
        sick.healthy = False
        await asyncio.sleep(0.6)
        leases = [
            await broker.acquire(pool.pk, holder=f"h{number}", team_id=pool.team_id, timeout=10)
            for number in range(2)
        ]
        assert sick.spec.agent_id not in {lease.agent_id for lease in leases}
        await until(lambda: sick.spec.agent_id not in memory(plant).agents)


async def test_a_lost_lease_ends_its_request_and_voids_its_release(plant: Plant) -> None:
    pool = await new_pool(min_size=1)
    async with plant.running() as controller, plant.brokering(heartbeat=0.1) as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        call = asyncio.create_task(broker.invoke(lease, invocation({"seconds": 1.5}, runs=SLOW)))
        await asyncio.sleep(0.1)
        await controller.leases.wire.call("DEL", f"{plant.prefix}:lease:{lease.token}")
        with pytest.raises(LeaseLost):
            await call
        with pytest.raises(LeaseLost):
            await broker.invoke(lease, invocation({"x": 1}))
        assert not await broker.release(lease, LeaseOutcome.OK)


async def test_a_lease_sends_no_more_requests_than_the_agents_uses(plant: Plant) -> None:
    pool = await new_pool(max_uses=2)
    async with plant.running(), plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        assert lease.uses_left == 2
        for _ in range(2):
            await broker.invoke(lease, invocation({"x": 1}))
        with pytest.raises(LeaseLost):
            await broker.invoke(lease, invocation({"x": 1}))
        await broker.release(lease, LeaseOutcome.OK)


async def test_an_agent_refuses_a_fence_from_before(plant: Plant) -> None:
    pool = await new_pool()
    async with plant.running(), plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        memory(plant).agents[lease.agent_id].fence = lease.fence + 1
        with pytest.raises(LeaseLost):
            await broker.invoke(lease, invocation({"x": 1}))
        await broker.release(lease, LeaseOutcome.OK)


async def test_images_bring_their_own_behaviour(plant: Plant) -> None:
    memory(plant).images["shout"] = lambda value: [str(item).upper() for item in value["items"]]
    pool = await new_pool(image="shout")
    async with plant.running(), plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        result = await broker.invoke(lease, invocation("a", "b", batch=True, runs=None))
        assert [item.output for item in result.results] == ["A", "B"]
        wrong = await broker.invoke(lease, replace(invocation("a", runs=None), batch=False))
        assert wrong.results[0].error is not None
        await broker.release(lease, LeaseOutcome.OK)


async def test_a_loop_that_breaks_is_taken_up_again(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats and the inbox outlive a fault that nobody foresaw."""
    monkeypatch.setattr(loops, "MEND_PAUSE", 0.05)
    pool = await new_pool(min_size=1, max_size=1)
    async with plant.running(), plant.brokering(heartbeat=0.05) as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        heartbeat, beats = broker.leases.heartbeat, 0

        async def breaks_once(tokens: Any) -> list[int]:
            nonlocal beats
            beats += 1
            if beats == 1:
                raise ValueError("unforeseen")
            return await heartbeat(tokens)

        monkeypatch.setattr(broker.leases, "heartbeat", breaks_once)
        await until(lambda: beats > 2)
        await broker.leases.wire.call("RPUSH", broker.leases.keys.client(broker._grants.client), "nonsense")
        await asyncio.sleep(0.2)  # the inbox has broken by now
        waiter = asyncio.create_task(broker.acquire(pool.pk, holder="b", team_id=pool.team_id, timeout=10))
        await asyncio.sleep(0.05)
        await broker.release(lease, LeaseOutcome.OK)
        started = time.monotonic()
        await broker.release(await waiter, LeaseOutcome.OK)
        assert time.monotonic() - started < 0.5, "told by its inbox, not found by the re-check"


async def test_a_body_talks_with_the_holder_of_its_lease(plant: Plant) -> None:
    source = """
def main(x, ctx):
    ctx.log("begins")
    ctx.progress(0.5)
    return [ctx.state.increment("n", x), ctx.state.increment("n", x)]
"""
    pool = await new_pool()
    listener = FakeListener()
    async with plant.running(), plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        result = await broker.invoke(lease, invocation({"x": 2}, runs=code(source), listener=listener))
        assert result.results[0].output == [2, 4]
        assert result.logs == ()
        assert listener.heard == [("log", "begins", 0), ("progress", 0.5, 0)]
        assert await broker.release(lease, LeaseOutcome.OK)


async def test_a_lost_lease_ends_what_its_body_asked(plant: Plant) -> None:
    pool = await new_pool()
    listener = FakeListener()
    source = "def main(ctx): return ctx.state.get('wait')"
    async with plant.running() as controller, plant.brokering(heartbeat=0.1) as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        call = asyncio.create_task(broker.invoke(lease, invocation({}, runs=code(source), listener=listener)))
        await until(lambda: listener.open)
        await controller.leases.wire.call("DEL", f"{plant.prefix}:lease:{lease.token}")
        with pytest.raises(LeaseLost):
            await call
        assert (listener.open, listener.cancelled) == (0, 1)


async def test_the_bodys_own_time_is_not_counted_as_start_up(plant: Plant) -> None:
    pool = await new_pool()
    async with plant.running(), plant.brokering(heartbeat=60) as broker:
        await until(lambda: served(pool.pk, 1))
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        await broker.invoke(lease, invocation({"seconds": 1.5}, runs=SLOW))
        await broker.invoke(lease, invocation({"seconds": 0}, runs=SLOW))
        (sample,) = broker._startup._samples
        assert 0 < float(sample.partition(":")[2]) < 1
        await broker.release(lease, LeaseOutcome.OK)


async def test_closing_a_broker_gives_its_leases_back(plant: Plant) -> None:
    pool = await new_pool(min_size=2)
    async with plant.running() as controller:
        async with plant.brokering() as broker:
            await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        figures = (await controller.leases.figures([pool.pk]))[pool.pk]
        assert (figures.leases, figures.condemned) == (0, 0)


async def test_a_lost_connection_to_redis_is_outlived(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=1)
    async with plant.running(), plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        waiter = asyncio.create_task(broker.acquire(pool.pk, holder="b", team_id=pool.team_id, timeout=10))
        await asyncio.sleep(0.05)
        broker.leases.wire.abort()
        broker._inbox.abort()
        started = time.monotonic()
        await broker.release(lease, LeaseOutcome.OK)
        second = await waiter
        assert second.wait_seconds <= time.monotonic() - started + 10
        await broker.release(second, LeaseOutcome.OK)
