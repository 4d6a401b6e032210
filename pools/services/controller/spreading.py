"""Over which kinds of nodes a pool's agents are spread, and what room they need altogether.

Does not: decide how many there are (`sizes` does), or choose nodes (the engine does).
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from uuid import UUID

from pools.domain.nodes import CapacityType
from pools.domain.placement import Place
from pools.domain.room import Demand, demand_of
from pools.domain.settings import Capacity
from pools.domain.spot import Mix, base_of, kinds_for
from pools.facade.contracts import Steering
from pools.models import Agent, Pool
from pools.services.controller.creation import Creator
from pools.services.controller.nodes import Nodes

WINDOW = 3600.0  # seconds of sizes that tell what is usual
ENOUGH = 600.0  # fewer tell nothing
EVERY = 10.0


class Spreading:
    """`demands` is what each pool's agents need."""

    def __init__(self, nodes: Nodes, creator: Creator) -> None:
        self._nodes = nodes
        self._creator = creator
        self._sizes: dict[UUID, deque[tuple[float, int]]] = {}
        self.demands: dict[UUID, list[Demand]] = {}

    def forget_others(self, pool_ids: Iterable[UUID]) -> None:
        kept = set(pool_ids)
        self._sizes = {pk: sizes for pk, sizes in self._sizes.items() if pk in kept}
        self.demands = {pk: demands for pk, demands in self.demands.items() if pk in kept}

    def must_be(self, pool: Pool, steering: Steering | None, agents: Iterable[Agent]) -> Place:
        """The place that a new agent would have to have."""
        strict = _prefers(pool, steering) and steering is not None and not steering.spot_fallback
        if strict and self._others(agents) >= self._base(pool):
            return Place(CapacityType.SPOT.value, pool.zone)
        return pool.place

    def divide(
        self, pool: Pool, steering: Steering | None, agents: Sequence[Agent], count: int, target: int
    ) -> list[str]:
        """The capacity type of each of `count` new agents (empty: the pool's); fewer where some must wait.
        `target` is the pool's size, of which what is usual is told later on."""
        kinds = [""] * count
        if _prefers(pool, steering) and steering is not None:
            mix = Mix(
                base=self._base(pool),
                others=self._others(agents),
                spot_open=self._is_open(pool, CapacityType.SPOT),
                on_demand_open=self._is_open(pool, CapacityType.ON_DEMAND),
                fallback=steering.spot_fallback,
            )
            kinds = kinds_for(count, mix)
        self._note_size(pool, target)
        self._note_demand(pool, agents, kinds, count - len(kinds))
        return kinds

    def _note_size(self, pool: Pool, target: int) -> None:
        now = time.monotonic()
        sizes = self._sizes.setdefault(pool.pk, deque())
        if not sizes or now - sizes[-1][0] >= EVERY:
            sizes.append((now, target))
        while sizes[0][0] < now - WINDOW:
            sizes.popleft()

    def _is_open(self, pool: Pool, kind: CapacityType) -> bool:
        """There is such a node, and the engine did not refuse to place an agent there just now."""
        place = Place(kind.value, pool.zone)
        recipe = pool.recipe_of(pool.image, place)
        return self._nodes.refusal(place) is None and self._creator.breaker(recipe).failures == 0

    def _base(self, pool: Pool) -> int:
        sizes = self._sizes.get(pool.pk)
        if not sizes or sizes[-1][0] - sizes[0][0] < ENOUGH:
            return pool.min_size
        return base_of(pool.min_size, [size for _, size in sizes])

    def _others(self, agents: Iterable[Agent]) -> int:
        return sum(
            agent.capacity_type != CapacityType.SPOT
            for agent in agents
            if agent.node not in self._nodes.draining and not agent.end_reason
        )

    def _note_demand(self, pool: Pool, agents: Iterable[Agent], kinds: Iterable[str], waiting: int) -> None:
        """`kinds`: of those that are made now; `waiting`: those that wait for spot nodes."""
        staying = [agent.capacity_type for agent in agents if agent.node not in self._nodes.draining]
        wanted = Counter([*staying, *kinds])
        wanted[CapacityType.SPOT.value] += waiting
        self.demands[pool.pk] = [
            demand_of(Place(kind or pool.place.capacity_type, pool.zone), pool.cpu, pool.memory, count)
            for kind, count in wanted.items()
            if count
        ]


def _prefers(pool: Pool, steering: Steering | None) -> bool:
    return steering is not None and steering.prefer_spot and pool.capacity_type == Capacity.ANY
