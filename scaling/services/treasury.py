"""The loop that keeps budgets: meters agents, tells Redis how each budget stands, says how many agents each
pool may have, and tells people when a threshold is passed.

Runs beside the pools' controller and under its lead, as the scaler does, which asks it. Does not: admit calls
(executors do, by what Redis was told), or end agents (sizes do, by the ceiling).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import redis
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.db import IntegrityError, transaction

from pools.facade import api as pools
from pools.facade.contracts import PoolLoad
from scaling.domain.budgets import (
    FORECAST,
    HOLD,
    PATIENCE,
    USEFUL,
    BudgetMode,
    HeldUp,
    Scope,
    Till,
    affordable,
    committed,
    crossed,
    fair_shares,
)
from scaling.domain.money import per_second, text
from scaling.models import Budget, BudgetAlert
from scaling.reserves.store import Reserves
from scaling.selectors.budgets import Figures, Told, figures, plain, sentence_of, standing_key
from scaling.selectors.counts import counters
from scaling.selectors.spend import Tally
from scaling.services import resting
from scaling.services.ledger import Metering, forget
from teams.facade import alerts
from teams.facade.alerts import AlertKind

log = logging.getLogger(__name__)

EVERY = 2.0  # seconds
METER_EVERY = 10.0  # where nobody has a budget
FORGET_EVERY = 3600.0
KINDS_OF_ALERTS = 4
ASSUMED_START = 5.0  # seconds


def reserves_prefix() -> str:
    return f"aflow:{settings.AFLOW_INSTANCE}"


class Treasury:
    """`ceilings`: the most agents that each pool may have, of those that an enforced budget pays for."""

    def __init__(self) -> None:
        self.ceilings: dict[UUID, int] = {}
        self._looked = False
        self._metering = Metering()
        self._reserves = Reserves(counters(), reserves_prefix())
        self._known: set[str] = set()
        self._metered: datetime | None = None
        self._forgot: datetime | None = None
        self._periods: dict[UUID, datetime] = {}

    async def ready(self) -> None:
        """It has looked once, and so knows its ceilings. Raises what a look does."""
        if not self._looked:
            await self._look_now()

    async def _look_now(self) -> None:
        await database_sync_to_async(self.look)(datetime.now(UTC), time.monotonic())

    async def run(self) -> None:
        while True:
            try:
                await self._look_now()
            except (redis.RedisError, ConnectionError, DatabaseTrouble) as exc:
                log.warning("budgets are not looked at: %s", exc)
            await asyncio.sleep(EVERY)

    def look(self, now: datetime, at: float) -> None:
        """Once; `at` in monotonic seconds. Raises `redis.RedisError`, ConnectionError, database errors."""
        budgets = list(Budget.objects.all())
        if budgets or self._metered is None or (now - self._metered).total_seconds() >= METER_EVERY:
            self._metering.meter(now)
            self._metered = now
        loads = pools.load() if budgets else []
        told: dict[str, Told] = {}
        ceilings: dict[UUID, int] = {}
        tally = Tally()
        for row in budgets:
            paid = [load for load in loads if pays_for(row, load)]
            seen = figures(row, now, None, tally)
            told[str(row.pk)], most = self._keep(row, paid, seen.spent, at)
            self._alert(row, seen, now)
            for pool_id, number in most.items():
                ceilings[pool_id] = min(number, ceilings.get(pool_id, number))
        self.ceilings = ceilings
        self._tell(told)
        self._looked = True
        if self._forgot is None or (now - self._forgot).total_seconds() >= FORGET_EVERY:
            self._forgot = now
            forget(now)

    def _keep(
        self, row: Budget, paid: Sequence[PoolLoad], spent: float, at: float
    ) -> tuple[Told, dict[UUID, int]]:
        """How it stands, and how many agents each pool may have under it, if it is enforced."""
        enforced = row.mode == BudgetMode.ENFORCE
        limit = float(row.limit)
        standing = self._reserves.standing(row.pk)
        rests = resting.rests(row.pk, at)
        held_up = max(standing.held_up, rests, key=lambda one: one.seconds)
        till = till_of(limit, spent, paid, {})
        free = till.limit - till.spent - standing.reserved - till.committed
        most = most_agents(paid, free, held_up) if enforced else {}
        self._reserves.put(row.pk, till_of(limit, spent, paid, most), most, enforce=enforced)
        return Told(standing.reserved, free, standing.waiting), most

    def _tell(self, told: Mapping[str, Told]) -> None:
        client = counters()
        if not self._looked:  # budgets may have gone while nobody kept them
            known: Any = client.hkeys(standing_key())
            self._known = {key.decode() for key in known}
        for gone in self._known - set(told):
            client.hdel(standing_key(), gone)
            self._reserves.drop(UUID(gone))
        self._known = set(told)
        if told:
            texts = {key: f"{one.reserved!r}|{one.free!r}|{one.waiting}" for key, one in told.items()}
            client.hset(standing_key(), mapping=texts)  # type: ignore[arg-type]

    def _alert(self, row: Budget, seen: Figures, now: datetime) -> None:
        """Once in each period; what was said in the one before is over."""
        if self._periods.get(row.pk) != seen.starts_at:
            self._periods[row.pk] = seen.starts_at
            for past in row.alerts.filter(starts_at__lt=seen.starts_at)[:KINDS_OF_ALERTS]:
                alerts.resolve_alert(
                    row.team_id, kind_of(past.threshold), subject_of(row), period=period_key(past.starts_at)
                )
        for threshold in crossed(seen.spent, seen.forecast, float(row.limit)):
            with contextlib.suppress(IntegrityError), transaction.atomic():  # it may just have been deleted
                _, fresh = BudgetAlert.objects.get_or_create(
                    budget=row, starts_at=seen.starts_at, threshold=threshold, defaults={"at": now}
                )
                if fresh:
                    alerts.raise_alert(
                        row.team_id,
                        kind_of(threshold),
                        subject_of(row),
                        facts_of(row, seen, threshold),
                        period=period_key(seen.starts_at),
                    )


def kind_of(threshold: str) -> AlertKind:
    return AlertKind(f"budget_{threshold}")


def subject_of(row: Budget) -> str:
    return "/".join(part for part in ("budget", row.scope, row.target, row.period) if part)


def period_key(starts_at: datetime) -> str:
    return starts_at.strftime("%Y-%m-%dT%H:%MZ")


def facts_of(row: Budget, seen: Figures, threshold: str) -> dict[str, Any]:
    spent = f"{seen.spent:.6g} {row.currency}"
    if threshold == FORECAST:
        what = f"will not last: {spent} is spent, and {seen.forecast:.6g} will be at the end of the period"
    else:
        what = f"is spent to {threshold} %: {spent}"
    return {
        "sentence": f"The budget of {sentence_of(row)} {what}.",
        "budget": str(row.pk),
        "limit": plain(row.limit),
        "spent": text(seen.spent_nanos),
        "forecast": round(seen.forecast, 6),
        "currency": row.currency,
        "starts_at": seen.starts_at.isoformat(),
        "ends_at": seen.ends_at.isoformat(),
    }


def pays_for(row: Budget, load: PoolLoad) -> bool:
    """Whether the budget pays for the pool's agents, at work or not."""
    if load.team_id != row.team_id:
        return False
    if row.scope == Scope.TEAM:
        return True
    return row.target == (load.name if row.scope == Scope.POOL else load.workflow)


