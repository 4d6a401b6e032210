"""What /ws/pools shows: pools and agents sampled, and only what changed put into a numbered Redis stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import orjson

from pools.leases.scripts import QueueFigures, ServingAgent, wait_of
from pools.leases.store import AsyncLeases
from pools.models import Agent
from pools.selectors.views import agent_payload, agent_view, pool_payload, pool_view
from pools.services.controller.registry import Registry

KEPT = 5000  # messages; who comes back later than that gets a snapshot
WAITS_EVERY = 1.0  # seconds between two readings of the waiting times
AGENTS_EVERY = 1.0  # agents flap between idle and active with every lease


Figures = Mapping[UUID, QueueFigures]


@dataclass(frozen=True, slots=True)
class Message:
    """`told` remembers that it was said; called once it is in the stream."""

    team_id: int
    body: dict[str, Any]
    told: Callable[[], object]


class Sampler:
    """Numbers (`seq`) are the ids of the stream, rising by one; they begin anew with an epoch.

    What Redis did not take is said again at the next sample.
    """

    def __init__(
        self, registry: Registry, leases: AsyncLeases, read: Callable[[Figures], object] = lambda _: None
    ) -> None:
        """`read`: hears the figures of each sample."""
        self._registry = registry
        self._leases = leases
        self._read = read
        self._seen: tuple[int, tuple[tuple[UUID, int], ...]] = (-1, ())
        self._pools: dict[tuple[UUID, int], dict[str, Any]] = {}  # by pool, and team that was told
        self._agents: dict[UUID, dict[str, Any]] = {}
        self._waits: dict[UUID, Sequence[int]] = {}
        self._waits_at = 0.0
        self._agents_at = 0.0
        self._agents_stale = False
        self._registry_seen = -1

    async def sample(self) -> None:
        """Costs one small script when nothing changed."""
        pool_ids = list(self._registry.pools)
        figures = await self._leases.figures(pool_ids) if pool_ids else {}
        self._read(figures)
        version = self._registry.version
        seen = (version, tuple((pk, row.version) for pk, row in figures.items()))
        moved = seen != self._seen
        self._agents_stale |= moved
        clock = time.monotonic()
        # The life of an agent shows at once; what it is doing, once a second.
        lifecycle = version != self._registry_seen
        agents_due = self._agents_stale and (lifecycle or clock - self._agents_at >= AGENTS_EVERY)
        if not moved and not agents_due:
            return
        serving = {agent.id: agent for agent in await self._leases.agents(pool_ids)}
        await self._read_waits(pool_ids, clock)
        messages = self._pool_messages(figures, serving)
        ended = list(self._registry.ended)
        if agents_due:
            messages += self._agent_messages(serving, ended)
        for message in messages:
            await self._append(message.team_id, message.body)
            message.told()
        self._seen = seen
        if agents_due:
            self._agents_at, self._agents_stale = clock, False
            self._registry_seen = version
            del self._registry.ended[: len(ended)]
            for agent in ended:
                self._agents.pop(agent.pk, None)

    async def _read_waits(self, pool_ids: list[UUID], clock: float) -> None:
        if clock - self._waits_at < WAITS_EVERY:
            return
        self._waits_at = clock
        for pool_id in pool_ids:
            raw = await self._leases.wire.call("LRANGE", self._leases.keys.pool(pool_id, "waits"), 0, -1)
            self._waits[pool_id] = [wait_of(entry)[0] for entry in raw]

    def _pool_messages(
        self, figures: Mapping[UUID, QueueFigures], serving: Mapping[UUID, ServingAgent]
    ) -> list[Message]:
        """Each pool to its team, and to those that it is shared with, as each may see it."""
        messages: list[Message] = []
        seen: set[tuple[UUID, int]] = set()
        for pool_id, pool in self._registry.pools.items():
            if pool.deleted_at is not None:
                continue
            shares, agents = list(pool.shares.all()), self._registry.of_pool(pool_id)
            view = pool_view(
                pool,
                agents,
                serving,
                figures.get(pool_id, QueueFigures()),
                self._waits.get(pool_id, ()),
                {share.team.slug: share.weight for share in shares},
                rate=self._registry.prices.of_pool(pool, (agent.node for agent in agents)),
            )
            for team_id in (pool.team_id, *(share.team_id for share in shares)):
                seen.add((pool_id, team_id))
                messages += self._if_news((pool_id, team_id), pool_payload(view, team_id))
        for key in set(self._pools) - seen:
            payload = self._pools[key]
            self._waits.pop(key[0], None)
            gone = {"type": "pool.removed", "id": payload["id"], "name": payload["name"]}
            messages.append(Message(key[1], gone, partial(self._pools.pop, key)))
        return messages

    def _if_news(self, key: tuple[UUID, int], payload: dict[str, Any]) -> list[Message]:
        if self._pools.get(key) == payload:
            return []
        told = partial(self._pools.__setitem__, key, payload)
        return [Message(key[1], {"type": "pool.changed", "pool": payload}, told)]

    def _agent_messages(self, serving: Mapping[UUID, ServingAgent], ended: Sequence[Agent]) -> list[Message]:
        messages: list[Message] = []
        rows: list[Agent] = [*self._registry.agents.values(), *ended]
        for agent in rows:
            payload = agent_payload(agent_view(agent, serving.get(agent.pk)))
            if self._agents.get(agent.pk) != payload:
                told = partial(self._agents.__setitem__, agent.pk, payload)
                messages.append(Message(agent.team_id, {"type": "agent.changed", "agent": payload}, told))
        return messages

    async def _append(self, team_id: int, message: dict[str, Any]) -> None:
        seq = int(await self._leases.wire.call("INCR", f"{self._leases.keys.stream}:seq"))
        body = orjson.dumps({"seq": seq, **message})
        await self._leases.wire.call(
            "XADD", self._leases.keys.stream, "MAXLEN", "~", KEPT, f"{seq}-0", "team", team_id, "body", body
        )
