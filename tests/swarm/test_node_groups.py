"""A rented machine and a real swarm: it joins by its own program, carries agents, and leaves."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from channels.db import database_sync_to_async
from django.conf import LazySettings
from pytest_django.live_server_helper import LiveServer

from pools.domain.agents import AgentState
from pools.models import Machine, NodeGroup, Pool
from pools.runtime.swarm import SwarmRuntime
from pools.services.controller.groups import NodeGroups
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, rows_of, served, until
from tests.fakes.provider import FakeProvider
from tests.swarm.hosts import Host, Swarm

pytestmark = [pytest.mark.swarm, pytest.mark.django_db(transaction=True)]


@asynccontextmanager
async def rented(swarm: Swarm) -> AsyncIterator[Host]:
    # Its sockets must have short names.
    directory = Path(tempfile.mkdtemp(prefix="aflow-swarm-"))
    host = Host(directory, "rented", len(swarm.hosts))
    try:
        await asyncio.to_thread(host.boot)
        await asyncio.to_thread(host.wait)
        yield host
    finally:
        await asyncio.to_thread(host.kill)
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


@contextmanager
def first_start(host: Host, user_data: str, directory: Path) -> Iterator[None]:
    """What cloud-init would do: the files, and the program until the end."""
    settings, program, _ = yaml.safe_load(user_data)["write_files"]
    told = {**json.loads(settings["content"]), "metadata": "http://127.0.0.1:9"}
    (directory / "machine.json").write_text(json.dumps(told))
    (directory / "machine.py").write_text(program["content"])
    command = [sys.executable, "-I", str(directory / "machine.py"), str(directory / "machine.json")]
    environment = {**os.environ, "DOCKER_HOST": f"unix://{host.directory}/docker.sock"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def test_a_machine_joins_by_itself_carries_agents_and_leaves(
    swarm: Swarm, live_server: LiveServer, settings: LazySettings, tmp_path: Path
) -> None:
    settings.AFLOW_RUNTIME = "swarm"
    runtime, provider = SwarmRuntime("rented"), FakeProvider()
    plant = Plant(runtime, instance="rented", secret=settings.SECRET_KEY)
    await database_sync_to_async(NodeGroup.objects.create)(
        name="workers", provider="fake", on_demand_base=0, idle_timeout=0.0, template={"engine_port": 2375}
    )
    pool: Pool = await database_sync_to_async(make_pool)(min_size=1, max_size=1, capacity_type="spot")
    async with plant.running() as controller:
        groups = NodeGroups(
            runtime,
            provider,
            demands=controller.demands,
            leads=controller.leads,
            instance=plant.instance,
            leader=controller.leader,
            secret=settings.SECRET_KEY,
            url=live_server.url,
        )

        async def when(condition: Any) -> None:
            async def holds() -> bool:
                await groups.step()
                answer = condition()
                return bool(await answer if hasattr(answer, "__await__") else answer)

            await until(holds, 180)

        await when(lambda: provider.orders)
        told = provider.orders[0].user_data
        async with rented(swarm) as host:
            with first_start(host, told, tmp_path):
                await when(lambda: served(pool.pk, 1))
                assert [agent.node for agent in await rows_of(pool.pk, AgentState.IDLE)] == ["rented"]
                (node,) = [one for one in await runtime.nodes() if one.name == "rented"]
                assert node.labels["agentainer.engine"] == host.engine
                await database_sync_to_async(Pool.objects.filter(pk=pool.pk).update)(
                    min_size=0, target_size=0, idle_timeout=0.1
                )
                await when(lambda: not provider.machines())
                assert "rented" not in [one.name for one in await runtime.nodes()]
    gone = await database_sync_to_async(Machine.objects.get)()
    assert (gone.state, gone.end_reason) == ("gone", "idle")
    await runtime.close()
