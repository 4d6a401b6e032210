"""How budgets stand: by the ledger, and by what Redis knows of reserves."""

from __future__ import annotations

from collections.abc import Mapping
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
from scaling.domain.bins import bin_of
from scaling.domain.budgets import BudgetMode, BudgetState, Span, forecast, period_of, state_of
from scaling.domain.money import NANO, text
from scaling.facade.contracts import BudgetTerms
from scaling.models import Budget
from scaling.selectors import spend
from scaling.selectors.counts import counters

RECENT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Told:
    """By the treasury, when it last looked: what is reserved and free, in the currency, and how many calls
    wait."""

    reserved: float
    free: float
    waiting: int


def standing_key() -> str:
    """Of the hash budget -> what was told of it."""
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


def figures(row: Budget, now: datetime, told: Told | None, tally: spend.Tally | None = None) -> Figures:
    """`tally` is shared by budgets that are looked at together."""
    start, end = period_of(now, Span(row.period), ZoneInfo(row.timezone))
    # Lately: as long as the period is, a day at most, and before it began, too. Else a few cents in its first
    # minute would make a fortune by its end.
    lately = bin_of(now - min(RECENT, end - start))
    nanos, recent = (tally or spend.Tally()).paid(row, start, lately, end)
    rate = recent / NANO / (now - lately).total_seconds()
    expected = forecast(nanos / NANO, rate, (end - now).total_seconds())
    limit = float(row.limit)
    free = told.free if told else limit - nanos / NANO
    return Figures(
        starts_at=start,
        ends_at=end,
        spent_nanos=nanos,
        reserved=told.reserved if told else 0.0,
        forecast=expected,
        state=state_of(limit, nanos / NANO, free, expected),
        waiting=told.waiting if told else 0,
    )


def last_told() -> dict[str, Told]:
    """By budget; nothing without Redis."""
    try:
        found: Any = counters().hgetall(standing_key())
    except redis.RedisError:
        return {}
    told = {}
    for key, value in found.items():
        reserved, free, waiting = value.decode().split("|")
        told[key.decode()] = Told(float(reserved), float(free), int(waiting))
    return told


def barred_pools(budget: UUID) -> set[UUID]:
    """Those that the budget leaves no agent, as it was told last; none without Redis."""
    try:
        found: Any = counters().hgetall(f"aflow:{settings.AFLOW_INSTANCE}:budget:{budget}")
    except redis.RedisError:
        return set()
    fields = ((field.decode(), value) for field, value in found.items())
    return {UUID(field[5:]) for field, value in fields if field.startswith("most:") and value == b"0"}


def budget_shape(
    row: Budget, now: datetime, told: Mapping[str, Told], tally: spend.Tally | None = None
) -> dict[str, Any]:
    """The JSON shape of REST; money as plain decimals."""
    seen = figures(row, now, told.get(str(row.pk)), tally)
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
