"""Making agents of any runtime, and ending them as fate would."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

from pools.domain.tokens import agent_token
from pools.runtime.base import BUILT_IN_IMAGE, AgentHandle, AgentSpec, Runtime
from pools.runtime.contract import AgentHttp, Health, bearer
from tests.fakes.pools import SECRET


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
            import docker

            client = docker.from_env()
            await asyncio.to_thread(client.api.kill, handle.ref)
            client.close()
