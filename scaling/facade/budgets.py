"""The door to budgets, for those who spend: executors that admit calls, runs that are charged, pages."""

from __future__ import annotations

import redis.asyncio

from scaling.domain.budgets import Scope
from scaling.domain.money import as_decimal, cost, per_second, text
from scaling.models import Budget
from scaling.reserves.store import TOLD_EVERY, AsyncReserves, Refusal
from scaling.selectors.budgets import terms_of
from scaling.selectors.spend import Line, by_pool, by_workflow, of_team
from scaling.services.ledger import charge
from scaling.services.live_work import tell as tell_live_work
from scaling.services.treasury import reserves_prefix

__all__ = [
    "TOLD_EVERY",
    "AsyncReserves",
    "Line",
    "Refusal",
    "as_decimal",
    "by_pool",
    "by_workflow",
    "charge",
    "cost",
    "of_team",
    "per_second",
    "reserves",
    "tell_live_work",
    "terms_of",
    "text",
    "workflows_with_budgets",
]


def reserves(client: redis.asyncio.Redis) -> AsyncReserves:
    """By this site's settings."""
    return AsyncReserves(client, reserves_prefix())


def workflows_with_budgets() -> set[tuple[int, str]]:
    """(team, workflow) of those whose runs' work must be told while they run."""
    rows = Budget.objects.filter(scope=Scope.WORKFLOW.value)
    return set(rows.values_list("team_id", "target"))
