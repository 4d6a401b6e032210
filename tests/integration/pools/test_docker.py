"""Real containers: deaths from outside, restarts of the controller, what an agent can reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import docker
import pytest
from channels.db import database_sync_to_async

from pools.domain.agents import AgentState
from pools.facade.contracts import AgentLost, Lease, LeaseLost, LeaseOutcome
from pools.models import Pool
from pools.runtime.cgroups import use_of
from pools.runtime.docker import DockerRuntime
from pools.runtime.docker_deployed import DockerDeployed
from pools.runtime.images import built_in_tag
from pools.services.broker.broker import Broker
from pools.services.shutdown import remove_everything
from tests.contract.pools.agents import new_spec
from tests.factories.pools import make_pool
from tests.fakes.outside import CONNECT, outside
from tests.fakes.pools import Plant, code, invocation, rows_of, served, until
from tests.pieces import lack

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.docker]

SLEEPY = code("import time\ndef main(seconds):\n    time.sleep(seconds)\n    return 'awake'\n")
ENVIRONMENT = code("import os\ndef main():\n    return os.environ['COLOUR']\n")
LOOK = code(
    "import os\n"
    "def main():\n"
    "    found = {'uid': os.getuid(), 'caps': open('/proc/self/status').read()}\n"
    "    try:\n"
    "        open('/etc/written', 'w')\n"
    "        found['root'] = 'written'\n"
    "    except OSError:\n"
    "        found['root'] = 'refused'\n"
    "    open('/tmp/written', 'w').close()\n"
    "    return found\n",
)


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    made = Plant(DockerRuntime(f"test-{uuid4().hex[:8]}"))
    yield made
    await remove_everything(DockerRuntime(made.runtime._instance))  # type: ignore[attr-defined]


async def new_pool(**values: Any) -> Pool:
    pool: Pool = await database_sync_to_async(make_pool)(**values)
    return pool


async def test_killed_while_idle_and_while_leased(plant: Plant, engine: docker.DockerClient) -> None:
    pool = await new_pool(min_size=2)
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(pool.pk, 2), 60)
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        idle = next(agent for agent in await rows_of(pool.pk) if agent.pk != lease.agent_id)
        await asyncio.to_thread(engine.api.kill, idle.container)
        await until(lambda: rows_of(pool.pk, AgentState.GONE))

        leased = next(agent for agent in await rows_of(pool.pk) if agent.pk == lease.agent_id)
        call = asyncio.create_task(broker.invoke(lease, invocation({"seconds": 30}, runs=SLEEPY, timeout=40)))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(engine.api.kill, leased.container)
        with pytest.raises((AgentLost, LeaseLost)):
            await call
        await broker.release(lease, LeaseOutcome.POISON)

        after = await broker.acquire(pool.pk, holder="b", team_id=pool.team_id, timeout=30)
        assert after.agent_id not in {idle.pk, leased.pk}
        assert after.fence > lease.fence
        result = await broker.invoke(after, invocation({"x": 3}))
        assert result.results[0].output == 9
        await broker.release(after, LeaseOutcome.OK)
        await until(lambda: served(pool.pk, 2), 60)


async def test_a_controller_that_comes_back_adopts_its_containers(plant: Plant) -> None:
    pool = await new_pool(min_size=2)
    async with plant.running():
        await until(lambda: served(pool.pk, 2), 60)
    before = {agent.pk: agent.container for agent in await rows_of(pool.pk)}
    plant.runtime = DockerRuntime(plant.runtime._instance)  # type: ignore[attr-defined]
    async with plant.running() as controller, plant.brokering() as broker:
        await controller.tick()
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        assert lease.agent_id in before
        await broker.release(lease, LeaseOutcome.OK)
        assert {agent.pk: agent.container for agent in await rows_of(pool.pk)} == before


async def connect(broker: Broker, lease: Lease, host: str, port: int) -> object:
    """What a body on the leased agent gets when it connects there."""
    where = {"host": host, "port": port}
    answer = await broker.invoke(lease, invocation(where, runs=CONNECT, timeout=20))
    assert answer.results[0].error is None
    return answer.results[0].output


async def test_what_a_container_may_do(plant: Plant, engine: docker.DockerClient) -> None:
    """Neither another agent nor the outside is in reach; root is read-only, /tmp not; no rights are left."""
    pool = await new_pool(min_size=2)
    async with plant.running(), plant.brokering() as broker:
        leases = [
            await broker.acquire(pool.pk, holder=f"h{number}", team_id=pool.team_id, timeout=60)
            for number in range(2)
        ]
        attempt = partial(connect, broker, leases[0])

        assert await attempt("127.0.0.1", 8000) == "connected", "itself it reaches: the attempt is sound"
        host, port = leases[1].address.split(":")
        assert await attempt(host, int(port)) != "connected"
        with outside(engine, built_in_tag()) as (host, here):
            assert await attempt(host, here) != "connected"
        seen = (await broker.invoke(leases[0], invocation({}, runs=LOOK))).results[0].output
        assert seen["uid"] == 10001
        assert seen["root"] == "refused"
        assert "CapEff:\t0000000000000000" in seen["caps"]
        assert "NoNewPrivs:\t1" in seen["caps"]
        for lease in leases:
            await broker.release(lease, LeaseOutcome.OK)


async def test_what_a_pool_gives_its_containers(plant: Plant, engine: docker.DockerClient) -> None:
    """Each of these settings is one that `test_settings` changes alone."""
    settings = {"env": {"COLOUR": "blue"}, "cpu": 0.5, "memory": 96 * 1024**2, "pids": 50}
    pool = await new_pool(min_size=1, **settings)
    async with plant.running(), plant.brokering() as broker:
        lease = await broker.acquire(pool.pk, holder="h", team_id=pool.team_id, timeout=60)
        told = await broker.invoke(lease, invocation({}, runs=ENVIRONMENT))
        assert told.results[0].output == "blue"
        (agent,) = await rows_of(pool.pk)
        host = engine.api.inspect_container(agent.container)["HostConfig"]
        limits = (host["NanoCpus"], host["Memory"], host["MemorySwap"], host["PidsLimit"])
        assert limits == (500_000_000, 96 * 1024**2, 96 * 1024**2, 50)
        await broker.release(lease, LeaseOutcome.OK)


async def test_egress(plant: Plant, engine: docker.DockerClient) -> None:
    """The outside is in reach; other agents are not."""
    pool = await new_pool(min_size=2, network="egress")
    async with plant.running(), plant.brokering() as broker:
        leases = [
            await broker.acquire(pool.pk, holder=f"h{number}", team_id=pool.team_id, timeout=60)
            for number in range(2)
        ]
        attempt = partial(connect, broker, leases[0])
        with outside(engine, built_in_tag()) as (host, here):
            assert await attempt(host, here) == "connected"
        host, port = leases[1].address.split(":")
        assert await attempt(host, int(port)) != "connected"
        for lease in leases:
            await broker.release(lease, LeaseOutcome.OK)


async def test_agents_that_take_their_time_to_leave_keep_no_thread() -> None:
    """Two agents at work, told to leave, and a runtime with two threads: it answers all the same."""

    class Small(DockerRuntime):
        threads = 2

    instance = f"test-{uuid4().hex[:8]}"
    plant = Plant(Small(instance))
    pool = await new_pool(min_size=2)
    async with plant.running(), plant.brokering() as broker:
        leases = [
            await broker.acquire(pool.pk, holder=f"h{number}", team_id=pool.team_id, timeout=60)
            for number in range(2)
        ]
        sleepy = invocation({"seconds": 20}, runs=SLEEPY, timeout=30)
        work = [asyncio.create_task(broker.invoke(lease, sleepy)) for lease in leases]
        await asyncio.sleep(0.5)
        leaving = [asyncio.create_task(plant.runtime.remove(lease.agent_id, grace=4)) for lease in leases]
        await asyncio.sleep(0.5)
        assert len(await plant.runtime.list_agents()) == 2
        assert not any(task.done() for task in leaving)
        await asyncio.gather(*leaving)
        ended = await asyncio.gather(*work, return_exceptions=True)
        assert all(isinstance(result, AgentLost | LeaseLost) for result in ended)
    await remove_everything(DockerRuntime(instance))


async def test_what_agents_use_is_read_without_asking_the_engine(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the short ids that engines give; asked, the engine takes a second."""
    runtime = plant.runtime
    assert isinstance(runtime, DockerRuntime)
    await runtime.start()
    handle = await runtime.create(new_spec())
    if use_of(handle.ref) is None:
        lack("docker", "the engine's containers are not on this machine")
    monkeypatch.setattr(DockerRuntime, "_use_told", refuse)
    monkeypatch.setattr(DockerDeployed, "usage", refuse)
    used = await runtime.use_of(handle.agent_id, handle.ref)
    assert used is not None
    assert used.memory > 1_000_000
    assert used.cpu_seconds is not None
    usage = await runtime.deployed.usage_now(handle.agent_id, handle.ref)
    assert usage is not None
    assert usage.memory > 1_000_000
    assert usage.memory_limit == 512 * 1024**2
    assert None not in (usage.cpu, usage.cpu_seconds, usage.processes, usage.received, usage.sent)


def refuse(*_: Any) -> Any:
    raise AssertionError("the engine was asked")


async def test_nothing_stays_behind(plant: Plant, engine: docker.DockerClient) -> None:
    pool = await new_pool(min_size=2)
    instance = plant.runtime._instance  # type: ignore[attr-defined]
    async with plant.running():
        await until(lambda: served(pool.pk, 2), 60)
    assert await remove_everything(DockerRuntime(instance)) == 2
    label = {"label": f"agentainer.instance={instance}"}
    assert engine.api.containers(all=True, filters=label) == []
    assert engine.api.networks(filters=label) == []
    assert await rows_of(pool.pk) == []
