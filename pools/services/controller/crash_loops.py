"""The crash loops of pools (`domain.crash_loops`), fed with the ends of agents that had served.

They are kept with the pools' rows: a controller that takes over goes on with them. Ends that a controller had
under way when it was killed may be forgotten.
Does not: end agents, or make them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pools.domain.agents import EndReason
from pools.domain.crash_loops import CrashLoop, has_proved_itself
from pools.domain.problems import Problem, ProblemKind, last_words
from pools.leases.scripts import ServingAgent
from pools.models import Agent, Pool
from pools.runtime.base import Runtime, RuntimeFault
from pools.services.controller.problems import Problems
from pools.services.controller.registry import Registry, in_database, now

log = logging.getLogger(__name__)

LONGEST_WORDS = 120  # characters


class CrashLoops:
    def __init__(self, registry: Registry, runtime: Runtime, problems: Problems) -> None:
        self._registry = registry
        self._runtime = runtime
        self._problems = problems
        self._loops: dict[UUID, tuple[str, CrashLoop]] = {}  # of each pool, with what its agents are made of
        self._kept: dict[UUID, dict[str, Any] | None] = {}  # as its row has it
        self._keeping = asyncio.Lock()  # so that the row gets what was last
        self._wall = time.time() - time.monotonic()  # measured once, so that what is kept stays the same

    def of(self, pool: Pool) -> CrashLoop:
        """A pool whose agents are made of something else begins anew."""
        template = self._registry.template_of(pool.pk)
        known = self._loops.get(pool.pk)
        if known is None or known[0] != template:
            known = self._loops[pool.pk] = (template, CrashLoop.of(pool.max_size))
        known[1].resized(pool.max_size)
        return known[1]

    def take_up(self, pool: Pool) -> None:
        """As a controller before this one left it."""
        kept = self._kept[pool.pk] = pool.crash_loop
        if kept is None:
            return
        try:
            loop = CrashLoop.taken_up(kept, time.monotonic(), self._wall)
            self._loops[pool.pk] = (kept["template"], loop)
        except (KeyError, TypeError, ValueError) as exc:
            log.warning("pool %s: its crash loop was kept by another version (%r)", pool.name, exc)

    async def keep(self, pool: Pool) -> None:
        """With the pool's row, if something has changed."""
        async with self._keeping:
            kept = self.of(pool).kept(self._wall)
            if kept is not None:
                kept["template"] = self._registry.template_of(pool.pk)
            if kept != self._kept.get(pool.pk):
                await in_database(Pool.objects.filter(pk=pool.pk).update, crash_loop=kept)
                self._kept[pool.pk] = kept

    async def keep_all(self) -> None:
        for pool in list(self._registry.pools.values()):
            await self.keep(pool)

    async def ended(self, agent: Agent, reason: EndReason, uses: int) -> None:
        """One that served is about to be removed; its logs can still be read."""
        if self._registry.is_unwanted(agent) or agent.pool_id is None:
            return
        pool = self._registry.pools[agent.pool_id]
        loop = self.of(pool)
        if has_proved_itself(max(uses, agent.uses), _age(agent), reason):
            loop.proved(agent.pk)
            await self.keep(pool)
            return
        living = (other.pk for other in self._registry.of_pool(pool.pk) if other.pk != agent.pk)
        loop.ended(reason, living, time.monotonic())
        await self.keep(pool)
        if loop.excess:
            loop.last_words = await self._last_words(agent)
            await self.keep(pool)
            log.warning("pool %s: %s", pool.name, loop.sentence)
            await self.tell(pool)

    async def step(self, pool: Pool, serving: Mapping[UUID, ServingAgent]) -> None:
        """Looks whether one has proved itself; takes the problem back where there is none any more. `pool`
        was just read: its row may hold what a controller wrote that did not know that it leads no more."""
        loop = self.of(pool)
        if loop.ends:
            for agent in self._registry.of_pool(pool.pk):
                seen = serving.get(agent.pk)
                if seen is not None and has_proved_itself(seen.uses, _age(agent)) and loop.proved(agent.pk):
                    break
        self._kept[pool.pk] = pool.crash_loop
        await self.keep(pool)
        if not loop.excess:
            await self._problems.over(pool, ProblemKind.CRASH_LOOP)

    async def tell(self, pool: Pool) -> None:
        sentence = self.of(pool).sentence
        if sentence is not None:
            await self._problems.tell(pool.pk, pool.recipe, Problem(ProblemKind.CRASH_LOOP, sentence))

    def forget_others(self) -> None:
        for of_pools in (self._loops, self._kept):
            for pool_id in set(of_pools) - set(self._registry.pools):
                del of_pools[pool_id]

    async def _last_words(self, agent: Agent) -> str:
        try:
            return last_words(await self._runtime.logs(agent.pk, tail=20), LONGEST_WORDS)
        except RuntimeFault:
            return ""


def _age(agent: Agent) -> float:
    """Seconds in service."""
    return (now() - agent.ready_at).total_seconds() if agent.ready_at else 0.0