def _live(load: PoolLoad) -> int:
    return load.starting + load.idle + load.active


def _wanted(load: PoolLoad) -> int:
    """Agents that the pool would have without a budget."""
    return min(load.max_size, max(load.target_size, load.min_size, load.active + load.waiting, 1))


def _stand_by(load: PoolLoad) -> int:
    """Replacements of agents that may be worn soon."""
    return 0 if load.drained else min(load.spares, load.max_size - _wanted(load))


def till_of(limit: float, spent: float, paid: Sequence[PoolLoad], most: Mapping[UUID, int]) -> Till:
    """With the agents that live, and those that may be made before anybody looks again."""
    rate = cost = 0.0
    for load in paid:
        each, allowed = per_second(load.rate), max(_live(load), most.get(load.pool_id, 0))
        rate += (allowed + load.leaving) * each
        cost += committed(_live(load), load.leaving, allowed, rate=each, start_time=ASSUMED_START)
    return Till(limit, spent, 0.0, rate, cost)


def most_agents(paid: Sequence[PoolLoad], free: float, held_up: HeldUp) -> dict[UUID, int]:
    """The most agents that each pool may have until the next look: no more than it wants, and replacements of
    those that may be worn soon. What is free is shared among the pools by what each lacks, in money, so that
    none starves, and then by what stands by."""
    lacks, stand_by = {}, {}
    for load in paid:
        pool, each = str(load.pool_id), per_second(load.rate) * (HOLD + ASSUMED_START + USEFUL)
        lacks[pool] = (max(0, _wanted(load) - _live(load)) * each, 1.0)
        beyond = max(_live(load) - _wanted(load), 0)  # what stands by already
        stand_by[pool] = (max(0, _stand_by(load) - beyond) * each, 1.0)
    shares = {}
    if free > 0:
        shares = fair_shares(free, lacks)
        more = fair_shares(free - sum(shares.values()), stand_by)
        shares = {pool: share + more[pool] for pool, share in shares.items()}
    most = {}
    for load in paid:
        waits = held_up.seconds >= PATIENCE
        allowed = affordable(
            free if waits else shares.get(str(load.pool_id), free) + 1e-12,
            live=_live(load),
            leased=load.active,
            rate=per_second(load.rate),
            start_time=ASSUMED_START,
            held_up=held_up,
        )
        most[load.pool_id] = min(allowed, max(_wanted(load), load.active) + _stand_by(load))
    return most
