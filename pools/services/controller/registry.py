"""The controller's picture of its agents: the rows, mirrored in memory.

The leader is the only writer of agent rows, so the mirror is exact as long as it leads. Every change goes to
the database first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async

from pools.domain.agents import AgentState, EndReason
from pools.models import Agent, Pool
from pools.selectors.prices import Prices
from pools.services import agents as rows


def now() -> datetime:
    return datetime.now(UTC)


async def in_database(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await database_sync_to_async(function)(*args, **kwargs)


class Registry:
    """`version` rises with every change, for whoever samples."""

    def __init__(self) -> None:
        self.agents: dict[UUID, Agent] = {}
        self.pools: dict[UUID, Pool] = {}
        self.prices = Prices({}, Decimal(0))  # as the pools were loaded last
        self._templates: dict[UUID, str] = {}  # of each pool: a digest, not to be made for every agent
        self.version = 0
        self.ended: list[Agent] = []  # since the last sample

    async def load(self) -> None:
        found: list[Agent] = await in_database(rows.live_agents)
        self.agents = {agent.pk: agent for agent in found}
        await self.load_pools()

    async def load_pools(self) -> None:
        found: list[Pool] = await in_database(_pools)
        self.prices = await in_database(Prices.now)
        fresh = {pool.pk: pool for pool in found}
        if {pk: pool.updated_at for pk, pool in fresh.items()} != {
            pk: pool.updated_at for pk, pool in self.pools.items()
        }:
            self.version += 1
        self.pools = fresh
        self._templates = {pk: pool.template for pk, pool in fresh.items()}

    def add(self, agents: Iterable[Agent]) -> None:
        for agent in agents:
            self.agents[agent.pk] = agent
        self.version += 1

    def of_pool(self, pool_id: UUID) -> list[Agent]:
        return [agent for agent in self.agents.values() if agent.pool_id == pool_id]

    def template_of(self, pool_id: UUID) -> str:
        """What the pool's agents are made of, in a digest; empty for a pool that is gone."""
        return self._templates.get(pool_id, "")

    def is_outdated(self, agent: Agent) -> bool:
        """Whether its pool makes other agents by now."""
        return agent.pool_id is None or self._templates.get(agent.pool_id) != agent.template

    def is_unwanted(self, agent: Agent) -> bool:
        """Whether its pool makes other agents by now, or is gone."""
        pool = self.pools.get(agent.pool_id) if agent.pool_id else None
        return pool is None or pool.deleted_at is not None or self.is_outdated(agent)

    async def move(
        self, agent: Agent, wanted: AgentState, reason: EndReason | None = None, **fields: Any
    ) -> bool:
        """True when the state was accepted. A gone agent leaves the picture, and one without a row, too."""
        moment = now()
        try:
            answer = await in_database(rows.move, agent.pk, wanted, now=moment, reason=reason, **fields)
        except Agent.DoesNotExist:  # it went with its team
            self.agents.pop(agent.pk, None)
            self.version += 1
            return False
        if not answer.accepted:
            return False
        agent.state = wanted.value
        for name, value in fields.items():
            setattr(agent, name, value)
        if reason is not None and agent.end_reason is None:
            agent.end_reason = reason.value
        if wanted is AgentState.GONE:
            agent.ended_at = agent.ended_at or moment
            if self.agents.pop(agent.pk, None) is not None:
                self.ended.append(agent)
        self.version += 1
        return True


def _pools() -> list[Pool]:
    """With whom they belong to, and are shared with."""
    return list(Pool.objects.select_related("team").prefetch_related("shares__team"))
