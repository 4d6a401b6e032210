"""The door to budgets, for those who spend: executors that admit calls, runs that are charged, pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import redis.asyncio

from scaling.domain.budgets import BudgetMode, Scope
from scaling.domain.money import per_second, text
from scaling.models import Budget
from scaling.reserves.store import TOLD_EVERY, Asker, AsyncReserves, Reserved
from scaling.selectors.budgets import all_terms, barred_pools, budget_shape, last_told, sentence_of
from scaling.selectors.spend import Line, by_pool, by_workflow, of_team, total
from scaling.services.budgets import ask_for_workflows
from scaling.services.ledger import charge
from scaling.services.resting import tell as tell_resting
from scaling.services.treasury import reserves_prefix

__all__ = [
    "TOLD_EVERY",
    "Asker",
    "AsyncReserves",
    "Line",
    "Reserved",
    "all_terms",
    "ask_for_workflows",
    "by_pool",
    "by_workflow",
    "charge",
    "holding_up",
    "of_team",
    "per_second",
    "reserves",
    "tell_resting",
    "text",
    "total",
    "workflows_with_budgets",
]


def reserves(client: redis.asyncio.Redis) -> AsyncReserves:
    """By this site's settings."""
    return AsyncReserves(client, reserves_prefix())


def holding_up(team_id: int, pool_id: UUID, pool: str, owner_id: int, workflow: str) -> list[dict[str, Any]]:
    """The enforced budgets that pay for a call of the workflow in the owner's pool, the scarcest first:
    {"id", "text", "limit", "spent", "reserved", "free", "barred", "currency", "ends_at"}. `barred`: it leaves
    the pool no agent."""
    told, now = last_told(), datetime.now(UTC)
    shapes = []
    for row in Budget.objects.filter(team_id__in={team_id, owner_id}, mode=BudgetMode.ENFORCE.value):
        mine = row.team_id == owner_id and (row.scope, row.target) in (("team", ""), ("pool", pool))
        if not mine and not (row.team_id == team_id and (row.scope, row.target) == ("workflow", workflow)):
            continue
        shape = budget_shape(row, now, told)
        free = told[str(row.pk)].free if str(row.pk) in told else 0.0
        kept = {name: shape[name] for name in ("limit", "spent", "reserved", "currency")}
        shapes.append(
            {
                "id": row.pk,
                "text": sentence_of(row),
                **kept,
                "free": round(free, 6),
                "barred": pool_id in barred_pools(row.pk),
                "ends_at": shape["ends_at"].isoformat().replace("+00:00", "Z"),
            }
        )
    return sorted(shapes, key=lambda shape: shape["free"])


def workflows_with_budgets() -> set[tuple[int, str]]:
    """(team, workflow) of those whose runs' work must be told while they run."""
    rows = Budget.objects.filter(scope=Scope.WORKFLOW.value)
    return set(rows.values_list("team_id", "target"))
