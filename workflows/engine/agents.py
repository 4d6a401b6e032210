"""The way to agents: the pools that a run's steps use, leases waited for, and requests.

Does not: retry, record, or decide what a failure means for a step.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from aflow_site.kernel import tracing
from pools.facade.contracts import AgentError, AgentKind, Lease, LeaseOutcome, LeaseTimeout, PoolNotFound
from workflows.engine.poolwatch import PoolWatch
from workflows.engine.records import RunRecord, StepRecord

# Seconds that a step keeps its place in a pool's queue, and how often it looks whether the pool lives.
LONGEST_WAIT = 24 * 3600.0
LOOK_EVERY = 5.0
# How long a pool may be without any agent, and say why, before its steps fail.
BROKEN_POOL_PATIENCE = 30.0


class NoAgent(Exception):
    """The step cannot have an agent; `error` says why."""

    def __init__(self, error: AgentError) -> None:
        super().__init__(error.message)
        self.error = error


class Agents:
    """Of one run. `broker` is a `pools.facade.api.Broker`."""

    def __init__(self, run: RunRecord, broker: Any, pools_seen: PoolWatch) -> None:
        self._run = run
        self.broker = broker
        self._pools = pools_seen
        self._ids: dict[tuple[str, AgentKind], UUID] = {}

    async def pool_id(self, name: str, kind: AgentKind) -> UUID:
        """Raises NoAgent when the pool is gone, or has other agents by now."""
        known = self._ids.get((name, kind))
        if known is not None:
            return known
        try:
            pool = await self._pools.look_or_make(self._run.team_id, name, kind)
        except PoolNotFound as exc:
            sentence = f"There is no pool {name} any more; save the workflow again to make it."
            raise NoAgent(AgentError("no_pool", sentence)) from exc
        if not pool.serves(kind):
            sentence = f"Pool {name} runs {pool.kind} by now; this version of the step needs {kind}."
            raise NoAgent(AgentError("wrong_image", sentence))
        self._ids[name, kind] = pool.id
        return pool.id

    async def lease(self, pool: str, kind: AgentKind, holder: str, step: StepRecord) -> Lease:
        """A lease, waited for as long as the pool lives; NoAgent when it does not."""
        with tracing.span("lease", pool=pool, step_id=step.key, priority=self._run.priority):
            return await self._lease(pool, kind, holder, step)

    async def _lease(self, pool: str, kind: AgentKind, holder: str, step: StepRecord) -> Lease:
        pool_id = await self.pool_id(pool, kind)
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
        step.usage.leased(lease.wait_seconds)
        return lease

    async def take_back_former(self, used: Iterable[tuple[str, AgentKind]]) -> None:
        """Ends what former drivers of this run hold in its pools: they are gone, or will be refused."""
        for name, kind in used:
            with contextlib.suppress(NoAgent):
                pool_id = await self.pool_id(name, kind)
                await self.broker.take_back(pool_id, f"{self._run.id}/", keep=f"/{self._run.fence}")

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

    async def give_back(self, lease: Lease, outcome: LeaseOutcome, *, uses: int) -> None:
        """Completes even when the caller is cancelled: leases must come back."""
        await asyncio.shield(self.broker.release(lease, outcome, uses=uses))
