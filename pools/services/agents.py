"""Writes about agents. `move` is the one function that writes an agent's state.

Does not: talk to Redis or a runtime; callers do that between these short transactions.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from pools.domain.agents import LIVE, AgentState, EndReason, Transition, propose
from pools.models import Agent, EndedAgents, Pool
from pools.services.epochs import leads


class NotLeading(Exception):
    """Another controller leads: whatever this one decided is void."""


def request(
    pool_id: UUID,
    count: int,
    *,
    instance: str,
    leader: str,
    epoch: int,
    now: datetime,
    resting: int = 0,
    kinds: Sequence[str] = (),
) -> list[Agent]:
    """Writes the intent to make up to `count` agents, never more than `max_size` allows beside the `resting`.
    `kinds`: the capacity type of each; left out, the pool's.

    Raises `NotLeading`.
    """
    with transaction.atomic():
        if not leads(instance, leader):
            raise NotLeading
        pool = Pool.objects.select_for_update().filter(pk=pool_id, deleted_at__isnull=True).first()
        if pool is None:
            return []
        live = Agent.objects.filter(pool_id=pool_id).exclude(state=AgentState.GONE.value).count()
        rows = [
            Agent(
                pool=pool,
                team_id=pool.team_id,
                pool_name=pool.name,
                image=pool.image,
                template=pool.template,
                nonce=secrets.token_hex(8),
                epoch=epoch,
                started_at=now,
                capacity_type=kinds[number] if kinds else "",
            )
            for number in range(min(count, max(0, pool.max_size + resting - live)))
        ]
        return Agent.objects.bulk_create(rows)


def move(
    agent_id: UUID, wanted: AgentState, *, now: datetime, reason: EndReason | None = None, **fields: Any
) -> Transition:
    """Proposes a state; accepted, it is written together with `fields`. The first end reason stays."""
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=agent_id)
        answer = propose(AgentState(agent.state), wanted)
        if not answer.accepted:
            return answer
        ends = wanted is AgentState.GONE and agent.ended_at is None
        agent.state = wanted.value
        if reason is not None and agent.end_reason is None:
            agent.end_reason = reason.value
        if ends:
            agent.ended_at = now
        for name, value in fields.items():
            setattr(agent, name, value)
        agent.save(update_fields={"state", "end_reason", "ended_at", *fields})
        if ends:
            _count_end(agent, now)
        return answer


def _count_end(agent: Agent, now: datetime) -> None:
    """Into the totals, which only rise."""
    total, _ = EndedAgents.objects.get_or_create(
        team_id=agent.team_id, pool_name=agent.pool_name, reason=agent.end_reason or EndReason.ERRORS.value
    )
    lived = max(0.0, (now - agent.started_at).total_seconds())
    EndedAgents.objects.filter(pk=total.pk).update(number=F("number") + 1, seconds=F("seconds") + lived)


def flush_uses(figures: Iterable[tuple[UUID, int, datetime | None]]) -> None:
    """`(agent, uses, last_used)` as Redis counted them; a count never falls."""
    with transaction.atomic():
        for agent_id, uses, last_used in figures:
            changes: dict[str, Any] = {"uses": Greatest(F("uses"), uses)}
            if last_used is not None:
                changes["last_used"] = last_used
            Agent.objects.filter(pk=agent_id).update(**changes)


def live_agents() -> list[Agent]:
    return list(Agent.objects.filter(state__in=[state.value for state in LIVE]))


def prune(before: datetime) -> int:
    """Forgets agents that ended before a moment."""
    removed, _ = Agent.objects.filter(state=AgentState.GONE.value, ended_at__lt=before).delete()
    return removed
