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
from functools import partial
from uuid import UUID

import redis
from django.db import Error as DatabaseTrouble

from pools.facade.contracts import PoolView
from scaling.facade import budgets
from scaling.facade.budgets import Asker, Reserved
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
    until: float  # by the loop's clock: for so long it is told; its settlement may come later
    rate: float


class Purse:
    """`read` asks the database for the terms of all budgets, by team, away from the loop."""

    def __init__(self, reserves: budgets.AsyncReserves, read: Callable[[], Awaitable[Terms]]) -> None:
        self._reserves = reserves
        self._read = read
        self._terms: Terms = {}
        self._held: dict[str, _Held] = {}
        self._told = asyncio.Event()
        self._told.set()

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
        asker: Asker | None = None,
    ) -> bool:
        """Whether a budget is not enough for the call; if they all are, it has reserved what it may cost.

        `rate` in the currency by the second. True while Redis is away: nobody can say."""
        enforced = [terms.id for terms in paying if terms.enforced]
        if enforced and not bound.stated:
            return True
        ask = partial(self._reserves.reserve, holder, enforced, pool=pool, seconds=bound.seconds, rate=rate)
        try:
            if enforced and await ask(priority=priority, only_ask=only_ask, asker=asker):
                _heed_cancellation()
                return True
            if not only_ask:
                await self._hold(paying, holder, bound.seconds, rate)
            _heed_cancellation()
        except (redis.RedisError, OSError) as exc:
            log.warning("budgets cannot be asked: %s", exc)
            if enforced:
                self._held.pop(holder, None)
            return bool(enforced)
        except asyncio.CancelledError:  # Redis may have reserved all the same
            self._held.pop(holder, None)
            await asyncio.shield(self.stop_asking(holder, paying))
            raise
        return False

    async def _hold(self, paying: Sequence[BudgetTerms], holder: str, seconds: float, rate: float) -> None:
        every = tuple(terms.id for terms in paying)
        by_work = tuple(terms.id for terms in paying if terms.scope == "workflow")
        self._held[holder] = _Held(every, by_work, asyncio.get_running_loop().time() + seconds, rate)
        await self._reserves.tell([Reserved(holder, every, seconds, rate)])

    async def settle(self, holder: str, used: float) -> None:
        """The call has ended, and used so much of the currency. What Redis does not hear of ends by itself at
        the call's time-out."""
        held = self._held.pop(holder, None)
        if held is not None:
            metered = [budget for budget in held.budgets if budget not in held.by_work]
            await self._end(holder, metered, 0.0)
            if held.by_work:
                await self._end(holder, held.by_work, used)

    async def stop_asking(self, holder: str, paying: Sequence[BudgetTerms]) -> None:
        if paying:
            await self._end(holder, [terms.id for terms in paying], 0.0)

    async def _end(self, holder: str, budgets: Sequence[UUID], used: float) -> None:
        """Not while reserves are told, of which this may be one: it would be there again."""
        await self._told.wait()
        await self._quietly(self._reserves.settle(holder, budgets, used=used))

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
            await self._tell_all(loop.time())

    async def _tell_all(self, now: float) -> None:
        told = [
            Reserved(holder, held.budgets, held.until - now, held.rate)
            for holder, held in self._held.items()
            if held.until > now
        ]
        self._told.clear()
        try:
            await self._quietly(self._reserves.tell(told))
        finally:
            self._told.set()

    async def _quietly(self, asked: Awaitable[None]) -> None:
        try:
            await asked
        except (redis.RedisError, OSError) as exc:
            log.warning("budgets are not told: %s", exc)


def _heed_cancellation() -> None:
    """Raises CancelledError where one was asked for and got lost: redis-py sends with `wait_for`, which
    before Python 3.12 gives its result instead of the cancellation that comes at that moment."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _pays_for_pool(terms: BudgetTerms, pool: PoolView) -> bool:
    """Not a workflow's, for its own pools: that is found by the workflow that runs."""
    return terms.scope == "team" or (terms.scope == "pool" and terms.target == pool.name)
