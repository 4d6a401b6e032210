"""Each runtime in turn, and a client of agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from pools.runtime.base import Runtime
from pools.runtime.choose import make_runtime
from pools.runtime.contract import AgentHttp
from tests.contract.pools.agents import RUNTIMES


@pytest.fixture(params=RUNTIMES)
async def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    if request.param == "swarm":
        request.getfixturevalue("swarm")
    made = make_runtime(request.param, instance=f"contract-{uuid4().hex[:8]}", data_dir=tmp_path)
    await made.start()
    yield made
    for handle in await made.list_agents():
        await made.remove(handle.agent_id)
    if request.param != "swarm":  # whose engines take two seconds for it; see `tests/swarm`
        await made.tidy()
    await made.close()


@pytest.fixture
async def http() -> AsyncIterator[AgentHttp]:
    async with AgentHttp() as session:
        yield session
