"""Budgets: how long one lasts, what may still be admitted under it, and when people are told.

A budget of a period is never overrun: what is spent is metered; every call that runs has reserved what it can
cost at most until its time-out (the reserve shrinks as that is spent); every agent that lives is counted with
what it costs until it could be gone; and only what fits into the rest is admitted. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Scope(StrEnum):
    """What a budget pays for: all agents of a team, those of a pool, or what a workflow uses."""

    TEAM = "team"
    POOL = "pool"
    WORKFLOW = "workflow"


class Span(StrEnum):
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class BudgetMode(StrEnum):
    AUDIT = "audit"  # counts and tells, and holds nothing up
    ENFORCE = "enforce"


class BudgetState(StrEnum):
    OK = "ok"
    WARNING = "warning"  # half of it is spent, or it will not last
    EXHAUSTED = "exhausted"  # spent, or what is left is reserved: nothing new starts


# Seconds that an agent which is to go still costs: until it is noticed, told, and gone.
HOLD = 20.0
# Seconds that a new agent must be able to serve, to be worth its start.
USEFUL = 60.0
# Seconds that work may wait for a budget before idle agents, which cannot serve it, are taken for it.
PATIENCE = 10.0
THRESHOLDS = (50, 80, 100)  # per cent, at which people are told
FORECAST = "forecast"


def period_of(at: datetime, span: Span, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Beginning and end of the period that `at` lies in, by the calendar and clock of the zone, as UTC."""
    local = at.astimezone(zone)
    if span is Span.HOUR:
        begun = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        start = at.astimezone(UTC) - begun
        return start, start + timedelta(hours=1)
    first = datetime(local.year, local.month, local.day if span is Span.DAY else 1, tzinfo=zone)
    if span is Span.DAY:
        after = datetime.combine(first.date() + timedelta(days=1), first.timetz())
    else:
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return first.astimezone(UTC), after.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Reserve:
    """What a call may cost until its time-out: `rate` a second until `until`."""

    until: float
    rate: float

    def at(self, now: float) -> float:
        return max(0.0, self.until - now) * self.rate


@dataclass(frozen=True, slots=True)
class Till:
    """What a budget had to pay up to `at`. Money in the currency, times in seconds, rates by the second:
    `rate` of all agents that live or may be made now, `committed` what they cost until they could be gone."""

    limit: float
    spent: float
    at: float
    rate: float
    committed: float

    def free(self, reserves: Iterable[Reserve], now: float) -> float:
        """What may still be reserved. Between two meterings every agent is taken to be alive still."""
        spent = self.spent + max(0.0, now - self.at) * self.rate
        return self.limit - spent - sum(reserve.at(now) for reserve in reserves) - self.committed


@dataclass(frozen=True, slots=True)
class HeldUp:
    """Work that waits for a budget: for how many seconds, and what its first call may cost."""

    seconds: float = 0.0
    cost: float = 0.0


NOBODY = HeldUp()


def affordable(
    free: float, *, live: int, leased: int, rate: float, start_time: float, held_up: HeldUp
) -> int:
    """How many agents a pool may have of those that serve or will: `live` do, `leased` of them are at work.
    `rate`: of one, by the second. Agents at work are never counted out: their calls have reserved what they
    cost. All others go when nothing is free. While work waits for the money that they cost, one stays if
    there is enough for it and for that work."""
    if rate <= 0:
        return 10**6
    if held_up.seconds >= PATIENCE:
        spare = free + (live - leased) * rate * HOLD - held_up.cost
        return leased + (spare >= rate * (HOLD + start_time))
    if free < 0:
        return leased
    return live + math.floor(free / (rate * (HOLD + start_time + USEFUL)))


def committed(live: int, leaving: int, allowed: int, *, rate: float, start_time: float) -> float:
    """What a pool's agents cost until they could be gone: those that serve or leave, and those up to
    `allowed` that may be made before anybody looks again."""
    return rate * ((live + leaving) * HOLD + max(0, allowed - live) * (HOLD + start_time))


def fair_shares(total: float, wants: dict[str, tuple[float, float]]) -> dict[str, float]:
    """`wants`: name -> (amount, weight). Max-min fair by weight ("water filling": Bertsekas and Gallager,
    Data Networks, 6.5.2): nobody gets more than it wants, and what one leaves goes to the others."""
    shares = dict.fromkeys(wants, 0.0)
    hungry = {name for name, (amount, weight) in wants.items() if amount > 0 and weight > 0}
    left = max(0.0, total)
    while hungry and left > 1e-12:
        unit = left / sum(wants[name][1] for name in hungry)
        sated = {name for name in hungry if wants[name][0] - shares[name] <= unit * wants[name][1] + 1e-12}
        if not sated:
            for name in hungry:
                shares[name] += unit * wants[name][1]
            break
        for name in sated:
            left -= wants[name][0] - shares[name]
            shares[name] = wants[name][0]
        hungry -= sated
    return shares


def forecast(spent: float, recent: float, left: float) -> float:
    """At the period's end, if it goes on as lately: `recent` by the second, `left` seconds to go."""
    return spent + max(0.0, recent) * max(0.0, left)


def crossed(spent: float, expected: float, limit: float) -> tuple[str, ...]:
    """What people are to be told: thresholds in per cent, and `forecast` when it will not last."""
    passed = tuple(str(share) for share in THRESHOLDS if spent * 100 >= limit * share)
    return (*passed, FORECAST) if expected > limit > spent else passed


def state_of(limit: float, spent: float, free: float, expected: float) -> BudgetState:
    if spent >= limit or free <= 0:
        return BudgetState.EXHAUSTED
    return BudgetState.WARNING if crossed(spent, expected, limit) else BudgetState.OK
