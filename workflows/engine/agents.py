"""The way to agents: the pools that a run's steps use, budgets and leases waited for, and requests.

Does not: retry, record, or decide what a failure means for a step.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from django.db import Error as DatabaseTrouble

from aflow_site.kernel import tracing
from pools.facade.contracts import (
    AgentError,
    AgentKind,
    Lease,
    LeaseOutcome,
    LeaseTimeout,
    PoolNotFound,
    PoolView,
)
from scaling.facade import budgets
from scaling.facade.contracts import BudgetTerms
from workflows.domain.states import BUDGET
from workflows.engine.lines import Line
from workflows.engine.places import Place
from workflows.engine.poolwatch import PoolWatch
from workflows.engine.purse import Bound, Purse
from workflows.engine.records import RunRecord, StepRecord

# Seconds that a step keeps its place in a pool's queue, and how often it looks whether the pool lives.
LONGEST_WAIT = 24 * 3600.0
LOOK_EVERY = 5.0
# How long a pool may be without any agent, and say why, before its steps fail.
BROKEN_POOL_PATIENCE = 30.0
# How often the first of a line that waits for a budget asks again, where nothing that it knows has changed.
ASK_EVERY = 1.0
# How long an agent is held for its answer to be stored.
STORED_WITHIN = 1.0

T = TypeVar("T")


class NoAgent(Exception):
    """The step cannot have an agent; `error` says why."""

    def __init__(self, error: AgentError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(slots=True)
class _Account:
    """Of a lease: in which pool, at what price by the second, who holds a reserve for it, and what of it was
    used."""

    pool: str
    rate: float
    holder: str | None
    used: float = 0.0


@dataclass(slots=True)
class _Call:
    """That is to be admitted to the pool, as that stood when it was asked for last."""

    view: PoolView
    kind: AgentKind
    holder: str
    step: StepRecord
    bound: Bound
    place: Place | None
    number: int  # in the order in which they came
    since: float  # by the loop's clock
    line: Line | None = None  # of those that wait for the same money, if a budget pays for it
    held_up: bool = False

    @property
    def rate(self) -> float:
        """By the second, of the agent, which a call keeps alive alone, if need be."""
        return budgets.per_second(self.view.rate)


class Agents:
    """Of one run. `broker` is a `pools.facade.api.Broker`.

    `held_up`: calls that wait for a budget, by the key of their step; `seeking`: others that wait for an
    agent. `on_turn` is told of a step that begins or ends to be held up, `on_found` when none seeks one.
    """

    def __init__(self, run: RunRecord, broker: Any, pools_seen: PoolWatch, purse: Purse) -> None:
        self._run = run
        self.broker = broker
        self._pools = pools_seen
        self._purse = purse
        self._views: dict[tuple[str, AgentKind], PoolView] = {}  # as they were at their first use
        self._accounts: dict[str, _Account] = {}  # by the lease's token
        self.held_up: Counter[str] = Counter()
        self.seeking = 0
        self._numbers = count()
        self._lines: dict[str, Line] = {}  # of those that anybody is in, by their names
        self.on_turn: Callable[[StepRecord, bool], None] = lambda _step, _held_up: None
        self.on_found: Callable[[], None] = lambda: None

    async def pool_id(self, name: str, kind: AgentKind) -> UUID:
        """Raises NoAgent when the pool is gone, or has other agents by now."""
        return (await self._pool(name, kind)).id

    async def _pool(self, name: str, kind: AgentKind) -> PoolView:
        known = self._views.get((name, kind))
        if known is not None:
            return await self._priced(known)
        try:
            pool = await self._pools.look_or_make(self._run.team_id, name, kind)
        except PoolNotFound as exc:
            sentence = f"There is no pool {name} any more; save the workflow again to make it."
            raise NoAgent(AgentError("no_pool", sentence)) from exc
        if not pool.serves(kind):
            sentence = f"Pool {name} runs {pool.kind} by now; this version of the step needs {kind}."
            raise NoAgent(AgentError("wrong_image", sentence))
        self._views[name, kind] = pool
        return pool

    async def _priced(self, known: PoolView) -> PoolView:
        """With what its agents cost now: a run may last for days."""
        try:
            now = await self._pools.look(self._run.team_id, known.name)
        except (PoolNotFound, DatabaseTrouble):
            return known
        return known if now.rate == known.rate else replace(known, rate=now.rate)

    async def reaches_outside(self, name: str) -> bool:
        """Whether the pool's agents reach more than their platform. Raises NoAgent."""
        try:
            pool = await self._pools.look_or_make(self._run.team_id, name, AgentKind(None))
        except PoolNotFound as exc:
            raise NoAgent(AgentError("no_pool", f"There is no pool {name}.")) from exc
        return bool(pool.settings["network"] == "egress")

    async def lease(
        self,
        pool: str,
        kind: AgentKind,
        holder: str,
        step: StepRecord,
        bound: Bound,
        place: Place | None = None,
    ) -> Lease:
        """A lease that the budgets allow for `bound`, waited for as long as the pool lives; NoAgent when it
        does not. While the budgets do not allow it, its `place` is others'."""
        with tracing.span("lease", pool=pool, step_id=step.key, priority=self._run.priority):
            view, since = await self._pool(pool, kind), asyncio.get_running_loop().time()
            call = _Call(view, kind, holder, step, bound, place, next(self._numbers), since)
            return await self._lease(call)

    async def _lease(self, call: _Call) -> Lease:
        step, paying = call.step, self._paying(call.view)
        while True:
            line = await self._until_affordable(call, paying) if paying else None
            try:
                if line is not None and call.place is not None:
                    await call.place.take()
                self.seeking += 1
                try:
                    lease, paying = await self._admitted(call)
                finally:
                    self.seeking -= 1
                    self.on_found()
            finally:
                if line is not None:
                    line.allowed -= 1
                    line.stir()
                    self._forget_if_idle(line)
            if lease is not None:
                break
        if step.reason == BUDGET and step.key not in self.held_up:
            self.on_turn(step, False)
        share = call.rate / call.view.settings["concurrency"]
        self._accounts[lease.token] = _Account(call.view.name, share, call.holder if paying else None)
        step.usage.leased(lease.wait_seconds)
        return lease

    def _paying(self, view: PoolView) -> tuple[BudgetTerms, ...]:
        return self._purse.budgets(self._run.team_id, self._run.workflow, view)

    async def _admitted(self, call: _Call) -> tuple[Lease | None, tuple[BudgetTerms, ...]]:
        """A lease that the budgets of this moment allow, or none; and these budgets."""
        lease = await self._acquire(call.view, call.holder)
        try:
            call.view = await self._pool(call.view.name, call.kind)  # it may have waited for hours
            paying = self._paying(call.view)  # there may be others by now
            if not await self._is_refused(call, paying):
                return lease, paying
        except BaseException:
            await asyncio.shield(self._never_began(lease, call.holder))
            raise
        await self.give_back(lease, LeaseOutcome.OK, uses=0)
        return None, paying

    async def _never_began(self, lease: Lease, holder: str) -> None:
        await self._purse.settle(holder, 0.0)
        await self._give_back(lease, LeaseOutcome.OK, 0)

    def is_reserved(self, lease: Lease) -> bool:
        """Whether a budget counts on the lease to end within its bound."""
        return self._accounts[lease.token].holder is not None

    def used(self, step: StepRecord, lease: Lease, seconds: float) -> None:
        """Notes the time of a request, and what it cost."""
        account = self._accounts[lease.token]
        account.used += seconds * account.rate
        step.usage.used(lease.agent_id, seconds, account.pool, account.rate)

    async def _is_refused(
        self, call: _Call, paying: tuple[BudgetTerms, ...], *, only_ask: bool = False
    ) -> bool:
        if not paying:
            return False
        line, asker = call.line, None
        if line is not None:
            waited = asyncio.get_running_loop().time() - call.since
            asker = budgets.Asker(line.name, waited, line.allowed if only_ask else 0, line.length)
        return await self._purse.refuses(
            paying,
            call.holder,
            call.view.id,
            call.bound,
            call.rate,
            priority=self._run.priority,
            only_ask=only_ask,
            asker=asker,
        )

    async def _until_affordable(self, call: _Call, paying: tuple[BudgetTerms, ...]) -> Line:
        """Until the budgets would allow it. Budgets and prices may come, change and go meanwhile.

        Returns its line, where it counts as allowed until it has reserved, or does not want to any more."""
        line = call.line = self._line_of(call)
        try:
            async with line.turn(call.number, lambda: self._held_up(call)):
                try:
                    while await self._is_refused(call, paying, only_ask=True):
                        await line.stuck(ASK_EVERY)
                        call.view = await self._pool(call.view.name, call.kind)
                        paying = self._paying(call.view)
                except BaseException:
                    await asyncio.shield(self._purse.stop_asking(line.name, paying))
                    raise
                line.allowed += 1
                return line
        finally:
            self._forget_if_idle(line)
            if call.held_up:
                call.held_up = False
                self.held_up[call.step.key] -= 1
                if not self.held_up[call.step.key]:
                    del self.held_up[call.step.key]

    def _line_of(self, call: _Call) -> Line:
        """Bounds that the run's own time-out sets differ with each call: to the second they are the same."""
        seconds, stated = math.ceil(call.bound.seconds), "stated" if call.bound.stated else "run"
        # As a holder of this driver's, which the next one has forgotten (`take_back_former`).
        name = f"{self._run.id}/{call.view.id}/{seconds}-{stated}/{self._run.fence}"
        return self._lines.setdefault(name, Line(name))

    def _forget_if_idle(self, line: Line) -> None:
        if line.idle and self._lines.get(line.name) is line:
            del self._lines[line.name]

    def _held_up(self, call: _Call) -> None:
        call.held_up = True
        self.held_up[call.step.key] += 1
        if call.place is not None:
            call.place.leave()
        self.on_turn(call.step, True)

    async def _acquire(self, view: PoolView, holder: str) -> Lease:
        pool, pool_id = view.name, view.id
        waiting = asyncio.ensure_future(
            self.broker.acquire(
                pool_id,
                holder=holder,
                team_id=self._run.team_id,
                timeout=LONGEST_WAIT,
                priority=self._run.priority,
            )
        )
        try:
            lease: Lease = await self._while_pool_lives(waiting, pool)
        except LeaseTimeout as exc:
            raise NoAgent(AgentError("no_agent", exc.detail)) from exc
        except PoolNotFound as exc:
            raise NoAgent(AgentError("no_pool", exc.detail)) from exc
        except BaseException:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            if not waiting.cancelled() and waiting.exception() is None:
                # Granted just before it was cancelled: nobody else knows of it.
                await self.give_back(waiting.result(), LeaseOutcome.OK, uses=0)
            raise
        return lease

    async def take_back_former(self, used: Iterable[tuple[str, AgentKind]]) -> None:
        """Ends what former drivers of this run hold in its pools: they are gone, or will be refused."""
        for name, kind in used:
            with contextlib.suppress(NoAgent):
                view = await self._pool(name, kind)
                await self.broker.take_back(view.id, f"{self._run.id}/", keep=f"/{self._run.fence}")
                paying = self._paying(view)
                await self._purse.forget(f"{self._run.id}/", f"/{self._run.fence}", paying)

    async def _while_pool_lives(self, waiting: asyncio.Future[Lease], pool: str) -> Lease:
        loop = asyncio.get_running_loop()
        broken_since: float | None = None
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=LOOK_EVERY)
            if done:
                return waiting.result()
            problem = await self._why_pool_is_dead(pool)
            if problem is None:
                broken_since = None
            elif broken_since is None:
                broken_since = loop.time()
            elif loop.time() - broken_since >= BROKEN_POOL_PATIENCE:
                raise NoAgent(AgentError("no_agent", problem))

    async def _why_pool_is_dead(self, name: str) -> str | None:
        """None while there is hope: an agent lives or is being made, or the engine is only away."""
        view = await self._pools.look(self._run.team_id, name)
        alive = any(view.states.get(state, 0) for state in ("starting", "idle", "active", "draining"))
        if alive or view.problem is None or view.problem_kind == "engine_away":
            return None
        return view.problem

    def holds(self, lease: Lease) -> bool:
        return lease.token in self._accounts

    async def stored(self, storing: Awaitable[T], lease: Lease, outcome: LeaseOutcome) -> T:
        """What `storing` gives. Where it takes longer (the store is away), the agent is given back meanwhile:
        no budget counts on it any more when the call's time-out is over."""
        task = asyncio.ensure_future(storing)
        try:
            done, _ = await asyncio.wait({task}, timeout=STORED_WITHIN)
            if not done:
                await self.give_back(lease, outcome, uses=0)  # the broker knows of more
            return await task
        finally:
            task.cancel()

    async def give_back(self, lease: Lease, outcome: LeaseOutcome, *, uses: int) -> None:
        """Completes even when the caller is cancelled: leases must come back. Twice does no harm."""
        await asyncio.shield(self._give_back(lease, outcome, uses))

    async def _give_back(self, lease: Lease, outcome: LeaseOutcome, uses: int) -> None:
        account = self._accounts.pop(lease.token, None)
        try:
            await self.broker.release(lease, outcome, uses=uses)
        finally:
            if account is not None and account.holder is not None:
                await self._purse.settle(account.holder, account.used)
                for line in self._lines.values():
                    line.stir()
