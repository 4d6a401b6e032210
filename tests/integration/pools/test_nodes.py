"""Nodes: mirrored, lost, cordoned, drained; and who may do that."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from channels.db import database_sync_to_async
from django.conf import LazySettings

from pools.domain.agents import AgentState
from pools.domain.nodes import Availability
from pools.facade import site
from pools.facade.contracts import LeaseLost, LeaseOutcome
from pools.models import Agent, DeployedAgent, Node, Pool
from pools.runtime.memory import MemoryRuntime
from pools.services.controller import nodes as controller_nodes
from pools.services.nodes import mirror
from teams.domain.roles import Role
from teams.models import AuditEntry, Team
from tests.factories.members import assert_problem, member
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, code, invocation, rows_of, served, until

pytestmark = pytest.mark.django_db(transaction=True)

SLEEPY = code("import time\ndef main(seconds):\n    time.sleep(seconds)\n    return 'awake'\n")


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    runtime = MemoryRuntime(nodes=("a", "b", "c"))
    yield Plant(runtime)
    await runtime.close()


def memory(plant: Plant) -> MemoryRuntime:
    assert isinstance(plant.runtime, MemoryRuntime)
    return plant.runtime


async def new_pool(**values: Any) -> Pool:
    pool: Pool = await database_sync_to_async(make_pool)(**values)
    return pool


@database_sync_to_async
def node(name: str) -> Node:
    return Node.objects.get(name=name)


async def in_state(name: str, state: str) -> bool:
    found = await database_sync_to_async(Node.objects.filter(name=name, state=state).exists)()
    return bool(found)


@database_sync_to_async
def ended(pool_id: UUID) -> list[Agent]:
    return list(Agent.objects.filter(pool_id=pool_id, state=AgentState.GONE.value))


async def spread(pool: Pool) -> Counter[str]:
    return Counter(agent.node for agent in await rows_of(pool.pk, AgentState.IDLE))


# --- the mirror ------------------------------------------------------------------------------------------


async def test_nodes_are_mirrored_with_what_their_labels_say(plant: Plant) -> None:
    labels = {"agentainer.price": "0.25", "agentainer.capacity": "spot", "agentainer.zone": "north"}
    memory(plant).machines["b"] = replace(memory(plant).machines["b"], labels=labels)
    memory(plant).machines["c"] = replace(memory(plant).machines["c"], labels={"agentainer.price": "much"})
    async with plant.running():
        await until(lambda: in_state("a", "ready"))
        b, c = await node("b"), await node("c")
        assert (float(b.price or 0), b.capacity_type, b.zone, b.note) == (0.25, "spot", "north", "")
        assert (c.price, c.capacity_type) == (None, "on_demand")
        assert "'much'" in c.note
        del memory(plant).machines["c"]
        await until(database_sync_to_async(lambda: not Node.objects.filter(name="c").exists()))


async def test_names_may_change_hands() -> None:
    runtime = MemoryRuntime(nodes=("a", "b"))
    first = await runtime.nodes()
    swapped = [replace(first[0], name="b"), replace(first[1], name="a")]

    def write() -> dict[str, str]:
        mirror(first, datetime.now(UTC))
        mirror(swapped, datetime.now(UTC))
        return dict(Node.objects.values_list("ref", "name"))

    assert await database_sync_to_async(write)() == {"ref-a": "b", "ref-b": "a"}


async def test_nothing_new_is_not_written(django_assert_num_queries: Any) -> None:
    found = await MemoryRuntime(nodes=("a", "b")).nodes()

    def write() -> None:
        mirror(found, datetime.now(UTC))
        with django_assert_num_queries(1):
            mirror(found, datetime.now(UTC))

    await database_sync_to_async(write)()


# --- lost ------------------------------------------------------------------------------------------------


async def test_work_on_a_lost_node_ends_elsewhere(plant: Plant) -> None:
    pool = await new_pool(min_size=3, max_size=3)
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, 3))
        assert set((await spread(pool)).values()) == {1}
        lease = await broker.acquire(pool.pk, holder="w", team_id=pool.team_id, timeout=5)
        home = next(agent for agent in await rows_of(pool.pk) if agent.pk == lease.agent_id).node
        await memory(plant).lose(home)
        await until(lambda: in_state(home, "lost"))
        with pytest.raises(LeaseLost):
            await broker.invoke(lease, invocation({"x": 1}))
        await broker.release(lease, LeaseOutcome.ERROR)
        again = await broker.acquire(pool.pk, holder="w", team_id=pool.team_id, timeout=10)
        assert again.fence > lease.fence
        result = await broker.invoke(again, invocation({"x": 4}))
        assert result.results[0].output == 16
        await broker.release(again, LeaseOutcome.OK)
        await until(lambda: served(pool.pk, 3))
        assert home not in await spread(pool)
    (gone,) = await ended(pool.pk)
    assert (gone.node, gone.end_reason) == (home, "node_lost")


async def test_a_loss_is_found_by_the_timer_alone(plant: Plant) -> None:
    pool = await new_pool(min_size=3, max_size=3)
    async with plant.running():
        await until(lambda: served(pool.pk, 3))
        memory(plant).machines["b"] = replace(memory(plant).machines["b"], heard=False)
        await until(lambda: ended(pool.pk))
        await until(lambda: served(pool.pk, 3))
        assert "b" not in await spread(pool)
    assert [agent.end_reason for agent in await ended(pool.pk)] == ["node_lost"]


# --- drain -----------------------------------------------------------------------------------------------


@database_sync_to_async
def drain(plant: Plant, name: str) -> None:
    """As a request would, without ending the agents with the runtime that it used."""
    Node.objects.filter(name=name).update(draining_since=datetime.now(UTC))


async def test_a_drain_has_the_replacements_ready_first(plant: Plant) -> None:
    pool = await new_pool(min_size=3, max_size=6)
    async with plant.running():
        await until(lambda: served(pool.pk, 3))
        least = 3

        async def watch() -> bool:
            nonlocal least
            least = min(least, sum((await spread(pool)).values()))
            return memory(plant).machines["a"].availability is Availability.DRAIN

        await memory(plant).set_availability("ref-a", Availability.PAUSE)
        await drain(plant, "a")
        await until(watch)
        assert least == 3
        await until(lambda: in_state("a", "draining"))
        assert "a" not in await spread(pool)
    assert {agent.end_reason for agent in await ended(pool.pk)} == {"recycled"}


async def test_an_agent_at_work_leaves_after_its_lease(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=1)
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, 1))
        lease = await broker.acquire(pool.pk, holder="w", team_id=pool.team_id, timeout=5)
        (agent,) = await rows_of(pool.pk)
        call = asyncio.create_task(broker.invoke(lease, invocation({"seconds": 3}, runs=SLEEPY)))
        await memory(plant).set_availability(f"ref-{agent.node}", Availability.PAUSE)
        await drain(plant, agent.node)
        await until(lambda: in_state(agent.node, "draining"))
        assert (await call).results[0].output == "awake"
        assert memory(plant).machines[agent.node].availability is Availability.PAUSE
        await broker.release(lease, LeaseOutcome.OK)
        await until(lambda: served(pool.pk, 1))
        await until(lambda: memory(plant).machines[agent.node].availability is Availability.DRAIN)
        assert agent.node not in await spread(pool)


async def test_patience_with_replacements_has_an_end(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other node takes any, say."""
    monkeypatch.setattr(controller_nodes, "DRAIN_PATIENCE", 1.0)
    pool = await new_pool(min_size=3, max_size=6)
    async with plant.running():
        await until(lambda: served(pool.pk, 3))
        for name in "abc":
            await memory(plant).set_availability(f"ref-{name}", Availability.PAUSE)
        await drain(plant, "a")
        await until(lambda: memory(plant).machines["a"].availability is Availability.DRAIN)
        assert await spread(pool) == {"b": 1, "c": 1}


