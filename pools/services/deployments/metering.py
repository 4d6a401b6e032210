"""Measures what deployed agents use, every few seconds, for whoever tells it.

Does not: decide anything by it, or keep more than the last readings.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from django.db import Error as DatabaseTrouble
from redis.exceptions import RedisError

from pools.domain.deployments import DeployedState
from pools.models import DeployedAgent
from pools.runtime.base import Runtime, RuntimeFault
from pools.runtime.deployed import Capability, NotCapable, deployed_agents_of
from pools.selectors.readings import Reading, Readings
from pools.services.controller.registry import in_database

log = logging.getLogger(__name__)

EVERY = 5.0  # seconds
WITHIN = 5.0  # for one agent
AT_ONCE = 8


class Meter:
    """`leads` tells whether this process may write."""

    def __init__(self, runtime: Runtime, readings: Readings, leads: Callable[[], Awaitable[bool]]) -> None:
        self._runtime = runtime
        self._readings = readings
        self._leads = leads
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Until it is cancelled; a runtime that measures nothing is asked for nothing."""
        while self._measures():
            try:
                if await self._leads():
                    await self.measure()
            except (DatabaseTrouble, RedisError) as exc:
                log.warning("what deployed agents use is not told: %s", exc)
            await asyncio.sleep(EVERY)
        await asyncio.Event().wait()

    def _measures(self) -> bool:
        try:
            return Capability.USAGE in deployed_agents_of(self._runtime).capabilities
        except NotCapable:
            return False

    async def measure(self) -> None:
        running: list[DeployedAgent] = await in_database(_running)
        found = await asyncio.gather(*map(self._reading, running))
        readings = {
            agent.pk: reading for agent, reading in zip(running, found, strict=True) if reading is not None
        }
        await asyncio.to_thread(self._readings.write, readings)

    async def _reading(self, agent: DeployedAgent) -> Reading | None:
        try:
            async with self._slots, asyncio.timeout(WITHIN):
                usage = await deployed_agents_of(self._runtime).usage_now(agent.pk, agent.container)
        except (RuntimeFault, TimeoutError) as exc:
            log.debug("what agent %s uses is not known: %s", agent.name, exc)
            return None
        return None if usage is None else Reading(usage.memory, usage.cpu_seconds)


def _running() -> list[DeployedAgent]:
    return list(DeployedAgent.objects.filter(state=DeployedState.RUNNING.value).exclude(container=""))
