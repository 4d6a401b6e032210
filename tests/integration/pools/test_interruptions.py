"""Machines that their cloud takes away: agents leave, and work begins elsewhere as if never tried."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async

from pools.domain.agents import AgentState
from pools.domain.nodes import Availability
from pools.facade import site
from pools.facade.contracts import AgentLost, LeaseLost, LeaseOutcome
from pools.models import Agent, Node, Pool
from pools.runtime.memory import MemoryRuntime
from pools.services.nodes import mirror
from teams.domain.roles import Role
from teams.models import AuditEntry
from tests.factories.members import assert_problem, member
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, code, invocation, rows_of, served, until

pytestmark = pytest.mark.django_db(transaction=True)

# Bodies are threads of this process, which waits for them at its end.
WAITS = code(
    "import os, time\n"
    "def main(gate):\n"
    "    while not os.path.exists(gate):\n"
    "        time.sleep(0.02)\n"
    "    return 'through'\n"
)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """What bodies wait for; there at the end of the test."""
    path = tmp_path / "gate"
    yield path
    path.touch()


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    runtime = MemoryRuntime(nodes=("a", "b"))
    yield Plant(runtime)
    await runtime.close()


def memory(plant: Plant) -> MemoryRuntime:
    assert isinstance(plant.runtime, MemoryRuntime)
    return plant.runtime


async def new_pool(**values: Any) -> Pool:
    pool: Pool = await database_sync_to_async(make_pool)(**values)
    return pool


async def notice(plant: Plant, name: str, seconds: float) -> None:
    """As a request would, without ending the agents with the runtime that it used."""
    await memory(plant).set_availability(f"ref-{name}", Availability.PAUSE)
    now = datetime.now(UTC)
    rows = Node.objects.filter(name=name)
    await database_sync_to_async(rows.update)(draining_since=now, leave_by=now + timedelta(seconds=seconds))


@database_sync_to_async
def ends(pool: Pool) -> set[tuple[str, str | None]]:
    rows = Agent.objects.filter(pool_id=pool.pk, state=AgentState.GONE.value)
    return set(rows.values_list("node", "end_reason"))


async def nodes_of(pool: Pool) -> list[str]:
    return [agent.node for agent in await rows_of(pool.pk)]


async def test_agents_leave_and_others_serve_elsewhere(plant: Plant) -> None:
    pool = await new_pool(min_size=2, max_size=2)
    async with plant.running():
        await until(lambda: served(pool.pk, 2))
        assert sorted(await nodes_of(pool)) == ["a", "b"]
        await notice(plant, "a", 3600)
        await until(lambda: memory(plant).machines["a"].availability is Availability.DRAIN)
        await until(lambda: served(pool.pk, 2))
        assert await nodes_of(pool) == ["b", "b"]
    assert await ends(pool) == {("a", "spot_interruption")}


async def test_work_may_finish_while_there_is_time(plant: Plant, gate: Path) -> None:
    pool = await new_pool(min_size=1, max_size=1)
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, 1))
        (agent,) = await rows_of(pool.pk)
        lease = await broker.acquire(pool.pk, holder="w", team_id=pool.team_id, timeout=5)
        call = asyncio.create_task(
            broker.invoke(lease, invocation({"gate": str(gate)}, runs=WAITS, timeout=900.0))
        )
        await notice(plant, agent.node, 3600)
        await until(lambda: in_notice(agent.node, plant))
        await asyncio.to_thread(gate.touch)
        assert (await call).results[0].output == "through"
        await broker.release(lease, LeaseOutcome.OK)
        await until(lambda: ends(pool))
    assert await ends(pool) == {(agent.node, "spot_interruption")}


async def test_work_that_does_not_finish_is_revoked_in_the_last_moments(plant: Plant, gate: Path) -> None:
    pool = await new_pool(min_size=1, max_size=2)
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, 1))
        (agent,) = await rows_of(pool.pk)
        lease = await broker.acquire(pool.pk, holder="w", team_id=pool.team_id, timeout=5)
        call = asyncio.create_task(
            broker.invoke(lease, invocation({"gate": str(gate)}, runs=WAITS, timeout=900.0))
        )
        await notice(plant, agent.node, 10)
        with pytest.raises(LeaseLost) as lost:
            await call
        assert isinstance(lost.value, AgentLost | LeaseLost)
        assert lost.value.interrupted
        await broker.release(lease, LeaseOutcome.ERROR)
        again = await broker.acquire(pool.pk, holder="w", team_id=pool.team_id, timeout=60)
        assert again.fence > lease.fence
        assert (await broker.invoke(again, invocation({"x": 4}))).results[0].output == 16
        await broker.release(again, LeaseOutcome.OK)
        await until(lambda: ends(pool))
        assert agent.node not in await nodes_of(pool)
    assert await ends(pool) == {(agent.node, "spot_interruption")}


async def test_a_machine_that_goes_before_its_time_was_interrupted(plant: Plant, gate: Path) -> None:
    pool = await new_pool(min_size=1, max_size=1)
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, 1))
        (agent,) = await rows_of(pool.pk)
        lease = await broker.acquire(pool.pk, holder="w", team_id=pool.team_id, timeout=5)
        call = asyncio.create_task(
            broker.invoke(lease, invocation({"gate": str(gate)}, runs=WAITS, timeout=900.0))
        )
        await notice(plant, agent.node, 3600)
        await until(lambda: in_notice(agent.node, plant))
        await memory(plant).lose(agent.node)
        with pytest.raises((AgentLost, LeaseLost)) as lost:
            await call
        assert isinstance(lost.value, AgentLost | LeaseLost)
        assert lost.value.interrupted
        await broker.release(lease, LeaseOutcome.ERROR)
        await until(lambda: ends(pool))
    assert await ends(pool) == {(agent.node, "spot_interruption")}


async def in_notice(name: str, plant: Plant) -> bool:
    """Whether the controller has seen it: the agents there are on their way out."""
    async with plant.brokering() as broker:
        found = await database_sync_to_async(list)(Agent.objects.filter(node=name))
        return all([await broker.leases.was_interrupted(agent.pk) for agent in found])


async def test_who_opens_the_node_takes_the_notice_back(plant: Plant) -> None:
    async with plant.running() as controller:
        await until(database_sync_to_async(Node.objects.filter(name="a").exists))
        await notice(plant, "a", 3600)
        await until(lambda: "a" in controller.nodes.interrupted)
        # Whoever opens it before the controller drains it is overruled.
        await until(lambda: memory(plant).machines["a"].availability is Availability.DRAIN)
        await memory(plant).set_availability("ref-a", Availability.ACTIVE)
        await until(lambda: "a" not in controller.nodes.interrupted)
    assert (await database_sync_to_async(Node.objects.get)(name="a")).leave_by is None


# --- over HTTP -------------------------------------------------------------------------------------------


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> MemoryRuntime:
    runtime = MemoryRuntime(nodes=("a", "b"))
    monkeypatch.setattr(site, "runtime", lambda: runtime)
    mirror(list(runtime.machines.values()), datetime.now(UTC))
    return runtime


def test_staff_tells_of_a_machine_that_is_taken_away(engine: MemoryRuntime) -> None:
    admin = member(Role.ADMIN, staff=True)
    assert_problem(member(Role.ADMIN)("POST", "nodes/a/interrupt/"), 403, "not_allowed")
    for body in ({"action": "explode"}, {"time": "soon"}, {"time": "2026-11-25T22:10:00"}, {"time": 5}):
        assert_problem(admin("POST", "nodes/a/interrupt/", body), 400, "invalid")
    assert_problem(admin("POST", "nodes/nobody/interrupt/"), 404, "not_found")
    before = datetime.now(UTC)
    answer = admin("POST", "nodes/a/interrupt/")
    assert (answer.status_code, answer.json()["state"]) == (200, "draining")
    leave_by = datetime.fromisoformat(answer.json()["leave_by"])
    assert timedelta(seconds=119) < leave_by - before < timedelta(seconds=180)
    assert engine.machines["a"].availability is Availability.PAUSE
    # A later end does not count, an earlier one does.
    assert admin("POST", "nodes/a/interrupt/").json()["leave_by"] == answer.json()["leave_by"]
    soon = (before + timedelta(seconds=30)).isoformat()
    assert admin("POST", "nodes/a/interrupt/", {"time": soon}).json()["leave_by"] == soon
    assert AuditEntry.objects.filter(action="node.interrupted", target="node/a").exists()
    assert admin("POST", "nodes/a/uncordon/").json()["leave_by"] is None
