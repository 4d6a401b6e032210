"""The twin of deployed agents for tests: servers inside this process that can be stopped and started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID

from pools.domain.deployments import Reality
from pools.runtime.deployed import Capability, DeployedHandle, DeploySpec, NotCapable, Usage, second_of

if TYPE_CHECKING:
    from pools.runtime.memory import MemoryRuntime


class MemoryDeployed:
    """`settings` is the runtime that tests set up (images, an engine that is away); `agents` runs them."""

    capabilities = frozenset({Capability.IMAGES, Capability.FOLLOW})

    def __init__(self, settings: MemoryRuntime, agents: MemoryRuntime) -> None:
        self._settings = settings
        self._agents = agents
        self._known: dict[UUID, DeploySpec] = {}
        self._codes: dict[UUID, int] = {}
        self._lost: set[UUID] = set()
        self._changes: asyncio.Queue[UUID] = asyncio.Queue()
        self.starts: list[UUID] = []

    async def close(self) -> None:
        await self._agents.close()

    async def start(self, spec: DeploySpec) -> DeployedHandle:
        await self._settings.ping()
        if spec.volumes:
            raise NotCapable("Agents in this process have no volumes.")
        self._agents.images = self._settings.images
        self._agents.broken, self._agents.sick = self._settings.broken, self._settings.sick
        await self._agents.ensure_image(spec.image)
        if spec.agent_id not in self._agents.agents:
            self.starts.append(spec.agent_id)
            self._lost.discard(spec.agent_id)
        await self._agents.serve(self._known.setdefault(spec.agent_id, spec))
        return self._handle(spec.agent_id)

    def spec_of(self, agent_id: UUID) -> DeploySpec:
        return self._known[agent_id]

    async def stop(self, agent_id: UUID, *, grace: float) -> None:
        await self._end(agent_id, 0)

    async def kill(self, agent_id: UUID, exit_code: int = 137) -> None:
        """A death as an engine would see it."""
        await self._end(agent_id, exit_code)

    async def lose(self, agent_id: UUID) -> None:
        """Its node is out of reach."""
        self._lost.add(agent_id)
        await self._end(agent_id, 0)

    async def _end(self, agent_id: UUID, code: int) -> None:
        if agent_id in self._agents.agents:
            self._codes[agent_id] = code
            await self._agents.remove(agent_id)
            self._changes.put_nowait(agent_id)

    async def pause(self, agent_id: UUID) -> None:
        raise NotCapable("Agents in this process cannot be paused.")

    async def unpause(self, agent_id: UUID) -> None:
        return None

    async def remove(self, agent_id: UUID, *, grace: float = 0.0) -> None:
        await self._end(agent_id, 0)
        self._known.pop(agent_id, None)

    async def remove_volume(self, team_id: int, name: str) -> None:
        return None

    async def list_deployed(self) -> list[DeployedHandle]:
        await self._settings.ping()
        return [self._handle(agent_id) for agent_id in self._known]

    async def events(self) -> AsyncIterator[UUID]:
        while True:
            yield await self._changes.get()

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        return await self._agents.logs(agent_id, tail)

    async def follow(self, agent_id: UUID, tail: int = 100) -> AsyncIterator[str]:
        agent = self._agents.agents.get(agent_id)
        if agent is None:
            return
        place = max(0, len(agent.log) - tail)
        while agent_id in self._agents.agents:
            for line in agent.log[place:]:
                yield line + "\n"
            place = len(agent.log)
            await asyncio.sleep(0.05)

    async def usage(self, agent_id: UUID) -> AsyncIterator[Usage]:
        raise NotCapable("What agents in this process use is not measured.")
        yield

    async def usage_now(self, agent_id: UUID, ref: str) -> Usage | None:
        return await second_of(self.usage(agent_id))

    def _handle(self, agent_id: UUID) -> DeployedHandle:
        spec, agent, lost = self._known[agent_id], self._agents.agents.get(agent_id), agent_id in self._lost
        return DeployedHandle(
            agent_id=agent_id,
            ref=f"memory-{agent_id}",
            address=agent.address if agent else "",
            node="this process",
            reality=Reality.RUNNING if agent else Reality.ENDED,
            generation=spec.generation,
            exit_code=None if agent or lost else self._codes.get(agent_id),
            lost=lost,
        )
