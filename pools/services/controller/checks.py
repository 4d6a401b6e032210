"""Checks of agents in service: of idle ones whether they answer, before somebody leases them; of all of them
what they use.

Does not: ask leased agents for their health; whoever works with them finds out.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial
from uuid import UUID

from pools.domain.agents import EndReason
from pools.domain.tokens import agent_token
from pools.leases.scripts import ServingAgent
from pools.leases.store import AsyncLeases
from pools.models import Agent, Pool
from pools.runtime.base import Runtime
from pools.runtime.contract import AgentHttp, bearer
from pools.services.controller.registry import Registry
from pools.services.controller.usages import Usages

log = logging.getLogger(__name__)

TIMEOUT = 2.0  # seconds
AT_ONCE = 20


class Checks:
    """`secret` makes the agents' tokens."""

    def __init__(
        self,
        registry: Registry,
        runtime: Runtime,
        leases: AsyncLeases,
        http: AgentHttp,
        usages: Usages,
        *,
        secret: str,
    ) -> None:
        self._registry = registry
        self._runtime = runtime
        self._leases = leases
        self._http = http
        self._usages = usages
        self._secret = secret
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._due: dict[UUID, float] = {}  # on the monotonic clock
        self.tasks: dict[UUID, asyncio.Task[None]] = {}

    def begin(self, serving: Mapping[UUID, ServingAgent]) -> None:
        """Starts the checks that are due, in the background."""
        now = time.monotonic()
        for agent_id in set(self._due) - set(serving):
            del self._due[agent_id]
        for seen in serving.values():
            agent, pool = self._registry.agents.get(seen.id), self._registry.pools.get(seen.pool_id)
            serves = seen.state in ("idle", "leased")
            if agent is None or pool is None or not serves or seen.id in self.tasks:
                continue
            if now < self._due.setdefault(seen.id, now + pool.health_check_interval):
                # The interval may have been shortened meanwhile.
                self._due[seen.id] = min(self._due[seen.id], now + pool.health_check_interval)
                continue
            self._due[seen.id] = now + pool.health_check_interval
            self.tasks[seen.id] = asyncio.create_task(self._check(agent, pool, seen))
            self.tasks[seen.id].add_done_callback(partial(self._done, seen.id))

    def _done(self, agent_id: UUID, task: asyncio.Task[None]) -> None:
        self.tasks.pop(agent_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("the check of agent %s broke off: %s", agent_id, error)

    async def close(self) -> None:
        tasks = list(self.tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _check(self, agent: Agent, pool: Pool, seen: ServingAgent) -> None:
        async with self._slots:
            use = await self._runtime.use_of(agent.pk, agent.container)
            if use is not None:
                await self._usages.note(agent, pool, seen, use)
            if use is not None and use.memory > pool.memory_threshold * pool.memory:
                log.info("agent %s uses %d MiB, and is replaced", agent.pk, use.memory // 1024**2)
                await self._leases.drain(agent.pk, EndReason.MEMORY)
            elif seen.state == "idle":
                await self._check_health(agent)

    async def _check_health(self, agent: Agent) -> None:
        headers = bearer(agent_token(self._secret, agent.pk, agent.nonce))
        health = await self._http.health(agent.address, headers, within=TIMEOUT)
        fault = health.fault(agent.boot)
        if agent.pool_id is None:
            return
        await self._leases.count_check(agent.pool_id, fault)
        if fault is None:
            return
        log.warning("agent %s failed its check (%s) and is replaced", agent.pk, fault)
        await self._leases.drain(agent.pk, EndReason.UNHEALTHY)
