"""Reads about pools and agents: rows of the database, with what Redis says of them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import cast
from uuid import UUID

import redis
from django.db.models import Case, Q, QuerySet, When

from pools.domain.agents import LIVE, AgentState
from pools.domain.quantiles import nearest_rank
from pools.facade.contracts import AgentView, PoolLoad, PoolView
from pools.leases.scripts import QueueFigures, ServingAgent
from pools.leases.store import Leases
from pools.models import Agent, Pool, PoolShare, PoolUse
from pools.selectors.prices import rates
from pools.selectors.views import agent_view, pool_load, pool_view

log = logging.getLogger(__name__)
LIVE_VALUES = [state.value for state in LIVE]


def _figures(leases: Leases, pool_ids: Sequence[UUID]) -> dict[UUID, QueueFigures]:
    try:
        return leases.figures(pool_ids)
    except redis.RedisError as exc:
        log.warning("pools shown without Redis: %s", exc)
        return {}


def _serving(leases: Leases, pool_ids: Sequence[UUID]) -> dict[UUID, ServingAgent]:
    try:
        return leases.agents(pool_ids)
    except redis.RedisError:
        return {}


def _waits(leases: Leases, pool_ids: Sequence[UUID]) -> dict[UUID, list[int]]:
    try:
        return leases.waits_ms(pool_ids)
    except redis.RedisError:
        return {}


def views(pools: Iterable[Pool], leases: Leases) -> list[PoolView]:
    rows = list(pools)
    ids = [pool.pk for pool in rows]
    shares: dict[UUID, dict[str, float]] = defaultdict(dict)
    for share in PoolShare.objects.filter(pool_id__in=ids).select_related("team").order_by("team__slug"):
        shares[share.pool_id][share.team.slug] = share.weight
    agents = _live_agents(ids)
    serving, figures, waits = _serving(leases, ids), _figures(leases, ids), _waits(leases, ids)
    costs = rates(rows, _nodes(agents))
    return [
        pool_view(
            pool,
            agents[pool.pk],
            serving,
            figures.get(pool.pk, QueueFigures()),
            waits.get(pool.pk, ()),
            shares[pool.pk],
            rate=costs[pool.pk],
        )
        for pool in rows
    ]


def _live_agents(pool_ids: Sequence[UUID]) -> Mapping[UUID, list[Agent]]:
    found: dict[UUID, list[Agent]] = defaultdict(list)
    for agent in Agent.objects.filter(pool_id__in=pool_ids, state__in=LIVE_VALUES):
        found[cast(UUID, agent.pool_id)].append(agent)
    return found


def _nodes(agents: Mapping[UUID, list[Agent]]) -> dict[UUID, list[str]]:
    return {pool_id: [agent.node for agent in found] for pool_id, found in agents.items()}


def of_team(team_id: int) -> QuerySet[Pool]:
    return Pool.objects.filter(team_id=team_id, deleted_at__isnull=True).select_related("team")


def usable_by(team_id: int) -> QuerySet[Pool]:
    """The team's own pools, and those that others share with it; its own come first where names are equal."""
    mine = Q(team_id=team_id) | Q(shares__team_id=team_id)
    rows = Pool.objects.filter(mine, deleted_at__isnull=True).select_related("team").distinct()
    return rows.order_by("name", Case(When(team_id=team_id, then=0), default=1))


def agents_of_team(
    team_id: int, pool: str | None = None, *, include_terminated: bool = False
) -> QuerySet[Agent]:
    rows = Agent.objects.filter(team_id=team_id)
    if pool is not None:
        rows = rows.filter(pool_name=pool)
    if not include_terminated:
        rows = rows.filter(state__in=LIVE_VALUES)
    return rows


def agent_views(agents: Iterable[Agent], leases: Leases) -> list[AgentView]:
    rows = list(agents)
    pool_ids = {
        agent.pool_id for agent in rows if agent.pool_id and AgentState(agent.state) is not AgentState.GONE
    }
    serving = _serving(leases, list(pool_ids))
    return [agent_view(agent, serving.get(agent.pk)) for agent in rows]


def loads(leases: Leases) -> list[PoolLoad]:
    """Of every pool: the signals for sizing. Raises `redis.RedisError`: without Redis nothing can be said."""
    rows = list(Pool.objects.filter(deleted_at__isnull=True))
    ids = [pool.pk for pool in rows]
    figures, serving = leases.figures(ids), leases.agents(ids)
    agents = _live_agents(ids)
    users: dict[tuple[int, str], list[str]] = defaultdict(list)
    for team_id, name, workflow in PoolUse.objects.values_list("team_id", "pool", "workflow"):
        users[team_id, name].append(workflow)
    costs = rates(rows, _nodes(agents))
    return [
        pool_load(
            pool,
            agents[pool.pk],
            serving,
            figures[pool.pk],
            users[pool.team_id, pool.name],
            costs[pool.pk],
        )
        for pool in rows
    ]


RECENT_STARTS = 50


def start_times(pool_ids: Iterable[UUID]) -> dict[UUID, float]:
    """The 95th percentile, in seconds, of what the last fifty agents took from the wish until they served."""
    found = {}
    for pool_id in pool_ids:
        rows = Agent.objects.filter(pool_id=pool_id, ready_at__isnull=False).order_by("-started_at")
        pairs = rows.values_list("started_at", "ready_at")[:RECENT_STARTS]
        seconds = [(ready - start).total_seconds() for start, ready in pairs if ready is not None]
        if (slow := nearest_rank(seconds, 0.95)) is not None:
            found[pool_id] = slow
    return found
