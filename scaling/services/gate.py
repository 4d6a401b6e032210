"""Budgets for leases that programs take over HTTP: each reserves its `ttl` when it begins and each time that
it is kept, and is charged to the ledger as work of no workflow when it is given back.

A lease that a budget does not let go on ends when its time is up: it is not cut short.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import redis
from django.db import transaction

from aflow_site.kernel.errors import Overloaded
from pools.facade.contracts import PricedPool
from scaling.domain.budgets import BudgetMode, Scope
from scaling.domain.money import cost, per_second
from scaling.facade.contracts import Worked
from scaling.models import Budget
from scaling.reserves.store import Reserves
from scaling.selectors.budgets import budgets_of, sentence_of
from scaling.selectors.counts import counters
from scaling.services.ledger import charge
from scaling.services.treasury import reserves_prefix

log = logging.getLogger(__name__)

AGAIN_AFTER = "5"  # seconds


class BudgetGate:
    def is_needed(self) -> bool:
        return Budget.objects.exists()

    def admit(self, pool: PricedPool, token: str, seconds: float) -> None:
        """Raises Overloaded (503, with Retry-After)."""
        paying = [row for row in _paying(pool) if row.mode == BudgetMode.ENFORCE]
        if not paying:
            return
        rate = per_second(pool.rate)  # of the agent, which it keeps alive alone, if need be
        try:
            refusal = _reserves().reserve(
                holder_of(token), [row.pk for row in paying], pool=pool.id, seconds=seconds, rate=rate
            )
        except redis.RedisError as exc:
            raise Overloaded("Redis does not answer; ask again.", headers={"Retry-After": "2"}) from exc
        if refusal is None:
            return
        row = next(row for row in paying if row.pk == refusal.budget)
        sentence = (
            f"The budget of {sentence_of(row)} has not enough left for {seconds:g} s of an agent of pool "
            f"{pool.name}, which may cost {seconds * rate:.6g} {row.currency}."
            if refusal.kind == "full"
            else f"What is left of the budget of {sentence_of(row)} is being counted; ask again."
        )
        raise Overloaded(sentence, headers={"Retry-After": AGAIN_AFTER})

    def settle(self, pool: PricedPool, token: str, team_id: int, seconds: float) -> None:
        paying = _paying(pool)
        if paying:
            try:
                _reserves().settle(holder_of(token), [row.pk for row in paying])
            except redis.RedisError as exc:
                log.warning("a reserve ends by itself: %s", exc)
        milliseconds = round(seconds * 1000 / pool.concurrency)
        if milliseconds > 0:
            with transaction.atomic():
                charge([_work(pool, team_id, milliseconds)])


def _work(pool: PricedPool, team_id: int, milliseconds: int) -> Worked:
    return Worked(
        team_id=team_id,
        owner_id=pool.team_id,
        workflow="",
        pool=pool.name,
        own=False,
        at=datetime.now(UTC),
        milliseconds=milliseconds,
        nanos=cost(milliseconds, pool.rate),
    )


def holder_of(token: str) -> str:
    return f"api/{token}"


def _paying(pool: PricedPool) -> list[Budget]:
    """The owner's budgets that pay for the pool."""
    found = budgets_of(pool.team_id).exclude(scope=Scope.WORKFLOW.value)
    return [row for row in found if row.scope == Scope.TEAM or row.target == pool.name]


def _reserves() -> Reserves:
    return Reserves(counters(), reserves_prefix())
