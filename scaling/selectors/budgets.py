"""How budgets stand: by the ledger, and by what Redis knows of reserves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import redis
from django.conf import settings
from django.db.models import QuerySet

from aflow_site.kernel.errors import NotFound
from scaling.domain.budgets import BudgetMode, BudgetState, Span, forecast, period_of, state_of
from scaling.domain.money import NANO, text
from scaling.facade.contracts import BudgetTerms
from scaling.models import Budget
from scaling.models.budgets import BIN
from scaling.reserves.store import Standing
from scaling.selectors import spend
from scaling.selectors.counts import counters

RECENT = timedelta(hours=24)


def standing_key() -> str:
    """Of the hash budget -> reserved|free|waiting|live work, as the ledger last saw them."""
    return f"aflow:{settings.AFLOW_INSTANCE}:budgets"


@dataclass(frozen=True, slots=True)
class Figures:
    """Money in the currency, as floats, except for `spent_nanos`."""

    starts_at: datetime
    ends_at: datetime
    spent_nanos: int
    reserved: float
    forecast: float
    state: BudgetState
    waiting: int

    @property
    def spent(self) -> float:
        return self.spent_nanos / NANO


def budgets_of(team_id: int) -> QuerySet[Budget]:
    return Budget.objects.filter(team_id=team_id)


def get_budget(team_id: int, budget_id: UUID) -> Budget:
    found = budgets_of(team_id).filter(pk=budget_id).first()
    if found is None:
        raise NotFound("There is no such budget.")
    return found


def all_terms() -> dict[int, tuple[BudgetTerms, ...]]:
    """Of every budget, by team."""
    found: dict[int, tuple[BudgetTerms, ...]] = {}
    for row in Budget.objects.all():
        enforced = row.mode == BudgetMode.ENFORCE
        terms = BudgetTerms(row.pk, row.team_id, row.scope, row.target, enforced)
        found[row.team_id] = (*found.get(row.team_id, ()), terms)
    return found


def sentence_of(row: Budget) -> str:
    whom = "the team" if not row.target else f"{row.scope} {row.target}"
    period = "an hour" if row.period == Span.HOUR else f"a {row.period}"
    return f"{plain(row.limit)} {row.currency} {period} for {whom}"


def plain(amount: Decimal) -> str:
    whole = amount == amount.to_integral_value()
    return format(amount.quantize(Decimal(1)) if whole else amount.normalize(), "f")


def figures(row: Budget, now: datetime, *, standing: Standing | None = None, live_nanos: int = 0) -> Figures:
    """`standing`: of Redis; `live_nanos`: work of runs that have not ended, of a workflow's budget."""
    start, end = period_of(now, Span(row.period), ZoneInfo(row.timezone))
    nanos = spend.spent(row, start, end) + live_nanos
    lately = max(start, now - RECENT)
    recent = spend.spent(row, lately - (lately - start) % BIN, end) if lately > start else nanos
    seconds = max(60.0, (now - lately).total_seconds())
    expected = forecast(nanos / NANO, recent / NANO / seconds, (end - now).total_seconds())
    limit = float(row.limit)
    free = standing.free if standing else limit - nanos / NANO
    return Figures(
        starts_at=start,
        ends_at=end,
        spent_nanos=nanos,
        reserved=standing.reserved if standing else 0.0,
        forecast=expected,
        state=state_of(limit, nanos / NANO, free, expected),
        waiting=standing.waiting if standing else 0,
    )


def last_standings() -> dict[str, tuple[Standing, int]]:
    """As the ledger told them, with the work of live runs; nothing without Redis."""
    try:
        found: Any = counters().hgetall(standing_key())
    except redis.RedisError:
        return {}
    told = {}
    for key, value in found.items():
        reserved, free, waiting, live = value.decode().split("|")
        told[key.decode()] = (Standing(float(reserved), float(free), int(waiting)), int(live))
    return told


def barred_pools(budget: UUID) -> set[UUID]:
    """Those that the budget leaves no agent, as it was told last; none without Redis."""
    try:
        found: Any = counters().hgetall(f"aflow:{settings.AFLOW_INSTANCE}:budget:{budget}")
    except redis.RedisError:
        return set()
    fields = ((field.decode(), value) for field, value in found.items())
    return {UUID(field[5:]) for field, value in fields if field.startswith("most:") and value == b"0"}


def budget_shape(row: Budget, now: datetime, told: dict[str, tuple[Standing, int]]) -> dict[str, Any]:
    """The JSON shape of REST; money as plain decimals."""
    standing, live = told.get(str(row.pk), (None, 0))
    seen = figures(row, now, standing=standing, live_nanos=live)
    return {
        "id": row.pk,
        "scope": row.scope,
        "target": row.target or None,
        "period": row.period,
        "timezone": row.timezone,
        "currency": row.currency,
        "limit": plain(row.limit),
        "spent": text(seen.spent_nanos),
        "reserved": text(round(seen.reserved * NANO)),
        "forecast": text(round(seen.forecast * 10**6) * 1000),
        "mode": row.mode,
        "state": seen.state.value,
        "waiting": seen.waiting,
        "starts_at": seen.starts_at,
        "ends_at": seen.ends_at,
        "alerts": [
            {"threshold": alert.threshold, "at": alert.at}
            for alert in row.alerts.all()
            if alert.starts_at == seen.starts_at
        ],
        "updated_at": row.updated_at,
    }
