"""A runtime on the swarm, which is empty again after the test, and a client of agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from pools.runtime.contract import AgentHttp
from pools.runtime.swarm import SwarmRuntime
from tests.swarm.hosts import Swarm


@pytest.fixture
async def runtime(swarm: Swarm) -> AsyncIterator[SwarmRuntime]:
    made = SwarmRuntime(f"swarm-{uuid4().hex[:8]}")
    await made.start()
    yield made
    for handle in await made.list_agents():
        await made.remove(handle.agent_id)
    for deployed in await made.deployed.list_deployed():
        await made.deployed.remove(deployed.agent_id)
    await made.close()


@pytest.fixture
async def http() -> AsyncIterator[AgentHttp]:
    async with AgentHttp() as session:
        yield session
