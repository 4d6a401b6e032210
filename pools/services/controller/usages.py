"""Watches what agents use, for the advice on their pool's resources.

Keeps two histograms for each pool and two figures for each live agent. What was seen since the last save is
lost with the process: a minute of a day. Does not: measure (the checks do), or change anything by it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from pools.domain.right_sizing import RAN_OUT, PoolUse
from pools.leases.scripts import ServingAgent
from pools.models import Agent, Pool
from pools.runtime.base import AgentUse
from pools.services import usage
from pools.services.controller.registry import Registry, in_database

SAVE_EVERY = 60.0  # seconds
LEAST_WORK = 0.05  # seconds of leases below which the clocks say nothing


@dataclass(slots=True)
class _Seen:
    """Of one agent: its peak and since when that counts, and where its clocks stood at the last sample."""

    peak: int
    since: float
    cpu_seconds: float | None
    held_ms: int


class Usages:
    def __init__(self, registry: Registry, save_every: float = SAVE_EVERY) -> None:
        self._registry = registry
        self._save_every = save_every
        self._pools: dict[UUID, tuple[str, PoolUse]] = {}  # with the image that it is about
        self._seen: dict[UUID, _Seen] = {}
        self._changed: set[UUID] = set()
        self._ran_out: list[Agent] = []
        self._saved_at = time.monotonic()

    async def note(self, agent: Agent, pool: Pool, serving: ServingAgent, use: AgentUse) -> None:
        """What an agent in service uses now."""
        if agent.image != pool.image or self._registry.is_outdated(agent):
            return
        known, at = await self._of(pool), time.time()
        self._changed.add(pool.pk)
        before = self._seen.get(agent.pk)
        if before is None:
            known.held(use.memory, at)
            self._seen[agent.pk] = _Seen(use.memory, at, use.cpu_seconds, serving.held_ms)
            return
        if use.memory > before.peak:
            known.rose(before.peak, use.memory, before.since)
            before.peak = use.memory
        _note_work(known, before, use.cpu_seconds, serving.held_ms, at)

    def ran_out(self, agent: Agent) -> None:
        """An agent ended because its memory did not do."""
        self._ran_out.append(agent)

    async def _count_ran_out(self, agent: Agent) -> None:
        pool = self._registry.pools.get(agent.pool_id) if agent.pool_id is not None else None
        if pool is None or agent.image != pool.image or self._registry.is_outdated(agent):
            return
        known, wanted = await self._of(pool), int(pool.memory * RAN_OUT)
        self._changed.add(pool.pk)
        seen = self._seen.pop(agent.pk, None)
        if seen is None:
            known.held(wanted, time.time())
        else:
            known.rose(seen.peak, wanted, seen.since)

    async def save_when_due(self) -> None:
        if time.monotonic() - self._saved_at >= self._save_every:
            await self.save()

    async def save(self) -> None:
        self._saved_at = time.monotonic()
        ended, self._ran_out = self._ran_out, []
        for agent in ended:
            await self._count_ran_out(agent)
        changed, self._changed = self._changed, set()
        found = [(pool_id, *self._pools[pool_id]) for pool_id in changed if pool_id in self._pools]
        if found:
            await in_database(usage.save, found)
        for agent_id in set(self._seen) - set(self._registry.agents):
            del self._seen[agent_id]
        for pool_id in set(self._pools) - set(self._registry.pools):
            del self._pools[pool_id]

    async def _of(self, pool: Pool) -> PoolUse:
        image, use = self._pools.get(pool.pk, ("", None))
        if use is None or image != pool.image:
            kept = await in_database(usage.load, {pool.pk: pool.image})
            use = self._pools.setdefault(pool.pk, (pool.image, kept.get(pool.pk) or PoolUse()))[1]
            if self._pools[pool.pk][0] != pool.image:  # the pool has got another image
                use = PoolUse()
                self._pools[pool.pk] = (pool.image, use)
        return use


def _note_work(known: PoolUse, before: _Seen, cpu_seconds: float | None, held_ms: int, at: float) -> None:
    """Once leases have ended since the last sample: one that goes on is told of when it has ended."""
    if cpu_seconds is None:
        return
    held = (held_ms - before.held_ms) / 1000
    if held < 0 or before.cpu_seconds is None or cpu_seconds < before.cpu_seconds:
        before.cpu_seconds, before.held_ms = cpu_seconds, held_ms  # a clock began anew
    elif held >= LEAST_WORK:
        known.worked((cpu_seconds - before.cpu_seconds) / held, held, at)
        before.cpu_seconds, before.held_ms = cpu_seconds, held_ms
