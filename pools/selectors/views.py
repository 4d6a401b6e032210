"""Pools and agents as seen from outside, out of rows and what Redis says of them: pure composition.

The same functions feed the REST answers, the live stream and the metrics, so that these cannot disagree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pools.domain.agents import AgentState, PublicState, seen_from_outside
from pools.domain.quantiles import nearest_rank
from pools.domain.settings import preset_of
from pools.facade.contracts import AgentView, PoolLoad, PoolView
from pools.leases.scripts import QueueFigures, ServingAgent
from pools.models import Agent, Pool

COUNTED = tuple(state.value for state in PublicState if state is not PublicState.TERMINATED)


def public_state(agent: Agent, serving: ServingAgent | None) -> PublicState:
    state, drain = (serving.state, serving.drain) if serving else (None, "")
    return seen_from_outside(AgentState(agent.state), state, agent.end_reason or drain)


def agent_view(agent: Agent, serving: ServingAgent | None) -> AgentView:
    state = public_state(agent, serving)
    uses, last_used = agent.uses, agent.last_used
    if serving is not None and serving.uses >= uses:
        uses = serving.uses
        if serving.last_used_ms:
            last_used = datetime.fromtimestamp(serving.last_used_ms / 1000, UTC)
    health = {PublicState.UNHEALTHY: "failing", PublicState.IDLE: "ok", PublicState.ACTIVE: "ok"}
    return AgentView(
        id=agent.pk,
        pool=agent.pool_name,
        pool_id=agent.pool_id,
        team_id=agent.team_id,
        state=state.value,
        health=health.get(state, "unknown"),
        uses=uses,
        last_used=last_used,
        container=agent.container,
        node=agent.node,
        started_at=agent.started_at,
        ended_at=agent.ended_at,
        # Of one on its way out, why it leaves.
        end_reason=agent.end_reason or (serving.drain if serving else "") or None,
    )


def _states(agents: Iterable[Agent], serving: Mapping[UUID, ServingAgent]) -> dict[str, int]:
    counts = Counter(public_state(agent, serving.get(agent.pk)).value for agent in agents)
    return {name: counts.get(name, 0) for name in COUNTED}


def pool_view(
    pool: Pool,
    agents: Iterable[Agent],
    serving: Mapping[UUID, ServingAgent],
    figures: QueueFigures,
    waits_ms: Sequence[int] = (),
    shares: Mapping[str, float] | None = None,
    *,
    rate: Decimal,
) -> PoolView:
    """`agents` are the pool's live ones; the sum of `states` is their number."""
    states = _states(agents, serving)
    ready = states["idle"] + states["active"]
    return PoolView(
        id=pool.pk,
        team_id=pool.team_id,
        team=pool.team.slug,
        name=pool.name,
        image=pool.image,
        min_size=pool.min_size,
        max_size=pool.max_size,
        warm_up=pool.warm_up,
        max_uses=pool.max_uses,
        idle_timeout=pool.idle_timeout,
        states=states,
        utilization=round(states["active"] / ready, 4) if ready else 0.0,
        waiting=figures.waiting,
        waiting_since=_waiting_since(figures),
        wait_estimate=wait_estimate(figures, ready * pool.concurrency),
        standby=max(0, min(figures.spares, states["starting"] + ready - pool.target_size)),
        leases=figures.leases,
        target_size=pool.target_size,
        wait_p50_ms=nearest_rank(waits_ms, 0.5),
        wait_p99_ms=nearest_rank(waits_ms, 0.99),
        problem=pool.problem,
        problem_kind=pool.problem_kind,
        workflow=pool.workflow,
        settings=pool.settings,
        preset=preset_of(pool.settings),
        price=None if pool.price is None else float(pool.price),
        rate=rate,
        drained=pool.drained_at is not None,
        weight=pool.weight,
        shares=dict(shares or {}),
    )


def _waiting_since(figures: QueueFigures) -> datetime | None:
    """Since when the first in the queue waits, to the second."""
    if not figures.waiting:
        return None
    return (datetime.now(UTC) - timedelta(milliseconds=figures.oldest_ms)).replace(microsecond=0)


def wait_estimate(figures: QueueFigures, slots: int) -> float | None:
    """Seconds that whoever asks now will wait, by what leases took so far and the `slots` that serve; 0 while
    one is free, None when nothing is known."""
    if not figures.waiting and figures.idle:
        return 0.0
    if not figures.ended:
        return None
    mean = figures.held_ms / figures.ended / 1000
    return round((figures.waiting + 1) * mean / max(1, slots), 1)


def pool_load(
    pool: Pool,
    agents: Iterable[Agent],
    serving: Mapping[UUID, ServingAgent],
    figures: QueueFigures,
    users: Iterable[str],
    rate: Decimal,
) -> PoolLoad:
    """`agents` are the pool's live ones, `users` the workflows that count on it."""
    states = _states(agents, serving)
    return PoolLoad(
        pool_id=pool.pk,
        team_id=pool.team_id,
        name=pool.name,
        workflow=pool.workflow,
        min_size=pool.min_size,
        max_size=pool.max_size,
        warm_up=pool.warm_up,
        idle_timeout=pool.idle_timeout,
        concurrency=pool.concurrency,
        starting=states["starting"],
        idle=states["idle"],
        active=states["active"],
        leaving=states["draining"] + states["unhealthy"],
        leases=figures.leases,
        waiting=figures.waiting,
        oldest_wait=figures.oldest_ms / 1000,
        asked=figures.asked,
        ended=figures.ended,
        held_seconds=figures.held_ms / 1000,
        target_size=pool.target_size,
        drained=pool.drained_at is not None,
        price=None if pool.price is None else float(pool.price),
        rate=rate,
        problem=pool.problem,
        used_by=tuple(sorted({*users, *([pool.workflow] if pool.workflow else [])})),
        known=figures.version >= 0,
        spares=figures.spares,
    )


def pool_payload(view: PoolView, reader: int) -> dict[str, Any]:
    """The JSON shape of REST and of the live stream, for a member of the team `reader`. Another team's pool
    keeps its environment, secrets' names and other guests to itself."""
    own = view.team_id == reader
    return {
        "id": str(view.id),
        "team": view.team,
        "name": view.name,
        "image": view.image,
        **view.settings,
        **({} if own else {"env": {}, "secrets": []}),
        "preset": view.preset,
        "price": view.price,
        "rate": float(view.rate),
        "drained": view.drained,
        "weight": view.weight,
        "shares": [{"team": team, "weight": weight} for team, weight in view.shares.items() if own],
        "states": dict(view.states),
        "utilization": view.utilization,
        "waiting": view.waiting,
        "waiting_since": _text(view.waiting_since),
        "wait_estimate": view.wait_estimate,
        "leases": view.leases,
        "target_size": view.target_size,
        "standby": view.standby,
        "wait_p50_ms": view.wait_p50_ms,
        "wait_p99_ms": view.wait_p99_ms,
        "problem": view.problem,
        "problem_kind": view.problem_kind,
        "workflow": view.workflow,
    }


def agent_payload(view: AgentView) -> dict[str, Any]:
    return {
        "id": str(view.id),
        "kind": "pooled",
        "pool": view.pool,
        "state": view.state,
        "health": view.health,
        "uses": view.uses,
        "last_used": _text(view.last_used),
        "container": view.container,
        "node": view.node,
        "started_at": _text(view.started_at),
        "ended_at": _text(view.ended_at),
        "end_reason": view.end_reason,
    }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
