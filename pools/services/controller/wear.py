"""Replaces agents that grow old or are nearly worn, before their time is up where there is room.

Does not: say how many are made or leave (`domain.sizing` does), or make them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from uuid import UUID

from pools.domain.agents import EndReason, PublicState
from pools.domain.sizing import SizePlan, share_of_life
from pools.domain.wear import KEPT, LONGER, SPAN, Life, Uses, counted, next_turn, wearing, worn_at
from pools.leases.scripts import MOST_PARKED, QueueFigures, ServingAgent
from pools.leases.store import AsyncLeases
from pools.models import Agent, Pool
from pools.selectors.views import public_state
from pools.services.controller.creation import CREATION_TIMEOUT
from pools.services.controller.registry import now

START = 1.0  # seconds that an agent is taken to need until it serves, while none has told


@dataclass(frozen=True, slots=True)
class Spent:
    """What is to be replaced. `overdue`: older than their share of `max_age`; `worn`: idle ones that have had
    their share of `max_uses`; `wearing`, `spares`: see `PoolFigures`; `expected`: uses within a start;
    `next_turn`: uses after which to look again."""

    overdue: Sequence[Agent]
    worn: Sequence[Agent]
    wearing: int
    spares: int
    expected: float
    next_turn: int | None


class Wear:
    def __init__(self, leases: AsyncLeases) -> None:
        self._leases = leases
        self._uses: dict[UUID, Uses] = {}

    def forget_others(self, pool_ids: Iterable[UUID]) -> None:
        for gone in set(self._uses) - set(pool_ids):
            del self._uses[gone]

    def read(self, figures: Mapping[UUID, QueueFigures]) -> None:
        """How much pools were used by now; the more often, the better what is known of bursts."""
        clock = time.monotonic()
        for pool_id, found in figures.items():
            if pool_id in self._uses:
                self._uses[pool_id].read(found.used, clock)

    def look(
        self,
        pool: Pool,
        agents: Iterable[Agent],
        serving: Mapping[UUID, ServingAgent],
        figures: QueueFigures,
    ) -> Spent:
        """Of `agents`, which are those that are not to leave anyway."""
        expected = self._expected(pool, agents, figures)
        overdue, worn = [], []
        lives: list[Life] = []
        for agent in agents:
            seen = serving.get(agent.pk)
            if public_state(agent, seen) is PublicState.STARTING:
                lives.append(Life(pool.max_uses, worn=False))
            elif seen is None or seen.state not in ("idle", "leased") or rests(seen, pool.max_uses):
                continue
            elif (now() - agent.started_at).total_seconds() >= pool.max_age * share_of_life(agent.pk):
                overdue.append(agent)
            else:
                is_worn = seen.uses >= worn_at(agent.pk, pool.max_uses)
                # Each lease that runs is one use at least.
                lives.append(Life(pool.max_uses - seen.uses - (seen.leases - seen.parked), is_worn))
                if is_worn and seen.state == "idle":
                    worn.append(agent)
        overdue.sort(key=lambda agent: (serving[agent.pk].state != "idle", agent.started_at))
        worn.sort(key=lambda agent: -serving[agent.pk].uses)
        left = counted(lives)
        soon, spares = wearing(left, expected), wearing(left, KEPT * expected)
        return Spent(overdue, worn, soon, spares, expected, next_turn(left, expected))

    def _expected(self, pool: Pool, agents: Iterable[Agent], figures: QueueFigures) -> float:
        clock = time.monotonic()
        uses = self._uses.get(pool.pk)
        if uses is None:
            uses = self._uses[pool.pk] = Uses(clock, figures.expected)
        uses.within = max(SPAN, LONGER * _start_time(agents))
        uses.read(figures.used, clock)
        return uses.expected(clock)

    async def retire(self, spent: Spent, overdue: int, worn: int) -> None:
        """So many of each."""
        for agent in spent.overdue[:overdue]:
            await self._leases.drain(agent.pk, EndReason.MAX_AGE)
        for agent in spent.worn[:worn]:
            await self._leases.drain(agent.pk, EndReason.MAX_USES)

    async def tell(self, pool: Pool, spent: Spent, sizes: SizePlan, figures: QueueFigures) -> None:
        """Redis nudges the controller when one agent more may be worn; a mark that comes sooner stays. The
        scaler learns how many replacements there should be."""
        mark = figures.used + spent.next_turn if sizes.ahead and spent.next_turn else 0
        if figures.used < figures.wake_at <= mark:
            mark = figures.wake_at
        if (mark, sizes.spares) != (figures.wake_at, figures.spares):
            await self._leases.wake_at(pool.pk, mark, round(spent.expected), sizes.spares)


def rests(seen: ServingAgent, max_uses: int) -> bool:
    """Whether bodies are parked on it, and nothing else is or ever will be at work there: what they wait for
    may need its place in the pool, which others have then (docs/adr/0024)."""
    worn_out = bool(seen.drain) or seen.promised >= max_uses or seen.parked >= MOST_PARKED
    return worn_out and 0 < seen.leases == seen.parked


def _start_time(agents: Iterable[Agent]) -> float:
    """The median, in seconds, of what these took from the wish until they served. By the wall clock, which
    may have been set meanwhile: within bounds."""
    took = [
        min(CREATION_TIMEOUT, max(0.0, (agent.ready_at - agent.started_at).total_seconds()))
        for agent in agents
        if agent.ready_at
    ]
    return median(took) if took else START