async def test_who_opens_a_node_by_the_engines_means_ends_its_drain(plant: Plant) -> None:
    async with plant.running() as controller:
        await until(lambda: in_state("a", "ready"))
        at = datetime.now(UTC) - timedelta(seconds=1)
        await database_sync_to_async(Node.objects.filter(name="a").update)(draining_since=at)
        await controller.nodes.learn()
    assert (await node("a")).draining_since is None


# --- over HTTP -------------------------------------------------------------------------------------------


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> MemoryRuntime:
    """One engine for all requests, mirrored."""
    runtime = MemoryRuntime(nodes=("a", "b"))
    monkeypatch.setattr(site, "runtime", lambda: runtime)
    mirror(list(runtime.machines.values()), datetime.now(UTC))
    return runtime


def test_viewers_see_and_staff_act(engine: MemoryRuntime) -> None:
    """Nodes carry the agents of all teams: no team's admin acts on them, nor does a token for less."""
    viewer, admin = member(Role.VIEWER), member(Role.ADMIN, staff=True)
    listed = viewer("GET", "nodes/").json()["results"]
    assert [(row["name"], row["state"], row["agents"]) for row in listed] == [
        ("a", "ready", 0),
        ("b", "ready", 0),
    ]
    for name, state, wish in (("on", "running", "running"), ("ice", "paused", "paused")):
        make_deployed(admin.team, name, state, wish)
    make_deployed(admin.team, "off", "stopped", "stopped")
    make_deployed(admin.team, "gone", "running", "removed")
    assert viewer("GET", "nodes/a/").json()["agents"] == 2
    DeployedAgent.objects.all().delete()
    assert listed[0]["capacity"] == {"cpus": 2.0, "memory": 2**30}
    assert viewer("GET", "nodes/a/").json() == listed[0]
    assert (viewer("GET", "me/").json()["staff"], admin("GET", "me/").json()["staff"]) == (False, True)
    for action in ("cordon", "uncordon", "drain"):
        for role in (Role.VIEWER, Role.OPERATOR):
            assert_problem(member(role, staff=True)("POST", f"nodes/a/{action}/"), 403, "not_allowed")
        body = assert_problem(member(Role.ADMIN)("POST", f"nodes/a/{action}/"), 403, "not_allowed")
        assert "platform's staff" in body["detail"]
        assert engine.machines["a"].availability is Availability.ACTIVE
    for action, state, availability in (
        ("cordon", "cordoned", Availability.PAUSE),
        ("drain", "draining", Availability.PAUSE),
        ("cordon", "cordoned", Availability.PAUSE),
        ("uncordon", "ready", Availability.ACTIVE),
    ):
        answer = admin("POST", f"nodes/a/{action}/")
        assert (answer.status_code, answer.json()["state"]) == (200, state)
        assert engine.machines["a"].availability is availability
        assert viewer("GET", "nodes/a/").json()["state"] == state
    entries = (
        AuditEntry.objects.filter(team=admin.team).order_by("pk").values_list("actor", "action", "target")
    )
    assert list(entries) == [
        (admin.name, f"node.{verb}", "node/a") for verb in ("cordoned", "drained", "cordoned", "uncordoned")
    ]


