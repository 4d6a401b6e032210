"""Where agents run: each of a pool's capacity type and zone, changed alone, changes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from channels.db import database_sync_to_async
from django.conf import LazySettings

from aflow_site.kernel.errors import InvalidInput
from pools.domain.agents import AgentState
from pools.domain.nodes import Availability
from pools.domain.placement import Place
from pools.facade import api as pools
from pools.facade import site
from pools.facade.contracts import Steering
from pools.models import Agent, Pool
from pools.runtime.base import AgentSpec
from pools.runtime.memory import MemoryRuntime
from pools.services.controller import spreading
from tests.fakes.pools import Plant, has_problem, problem, rows_of, served, until
from tests.integration.pools.test_settings import change, memory, new_pool, reasons

pytestmark = pytest.mark.django_db(transaction=True)


def placed(plant: Plant) -> dict[UUID, str]:
    """Where each pool's agent is; of pools with one."""
    found = {}
    for agent in memory(plant).agents.values():
        assert isinstance(agent.spec, AgentSpec)
        found[agent.spec.pool_id] = agent.node
    return found


@pytest.fixture
async def spread() -> AsyncIterator[Plant]:
    """Three nodes: spot in the north, on demand in the north, on demand elsewhere."""
    runtime = MemoryRuntime(nodes=("a", "b", "c"))
    for name, labels in (
        ("a", {"agentainer.capacity": "spot", "agentainer.zone": "north"}),
        ("b", {"agentainer.zone": "north"}),
        ("c", {}),
    ):
        runtime.machines[name] = replace(runtime.machines[name], labels=labels)
    yield Plant(runtime)
    await runtime.close()


async def test_capacity_type(spread: Plant) -> None:
    spot = await new_pool(capacity_type="spot", max_size=1)
    steady = await new_pool(capacity_type="on_demand", zone="north", max_size=1)
    async with spread.running() as controller:
        await until(lambda: served(spot.pk, 1))
        await until(lambda: served(steady.pk, 1))
        assert placed(spread) == {spot.pk: "a", steady.pk: "b"}
        await change(steady, capacity_type="spot")
        controller.nudge()
        await until(lambda: placed(spread).get(steady.pk) == "a")


async def test_zone(spread: Plant) -> None:
    pool = await new_pool(capacity_type="on_demand", zone="north", max_size=1)
    async with spread.running() as controller:
        await until(lambda: served(pool.pk, 1))
        assert placed(spread) == {pool.pk: "b"}
        await change(pool, zone="NORTH")
        controller.nudge()
        await until(lambda: reasons(pool.pk))
        await until(lambda: served(pool.pk, 1))
        assert placed(spread) == {pool.pk: "b"}, "engines look at no case"


async def told_of(pool: Pool) -> tuple[str | None, str]:
    row: Pool = await database_sync_to_async(Pool.objects.get)(pk=pool.pk)
    return row.problem_kind, row.problem or ""


async def test_a_place_that_no_node_offers_is_told(spread: Plant) -> None:
    """Before anybody wants an agent there, and without one being tried; other pools of the image go on. It
    is taken back as soon as there is such a node, or the pool asks for another."""
    pool = await new_pool(capacity_type="spot", zone="south", min_size=0)
    wanting = await new_pool(zone="south")
    other = await new_pool()
    async with spread.running() as controller:
        for lonely in (pool, wanting):
            await until(lambda lonely=lonely: told_of(lonely))  # type: ignore[misc]

            async def told(lonely: Pool = lonely) -> bool:
                return (await told_of(lonely))[0] == "placement"

            await until(told)
        assert "spot capacity in zone south" in (await told_of(pool))[1]
        assert "a (spot, zone north)" in (await told_of(pool))[1]
        await until(lambda: served(other.pk, 1))
        assert await told_of(other) == (None, "")
        assert await database_sync_to_async(Agent.objects.filter(pool_id=wanting.pk).count)() == 0
        machines = memory(spread).machines
        machines["c"] = replace(machines["c"], labels={"agentainer.zone": "south"})
        controller.nudge()
        await until(lambda: served(wanting.pk, 1))
        assert await told_of(wanting) == (None, "")
        await database_sync_to_async(pools.update_pool)(pool.team_id, pool.name, {"capacity_type": "any"})
        assert await told_of(pool) == (None, "")


async def test_what_was_begun_for_a_place_that_is_gone_is_given_up(spread: Plant) -> None:
    """An intent of a controller that died: nobody waits for it for ever."""
    pool = await new_pool(zone="south", min_size=0)
    agent = await database_sync_to_async(Agent.objects.create)(
        pool=pool,
        team=pool.team,
        pool_name=pool.name,
        image=pool.image,
        template=pool.template,
        nonce="n",
        started_at=datetime.now(UTC),
    )
    async with spread.running():
        await until(lambda: rows_of(pool.pk, AgentState.GONE))

        async def told() -> bool:
            return (await told_of(pool))[0] == "placement"

        await until(told)
    assert [row.pk for row in await rows_of(pool.pk, AgentState.GONE)] == [agent.pk]


