"""Advice on a pool's resources: from what its agents used to other agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async

from pools.domain.right_sizing import ENOUGH, MARGIN
from pools.domain.settings import MIB
from pools.facade import api as pools
from pools.facade.contracts import LeaseOutcome
from pools.models import Pool, PoolUsage
from pools.runtime.base import AgentDeath
from pools.runtime.memory import MemoryRuntime
from pools.runtime.process import ProcessRuntime
from teams.domain.roles import Role
from tests.factories.pools import make_pool, make_team
from tests.fakes.deployed import Person
from tests.fakes.pools import Plant, code, invocation, rows_of, served, until

pytestmark = pytest.mark.django_db(transaction=True)

# A body's own count of the CPU that it used, and half a core by construction.
HALF = """
import time

def main(seconds):
    began, used = time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass
        time.sleep(0.02)
    return time.process_time() - used
"""


async def new_pool(**values: Any) -> Pool:
    pool: Pool = await database_sync_to_async(make_pool)(**values)
    return pool


@database_sync_to_async
def advice(pool: Pool) -> dict[str, Any]:
    return pools.advice(pool.team_id, pool.name)


async def use(plant: Plant, pool: Pool, broker: Any, cores: float, memory: int) -> None:
    """Every agent of the pool is leased, works with so many cores, and is seen once with each figure."""
    runtime = plant.runtime
    assert isinstance(runtime, MemoryRuntime)
    await until(partial(all_serve, broker, pool))
    before = await held(broker, pool)
    names = [f"{uuid4()}" for _ in range(pool.min_size)]
    leases = [await broker.acquire(pool.pk, holder=name, team_id=pool.team_id, timeout=30) for name in names]
    await asyncio.sleep(0.1)  # what leases take is what cores are told of
    for lease in leases:
        await broker.release(lease, LeaseOutcome.OK)
    for agent_id, seconds in (await held(broker, pool)).items():
        agent = runtime.agents[agent_id]
        agent.memory = memory
        agent.cpu_seconds = (agent.cpu_seconds or 0.0) + cores * (seconds - before[agent_id])


async def all_serve(broker: Any, pool: Pool) -> bool:
    return len(await held(broker, pool)) == pool.min_size


async def held(broker: Any, pool: Pool) -> dict[Any, float]:
    """For how many seconds each agent was leased so far."""
    return {agent.id: agent.held_ms / 1000 for agent in await broker.leases.agents([pool.pk])}


async def seen(controller: Any, pool: Pool) -> None:
    """As the checks do, at once."""
    serving = {agent.id: agent for agent in await controller.leases.agents([pool.pk])}
    for agent in await rows_of(pool.pk):
        used = await controller._runtime.use_of(agent.pk, agent.container)
        await controller.usages.note(agent, controller.registry.pools[pool.pk], serving[agent.pk], used)
    await controller.usages.save()


async def test_usage_changes_advice_and_advice_changes_the_pool(plant: Plant) -> None:
    pool = await new_pool(min_size=ENOUGH, max_size=ENOUGH, cpu=2.0, health_check_interval=3600.0)
    async with plant.running() as controller, plant.brokering() as broker:
        await until(lambda: served(pool.pk, ENOUGH))
        await use(plant, pool, broker, 0.0, 40 * MIB)
        await seen(controller, pool)
        told = await advice(pool)
        assert (told["memory"]["samples"], told["cpu"]["samples"]) == (ENOUGH, 0)
        assert told["cpu"]["advised"] is None
        await use(plant, pool, broker, 0.5, 100 * MIB)
        await seen(controller, pool)
        told = await advice(pool)
        assert told["cpu"]["p90"] == pytest.approx(0.5, rel=0.08)
        assert told["cpu"]["advised"] == pytest.approx(0.5 * MARGIN, abs=0.06)
        assert 100 * MIB * MARGIN / 0.9 <= told["memory"]["advised"] <= 140 * MIB
        assert told["memory"]["samples"] == ENOUGH, "one for each agent, however often it is seen"
        before = await rows_of(pool.pk)
        changed = await database_sync_to_async(pools.apply_advice)(pool.team_id, pool.name)
        assert (changed.settings["cpu"], changed.settings["memory"]) == (
            told["cpu"]["advised"],
            told["memory"]["advised"],
        )
        # Other agents, by the pool's usual rule.
        await until(lambda: replaced(pool, {agent.pk for agent in before}))
        made = [one.spec.limits.cpu for one in plant.runtime.agents.values()]  # type: ignore[attr-defined]
        assert set(made) == {told["cpu"]["advised"]}
    row = await database_sync_to_async(PoolUsage.objects.get)(pool=pool)
    assert len(str(row.content)) < 20_000


async def replaced(pool: Pool, before: set[Any]) -> bool:
    now = {agent.pk for agent in await rows_of(pool.pk)}
    return not now & before and await served(pool.pk, ENOUGH)


async def test_another_controller_goes_on_and_another_image_begins_anew(plant: Plant) -> None:
    pool = await new_pool(min_size=ENOUGH, max_size=ENOUGH, image="echo", health_check_interval=3600.0)
    async with plant.running() as controller, plant.brokering() as broker:
        await until(lambda: served(pool.pk, ENOUGH))
        await use(plant, pool, broker, 1.0, 100 * MIB)
        await seen(controller, pool)
        before = {agent.pk for agent in await rows_of(pool.pk)}
    async with plant.running() as controller, plant.brokering() as broker:
        await until(lambda: replaced(pool, before))  # agents in memory end with their controller
        await use(plant, pool, broker, 1.0, 100 * MIB)
        await seen(controller, pool)
        assert (await advice(pool))["memory"]["samples"] == 2 * ENOUGH
    await database_sync_to_async(Pool.objects.filter(pk=pool.pk).update)(image="other")
    pool.image = "other"
    assert (await advice(pool))["memory"]["samples"] == 0


async def test_an_agent_that_ran_out_of_memory_needs_more_than_it_had(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=1, memory=256 * MIB, health_check_interval=3600.0)
    async with plant.running() as controller:
        for _ in range(ENOUGH):
            await until(lambda: served(pool.pk, 1))
            (agent,) = await rows_of(pool.pk)
            controller.reality.heard(AgentDeath(agent.pk, out_of_memory=True))
            await until(partial(ended, pool, agent.pk))
            await controller.usages.save()
    told = (await advice(pool))["memory"]
    assert told["samples"] == ENOUGH
    assert told["advised"] >= 256 * MIB * 1.2 * MARGIN


async def ended(pool: Pool, agent_id: Any) -> bool:
    return agent_id not in {agent.pk for agent in await rows_of(pool.pk)}


def test_who_may_ask_and_who_may_apply() -> None:
    team = make_team()
    pool = make_pool(team)
    viewer, operator = Person(team, Role.VIEWER), Person(team)
    status, told = viewer("GET", f"pools/{pool.name}/advice/")
    assert status == 200
    assert (told["changes"], told["cpu"]["now"], told["since"]) == ({}, 1.0, None)
    assert viewer("POST", f"pools/{pool.name}/advice/apply/")[0] == 403
    status, problem = operator("POST", f"pools/{pool.name}/advice/apply/")
    assert status == 409
    assert "too little is known" in problem["detail"].lower()
    stranger = Person(make_team())
    assert stranger("GET", f"pools/{pool.name}/advice/")[0] == 404
    assert stranger("POST", f"pools/{pool.name}/advice/apply/")[0] == 404


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Plant]:
    runtime = ProcessRuntime(instance=f"advice-{uuid4().hex[:8]}", directory=tmp_path)
    yield Plant(runtime)
    for handle in await runtime.list_agents():
        await runtime.remove(handle.agent_id)
    await runtime.close()


async def test_cores_are_those_that_bodies_count_themselves(processes: Plant) -> None:
    """Real agents: what was measured from outside, against what each body says that it used."""
    pool = await new_pool(min_size=1, max_size=1, max_uses=1000, health_check_interval=3600.0)
    async with processes.running() as controller, processes.brokering() as broker:
        await until(lambda: served(pool.pk, 1))
        lease = await broker.acquire(pool.pk, holder="warm", team_id=pool.team_id, timeout=60)
        await broker.invoke(lease, invocation({"seconds": 0.1}, runs=code(HALF)))
        await broker.release(lease, LeaseOutcome.OK)
        await seen(controller, pool)  # from here on
        (before,) = (await held(broker, pool)).values()
        lease = await broker.acquire(pool.pk, holder="work", team_id=pool.team_id, timeout=60)
        result = await broker.invoke(lease, invocation({"seconds": 1.5}, runs=code(HALF), timeout=60.0))
        await broker.release(lease, LeaseOutcome.OK)
        (after,) = (await held(broker, pool)).values()
        await seen(controller, pool)
    counted = result.results[0].output / (after - before)
    told = (await advice(pool))["cpu"]
    assert told["samples"] == 1
    # A bucket is five percent wide; the agent around the body works, too.
    assert counted * 0.95 <= told["p90"] <= counted * 1.35 + 0.05
