"""From service to nothing left: out of Redis first (no new lease, a running one is told), then out of the
runtime, then the row."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from pools.domain.agents import IN_ORDER, AgentState, EndReason
from pools.leases.store import AsyncLeases
from pools.models import Agent
from pools.runtime.base import Runtime, RuntimeFault
from pools.services import agents as rows
from pools.services.controller.crash_loops import CrashLoops
from pools.services.controller.registry import Registry, in_database

log = logging.getLogger(__name__)

AT_ONCE = 8


class Remover:
    """Removing is idempotent; one that fails is taken up again by the next reconcile."""

    def __init__(
        self,
        registry: Registry,
        runtime: Runtime,
        leases: AsyncLeases,
        loops: CrashLoops,
        *,
        finished: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._runtime = runtime
        self._leases = leases
        self._loops = loops
        self._finished = finished
        self._slots = asyncio.Semaphore(AT_ONCE)
        self.tasks: dict[UUID, asyncio.Task[None]] = {}

    def begin(self, agent: Agent, reason: EndReason) -> None:
        if agent.pk in self.tasks:
            return
        self._begin(agent.pk, self._remove(agent, reason))

    def end_orphan(self, agent_id: UUID) -> None:
        """What runs without a row to say what for."""
        if agent_id not in self.tasks:
            self._begin(agent_id, self._end_orphan(agent_id))

    def _begin(self, agent_id: UUID, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks[agent_id] = task
        task.add_done_callback(lambda _: self._done(agent_id))

    def _done(self, agent_id: UUID) -> None:
        task = self.tasks.pop(agent_id, None)
        if task is not None and not task.cancelled() and (error := task.exception()) is not None:
            log.warning("removing agent %s broke off (%s); the next reconcile goes on", agent_id, error)
        self._finished()

    async def close(self) -> None:
        tasks = list(self.tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _remove(self, agent: Agent, reason: EndReason) -> None:
        served = AgentState(agent.state) is AgentState.IDLE
        if reason is EndReason.SPOT_INTERRUPTION:
            await self._leases.mark_interrupted(agent.pk)
        # The holder of a lease learns of its loss before anything slow happens.
        uses, _ = await asyncio.gather(self._leases.uses_of(agent.pk), self._leases.remove(agent.pk))
        if uses > agent.uses:  # what no round has saved yet
            await in_database(rows.flush_uses, [(agent.pk, uses, None)])
        if await self._registry.move(agent, AgentState.STOPPING, reason) and served:
            await self._loops.ended(agent, reason, uses)
        async with self._slots:
            try:
                await self._runtime.remove(agent.pk, grace=self._grace(agent, reason))
            except RuntimeFault as exc:
                log.warning("agent %s was not removed yet: %s", agent.pk, exc)
                return
        await self._registry.move(agent, AgentState.GONE, reason)

    def _grace(self, agent: Agent, reason: EndReason) -> float:
        """Time to finish for one that leaves in good order; none for one that may be at work for nobody."""
        pool = self._registry.pools.get(agent.pool_id) if agent.pool_id else None
        return pool.graceful_shutdown if pool is not None and reason in IN_ORDER else 0.0

    async def _end_orphan(self, agent_id: UUID) -> None:
        async with self._slots:
            try:
                await self._runtime.remove(agent_id)
            except RuntimeFault as exc:
                log.warning("orphan %s was not removed yet: %s", agent_id, exc)
