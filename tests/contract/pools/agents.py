"""Making agents of any runtime, and ending them as fate would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from pools.domain.nodes import ENGINE_LABEL
from pools.domain.tokens import agent_token
from pools.runtime.base import BUILT_IN_IMAGE, AgentHandle, AgentSpec, Capability, Runtime
from pools.runtime.contract import AgentHttp, Health, bearer
from pools.runtime.docker import DockerRuntime
from pools.runtime.memory import MemoryRuntime
from pools.runtime.process import ProcessRuntime
from pools.runtime.swarm import SwarmRuntime
from tests.fakes.pools import SECRET

RUNTIMES: list[Any] = [
    "memory",
    "process",
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("swarm", marks=pytest.mark.swarm),
]


_CAN = {
    "memory": MemoryRuntime.can,
    "process": ProcessRuntime.can,
    "docker": DockerRuntime.can,
    "swarm": SwarmRuntime.can,
}


def able(capability: Capability) -> list[Any]:
    """The runtimes that declare it, as parameters of a test."""
    names = {name for name, can in _CAN.items() if capability in can}
    return [known for known in RUNTIMES if getattr(known, "values", (known,))[0] in names]


def new_spec(agent_id: UUID | None = None) -> AgentSpec:
    agent_id = agent_id or uuid4()
    return AgentSpec(
        agent_id=agent_id,
        pool_id=uuid4(),
        pool_name="contract",
        image=BUILT_IN_IMAGE,
        nonce="nonce",
        epoch=1,
        token=agent_token(SECRET, agent_id, "nonce"),
    )


async def ready(http: AgentHttp, handle: AgentHandle, spec: AgentSpec) -> Health:
    async with asyncio.timeout(30):
        while True:
            health = await http.health(handle.address, bearer(spec.token), within=1)
            if health.ok:
                return health
            await asyncio.sleep(0.02)


async def kill(runtime: Runtime, handle: AgentHandle) -> None:
    """As fate would, not as the runtime does."""
    match runtime.name:
        case "memory":
            await runtime.kill(handle.agent_id)  # type: ignore[attr-defined]
        case "process":
            import os
            import signal

            os.kill(int(handle.ref.removeprefix("pid ")), signal.SIGKILL)
        case _:
            async with engine_of(runtime, handle.node) as client:
                await asyncio.to_thread(client.api.kill, handle.ref)


@contextlib.asynccontextmanager
async def engine_of(runtime: Runtime, node: str) -> AsyncIterator[Any]:
    """A client of the Docker Engine that runs the node's containers."""
    import docker

    engines = {known.name: known.labels.get(ENGINE_LABEL, "") for known in await runtime.nodes()}
    client = docker.DockerClient(engines[node]) if runtime.name == "swarm" else docker.from_env()
    try:
        yield client
    finally:
        client.close()
