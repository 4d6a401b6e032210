"""The loop that keeps budgets: meters agents, tells Redis how each budget stands, says how many agents each
pool may have, and tells people when a threshold is passed.

Runs beside the pools' controller and under its lead, as the scaler does, which asks it. Does not: admit calls
(executors do, by what Redis was told), or end agents (sizes do, by the ceiling).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import redis
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.db import IntegrityError, transaction

from pools.facade import api as pools
from pools.facade.contracts import PoolLoad
from scaling.domain.budgets import (
    HOLD,
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
from scaling.domain.money import per_second
from scaling.models import Budget, BudgetAlert
from scaling.reserves.store import Reserves
from scaling.selectors.budgets import Figures, Told, figures, standing_key
from scaling.selectors.counts import counters
from scaling.services import in_hand
from scaling.services.ledger import Metering, forget

log = logging.getLogger(__name__)

EVERY = 2.0  # seconds
METER_EVERY = 10.0  # where nobody has a budget
FORGET_EVERY = 3600.0
ASSUMED_START = 5.0  # seconds


def reserves_prefix() -> str:
    return f"aflow:{settings.AFLOW_INSTANCE}"


class Treasury:
    """`ceilings`: the most agents that each pool may have, of those that an enforced budget pays for."""

    def __init__(self) -> None:
        self.ceilings: dict[UUID, int] = {}
        self._metering = Metering()
        self._reserves = Reserves(counters(), reserves_prefix())
        self._known: set[str] = set()
        self._metered: datetime | None = None
        self._forgot: datetime | None = None

    async def run(self) -> None:
        while True:
            try:
                await database_sync_to_async(self.look)(datetime.now(UTC), time.monotonic())
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
        for row in budgets:
            paid = [load for load in loads if pays_for(row, load)]
            told[str(row.pk)], most = self._keep(row, paid, now, at)
            self._alert(row, figures(row, now, told[str(row.pk)]), now)
            for pool_id, number in most.items():
                ceilings[pool_id] = min(number, ceilings.get(pool_id, number))
        self.ceilings = ceilings
        self._tell(told)
        if self._forgot is None or (now - self._forgot).total_seconds() >= FORGET_EVERY:
            self._forgot = now
            forget(now)

    def _keep(
        self, row: Budget, paid: Sequence[PoolLoad], now: datetime, at: float
    ) -> tuple[Told, dict[UUID, int]]:
        """How it stands, and how many agents each pool may have under it, if it is enforced."""
        enforced = row.mode == BudgetMode.ENFORCE
        live = in_hand.work_of(row.team_id, row.target) if row.scope == Scope.WORKFLOW else 0
        spent, limit = figures(row, now, Told(0.0, 0.0, 0, live)).spent, float(row.limit)
        standing = self._reserves.standing(row.pk)
        rests = in_hand.rests(((load.team_id, load.name) for load in paid), at)
        held_up = max(standing.held_up, rests, key=lambda one: one.seconds)
        till = till_of(limit, spent, paid, {})
        free = till.limit - till.spent - standing.reserved - till.committed
        most = most_agents(paid, free, held_up) if enforced else {}
        self._reserves.put(row.pk, till_of(limit, spent, paid, most), most, enforce=enforced)
        return Told(standing.reserved, free, standing.waiting, live), most

    def _tell(self, told: Mapping[str, Told]) -> None:
        client = counters()
        for gone in self._known - set(told):
            client.hdel(standing_key(), gone)
            self._reserves.drop(UUID(gone))
        self._known = set(told)
        if told:
            texts = {
                key: f"{one.reserved!r}|{one.free!r}|{one.waiting}|{one.live_nanos}"
                for key, one in told.items()
            }
            client.hset(standing_key(), mapping=texts)  # type: ignore[arg-type]

    def _alert(self, row: Budget, seen: Figures, now: datetime) -> None:
        for threshold in crossed(seen.spent, seen.forecast, float(row.limit)):
            try:
                with transaction.atomic():
                    _, fresh = BudgetAlert.objects.get_or_create(
                        budget=row, starts_at=seen.starts_at, threshold=threshold, defaults={"at": now}
                    )
            except IntegrityError:  # the budget has just been deleted
                return
            if fresh:
                log.warning("budget %s: %s of %s spent (%s)", row, round(seen.spent, 6), row.limit, threshold)


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


def till_of(limit: float, spent: float, paid: Sequence[PoolLoad], most: Mapping[UUID, int]) -> Till:
    """With the agents that live, and those that may be made before anybody looks again."""
    rate = cost = 0.0
    for load in paid:
        each, allowed = per_second(load.rate), max(_live(load), most.get(load.pool_id, 0))
        rate += (allowed + load.leaving) * each
        cost += committed(_live(load), load.leaving, allowed, rate=each, start_time=ASSUMED_START)
    return Till(limit, spent, 0.0, rate, cost)


def most_agents(paid: Sequence[PoolLoad], free: float, held_up: HeldUp) -> dict[UUID, int]:
    """The most agents that each pool may have until the next look: no more than it wants. What is free is
    shared among the pools by what each lacks, in money, so that none starves."""
    lacks = {}
    for load in paid:
        each = per_second(load.rate) * (HOLD + ASSUMED_START + USEFUL)
        lacks[str(load.pool_id)] = (max(0, _wanted(load) - _live(load)) * each, 1.0)
    shares = fair_shares(free, lacks) if free > 0 else {}
    most = {}
    for load in paid:
        allowed = affordable(
            shares.get(str(load.pool_id), free) + 1e-12,
            live=_live(load),
            leased=load.active,
            rate=per_second(load.rate),
            start_time=ASSUMED_START,
            held_up=held_up,
        )
        most[load.pool_id] = min(allowed, max(_wanted(load), load.active))
    return most
