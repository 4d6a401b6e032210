"""What calls reserve of budgets, as one executor knows it (docs/adr/0032).

A call that a budget pays for reserves what it may cost until its time-out before it begins, and settles when
it ends. Reserves are told again every few seconds, for Redis may lose its memory. Does not: wait (`agents`
does), or know what was spent (the controller tells Redis).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import redis
from django.db import Error as DatabaseTrouble

from pools.facade.contracts import PoolView
from scaling.facade import budgets
from scaling.facade.contracts import BudgetTerms

log = logging.getLogger(__name__)

Terms = Mapping[int, tuple[BudgetTerms, ...]]


@dataclass(frozen=True, slots=True)
class Bound:
    """How long a call may take at most. `stated`: by somebody, and not by the platform's own default."""

    seconds: float
    stated: bool = True


@dataclass(frozen=True, slots=True)
class _Held:
    budgets: tuple[UUID, ...]
    by_work: tuple[UUID, ...]  # those of workflows, whose spending is told by runs
    until: float  # by the loop's clock
    rate: float


class Purse:
    """`read` asks the database for the terms of all budgets, by team, away from the loop."""

    def __init__(self, reserves: budgets.AsyncReserves, read: Callable[[], Awaitable[Terms]]) -> None:
        self._reserves = reserves
        self._read = read
        self._terms: Terms = {}
        self._held: dict[str, _Held] = {}

    def budgets(self, team_id: int, workflow: str, pool: PoolView) -> tuple[BudgetTerms, ...]:
        """Those that pay for a call in this pool: the owner's for the pool, and the workflow's own."""
        if not self._terms:
            return ()
        return tuple(
            [terms for terms in self._terms.get(pool.team_id, ()) if _pays_for_pool(terms, pool)]
            + [
                terms
                for terms in self._terms.get(team_id, ())
                if terms.scope == "workflow" and terms.target == workflow
            ]
        )

    async def look(self) -> None:
        """Learns of budgets that came, changed or went. Raises database errors."""
        self._terms = await self._read()

    async def refuses(
        self,
        paying: Sequence[BudgetTerms],
        holder: str,
        pool: UUID,
        bound: Bound,
        rate: float,
        *,
        priority: int,
        only_ask: bool = False,
    ) -> bool:
        """Whether a budget is not enough for the call; if they all are, it has reserved what it may cost.

        `rate` in the currency by the second. True while Redis is away: nobody can say."""
        enforced = [terms.id for terms in paying if terms.enforced]
        if enforced and not bound.stated:
            return True
        every = tuple(terms.id for terms in paying)
        try:
            if enforced and await self._reserves.reserve(
                holder,
                enforced,
                pool=pool,
                seconds=bound.seconds,
                rate=rate,
                priority=priority,
                only_ask=only_ask,
            ):
                return True
            if not only_ask:
                until = asyncio.get_running_loop().time() + bound.seconds
                by_work = tuple(terms.id for terms in paying if terms.scope == "workflow")
                self._held[holder] = _Held(every, by_work, until, rate)
                await self._reserves.tell(holder, every, seconds=bound.seconds, rate=rate)
        except (redis.RedisError, OSError) as exc:
            log.warning("budgets cannot be asked: %s", exc)
            return bool(enforced)
        return False

    async def settle(self, holder: str, used: float) -> None:
        """The call has ended, and used so much of the currency. What Redis does not hear of ends by itself at
        the call's time-out."""
        held = self._held.pop(holder, None)
        if held is not None:
            metered = [budget for budget in held.budgets if budget not in held.by_work]
            await self._quietly(self._reserves.settle(holder, metered))
            if held.by_work:
                await self._quietly(self._reserves.settle(holder, held.by_work, used=used))

    async def stop_asking(self, holder: str, paying: Sequence[BudgetTerms]) -> None:
        if paying:
            await self._quietly(self._reserves.settle(holder, [terms.id for terms in paying]))

    async def forget(self, beginning: str, keep: str, paying: Sequence[BudgetTerms]) -> None:
        """Reserves of former drivers: of holders that begin with one and do not end with the other."""
        if paying:
            await self._quietly(self._reserves.forget(beginning, keep, [terms.id for terms in paying]))

    async def tell_for_ever(self) -> None:
        """Tells the reserves again, and looks whether there are other budgets."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(budgets.TOLD_EVERY)
            try:
                await self.look()
            except DatabaseTrouble as exc:
                log.warning("budgets are as they were: %s", exc)
            for holder, held in list(self._held.items()):
                left = held.until - loop.time()
                if left <= 0:
                    self._held.pop(holder, None)
                elif holder in self._held:
                    await self._quietly(
                        self._reserves.tell(holder, held.budgets, seconds=left, rate=held.rate)
                    )

    async def _quietly(self, asked: Awaitable[None]) -> None:
        try:
            await asked
        except (redis.RedisError, OSError) as exc:
            log.warning("budgets are not told: %s", exc)


def _pays_for_pool(terms: BudgetTerms, pool: PoolView) -> bool:
    """Not a workflow's, for its own pools: that is found by the workflow that runs."""
    return terms.scope == "team" or (terms.scope == "pool" and terms.target == pool.name)