def make_deployed(team: Team, name: str, state: str, desired: str) -> None:
    DeployedAgent.objects.create(
        team=team, name=name, image="i", nonce="n", node="a", state=state, desired=desired
    )


def test_a_node_that_is_not_there_and_one_that_is_lost(engine: MemoryRuntime) -> None:
    admin = member(Role.ADMIN, staff=True)
    assert_problem(admin("GET", "nodes/nobody/"), 404, "not_found")
    assert_problem(admin("POST", "nodes/nobody/drain/"), 404, "not_found")
    Node.objects.filter(name="a").update(state="lost")
    assert "given up" in assert_problem(admin("POST", "nodes/a/drain/"), 409, "conflict")["detail"]


def test_an_engine_that_does_not_answer(engine: MemoryRuntime) -> None:
    engine.away = True
    body = assert_problem(member(Role.ADMIN, staff=True)("POST", "nodes/a/cordon/"), 503, "runtime")
    assert "does not answer" in body["detail"]
    assert Node.objects.get(name="a").state == "ready"


def test_a_single_machine_cannot_be_cordoned(settings: LazySettings) -> None:
    settings.AFLOW_RUNTIME = "process"
    runtime = site.runtime()
    mirror(asyncio.run(runtime.nodes()), datetime.now(UTC))
    name = Node.objects.get().name
    body = assert_problem(member(Role.ADMIN, staff=True)("POST", f"nodes/{name}/cordon/"), 409, "conflict")
    assert "resize or delete its pools" in body["detail"]
    assert not AuditEntry.objects.exists()


async def test_a_single_engine_that_is_away_is_a_lost_node(plant: Plant) -> None:
    memory(plant).can = frozenset()
    async with plant.running():
        await until(lambda: in_state("a", "ready"))
        memory(plant).away = True
        await until(lambda: in_state("a", "lost"))
        assert "does not answer" in (await node("a")).note
        memory(plant).away = False
        await until(lambda: in_state("a", "ready"))
        assert (await node("a")).note == ""
