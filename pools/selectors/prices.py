"""What an agent-hour costs: the one place where that is looked up.

The pool's own price; where it has none, the agent's part of its node's price, which is the larger of its
shares of the node's processors and memory; where neither is known, the installation's `AFLOW_AGENT_PRICE`.
In the installation's currency.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from pools.domain.agents import LIVE
from pools.facade.contracts import Lived
from pools.models import Agent, Node, Pool

EXACT = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Prices:
    nodes: dict[str, Node]  # those with a price, by name
    default: Decimal

    @classmethod
    def now(cls) -> Prices:
        priced = Node.objects.filter(price__isnull=False)
        return cls({node.name: node for node in priced}, settings.AFLOW_AGENT_PRICE)

    def of_agent(self, pool: Pool, node: str) -> Decimal:
        if pool.price is not None:
            return pool.price
        found = self.nodes.get(node)
        return self.default if found is None else _part(pool, found)

    def of_pool(self, pool: Pool, nodes: Iterable[str]) -> Decimal:
        """The mean over its agents, which run on these nodes; without any, over all nodes with a price."""
        if pool.price is not None:
            return pool.price
        each = [self.of_agent(pool, node) for node in nodes] or [_part(pool, n) for n in self.nodes.values()]
        return (sum(each, Decimal(0)) / len(each)).quantize(EXACT) if each else self.default


def _part(pool: Pool, node: Node) -> Decimal:
    price = node.price or Decimal(0)
    cores = pool.cpu / node.cpus if node.cpus > 0 else 0.0
    memory = pool.memory / node.memory if node.memory > 0 else 0.0
    share = min(1.0, max(cores, memory))
    return (price * Decimal(str(round(share, 9)))).quantize(EXACT)


def lived(since: datetime, until: datetime) -> list[Lived]:
    """Every agent that was there at some time after `since`, and what an hour of it costs."""
    live = Q(state__in=[state.value for state in LIVE])
    rows = Agent.objects.filter(live | Q(ended_at__gt=since), started_at__lt=until).select_related("pool")
    prices = Prices.now()
    return [
        Lived(
            agent_id=agent.pk,
            pool_id=agent.pool_id,
            pool=agent.pool_name,
            team_id=agent.team_id,
            workflow=agent.pool.workflow if agent.pool else None,
            since=max(since, agent.started_at),
            until=min(until, agent.ended_at or until),
            rate=prices.of_agent(agent.pool, agent.node) if agent.pool else None,
        )
        for agent in rows
    ]


def rate_of(pool: Pool) -> Decimal:
    """Of an agent-hour in the pool, as `rates` says it; with a price of its own nothing is read."""
    if pool.price is not None:
        return pool.price
    prices = Prices.now()
    live = Agent.objects.filter(pool=pool, state__in=[state.value for state in LIVE])
    return prices.of_pool(pool, live.values_list("node", flat=True) if prices.nodes else ())


def rates(pools: Iterable[Pool], nodes: dict[UUID, list[str]]) -> dict[UUID, Decimal]:
    """Of an agent-hour in each pool; `nodes`: where its agents run."""
    rows = list(pools)
    prices = Prices.now() if any(pool.price is None for pool in rows) else Prices({}, Decimal(0))
    return {pool.pk: prices.of_pool(pool, nodes.get(pool.pk, ())) for pool in rows}