async def test_one_machine_is_what_its_settings_say(settings: LazySettings) -> None:
    """Each of the two alone decides whether the pool that asks for it gets agents."""
    settings.AFLOW_RUNTIME = "memory"
    spot, south = await new_pool(capacity_type="spot"), await new_pool(zone="south")
    for capacity, zone, fits in (("", "", ()), ("spot", "", (spot,)), ("", "south", (south,))):
        settings.AFLOW_NODE_CAPACITY, settings.AFLOW_NODE_ZONE = capacity, zone
        plant = Plant(site.runtime())
        async with plant.running():
            for pool in (spot, south):
                wanted = None if pool in fits else "placement"

                async def so(pool: Pool = pool, wanted: str | None = wanted) -> bool:
                    there = bool(await rows_of(pool.pk, AgentState.IDLE))
                    return (await told_of(pool))[0] == wanted and there is (wanted is None)

                await until(so)
        await plant.runtime.close()
        await database_sync_to_async(Agent.objects.all().delete)()


def test_a_swarm_has_labels_of_its_own(settings: LazySettings) -> None:
    settings.AFLOW_RUNTIME, settings.AFLOW_NODE_ZONE = "swarm", "south"
    with pytest.raises(InvalidInput, match="AFLOW_NODE_ZONE"):
        site.runtime()


# --- spot, where a policy prefers it ---------------------------------------------------------------------


def nodes_of(plant: Plant, pool: Pool) -> list[str]:
    specs = [(agent.spec, agent.node) for agent in memory(plant).agents.values()]
    return sorted(node for spec, node in specs if isinstance(spec, AgentSpec) and spec.pool_id == pool.pk)


@pytest.mark.parametrize(("prefer_spot", "on_spot"), [(True, 2), (False, 1)])
async def test_prefer_spot_alone_sends_what_is_above_the_minimum_to_spot_nodes(
    spread: Plant, prefer_spot: bool, on_spot: int
) -> None:
    pool = await new_pool(min_size=1, max_size=3)
    async with spread.running() as controller:
        controller.steer({pool.pk: Steering(3, prefer_spot=prefer_spot)}, 600)
        await until(lambda: served(pool.pk, 3))
        assert nodes_of(spread, pool).count("a") == on_spot


async def test_spot_fallback_alone_decides_whether_agents_wait_for_spot_nodes(spread: Plant) -> None:
    pool = await new_pool(min_size=0, max_size=2, zone="north")
    memory(spread).machines["a"] = replace(memory(spread).machines["a"], availability=Availability.PAUSE)
    async with spread.running() as controller:
        controller.steer({pool.pk: Steering(2, prefer_spot=True, spot_fallback=False)}, 600)
        await until(lambda: has_problem(pool, "placement"))
        assert "spot capacity" in ((await problem(pool))[1] or "")
        assert await rows_of(pool.pk) == []
        # They are what node groups see, of spot alone.
        await until(lambda: [one.place for one in controller.demands() or ()] == [Place("spot", "north")])
        controller.steer({pool.pk: Steering(2, prefer_spot=True)}, 600)
        await until(lambda: served(pool.pk, 2))
        assert nodes_of(spread, pool) == ["b", "b"]
        await until(lambda: has_problem(pool, None))


async def test_a_pool_that_says_where_its_agents_run_is_obeyed(spread: Plant) -> None:
    pool = await new_pool(min_size=0, max_size=2, capacity_type="on_demand", zone="north")
    async with spread.running() as controller:
        controller.steer({pool.pk: Steering(2, prefer_spot=True, spot_fallback=False)}, 600)
        await until(lambda: served(pool.pk, 2))
        assert nodes_of(spread, pool) == ["b", "b"]


async def test_what_is_usual_is_not_on_spot_nodes(spread: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = await new_pool(min_size=0, max_size=5)
    async with spread.running() as controller:
        controller.steer({pool.pk: Steering(3, prefer_spot=True)}, 600)
        await until(lambda: served(pool.pk, 3))
        assert nodes_of(spread, pool) == ["a", "a", "a"]  # nothing is known yet
        monkeypatch.setattr(spreading, "ENOUGH", 0.0)
        controller.steer({pool.pk: Steering(5, prefer_spot=True)}, 600)
        await until(lambda: served(pool.pk, 5))
        assert nodes_of(spread, pool).count("a") == 3


async def test_a_pool_that_is_drained_needs_no_room(spread: Plant) -> None:
    pool = await new_pool(min_size=2, max_size=2)
    async with spread.running() as controller:
        await until(lambda: [demand.count for demand in controller.demands() or ()] == [2])
        await change(pool, drained_at=datetime.now(UTC))
        controller.nudge()
        await until(lambda: controller.demands() == [])
