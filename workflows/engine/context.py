"""What the parts of a driver share: the run, its book, the way to agents, and the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor as ThreadPool
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.db import close_old_connections

from aflow_site.kernel.clock import Clock
from pools.facade import api as pools
from pools.facade.contracts import AgentError, Lease, LeaseOutcome, LeaseTimeout, PoolNotFound
from workflows.domain.expressions import compile_expression, expressions_in
from workflows.engine.book import Book
from workflows.engine.loading import map_outputs
from workflows.engine.records import RunRecord, StepRecord

P = ParamSpec("P")
T = TypeVar("T")

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


@dataclass(slots=True)
class RunContext:
    run: RunRecord
    book: Book
    broker: Any  # pools.facade.api.Broker
    clock: Clock
    random: Random
    threads: ThreadPool
    load_bundle: Callable[[str], bytes]
    slots: asyncio.Semaphore  # the run's own max_parallel
    _pool_ids: dict[str, UUID] = field(default_factory=dict)

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a function that asks the database, away from the loop."""

        def call() -> T:
            close_old_connections()
            return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self.threads, call)

    async def sleep_until(self, at: datetime | None) -> None:
        if at is not None:
            await asyncio.sleep(max(0.0, (at - self.clock.now()).total_seconds()))

    # --- values ----------------------------------------------------------------------------------

    async def scope(self, *templates: Any) -> dict[str, Any]:
        """The values that the expressions in `templates` may look at; maps' outputs come from the rows."""
        wanted: set[str] = set()
        for template in templates:
            for _, source in expressions_in(template):
                wanted |= compile_expression(source).steps
        steps: dict[str, Any] = {}
        for key in wanted & self.run.steps.keys():
            steps[key] = await self._step_value(self.run.steps[key])
        run = {"id": str(self.run.id), "workflow": self.run.workflow, "version": self.run.version}
        return {"params": self.run.params, "steps": steps, "run": run}

    async def _step_value(self, step: StepRecord) -> dict[str, Any]:
        value = {"output": step.output, "state": str(step.state), "attempts": step.attempts, "failed": []}
        if step.type == "map":
            await self.book.settled()
            value["output"], value["failed"] = await self.read(map_outputs, step.pk, step.total)
        return value

    # --- agents ----------------------------------------------------------------------------------

    async def pool_id(self, step: StepRecord) -> UUID:
        name = step.pool
        if name not in self._pool_ids:
            try:
                pool = await self.read(pools.get_pool, self.run.team_id, name)
            except PoolNotFound as exc:
                sentence = f"There is no pool {name} any more; save the workflow again to make it."
                raise NoAgent(AgentError("no_pool", sentence)) from exc
            wanted = self.run.document.step(step.key).run.image or pools.BUILT_IN_IMAGE
            if pool.image != wanted:
                sentence = f"Pool {name} runs {pool.image} by now; this version of the step needs {wanted}."
                raise NoAgent(AgentError("wrong_image", sentence))
            self._pool_ids[name] = pool.id
        return self._pool_ids[name]

    async def lease(self, step: StepRecord, holder: str) -> Lease:
        """A lease of the step's pool, waited for as long as the pool lives; NoAgent when it does not."""
        pool_id = await self.pool_id(step)
        waiting = asyncio.ensure_future(
            self.broker.acquire(pool_id, holder=holder, team_id=self.run.team_id, timeout=LONGEST_WAIT)
        )
        try:
            broken_since = None
            while not (await asyncio.wait({waiting}, timeout=LOOK_EVERY))[0]:
                broken_since = await self._look_at_pool(step.pool, broken_since)
            lease: Lease = await waiting
        except (LeaseTimeout, PoolNotFound) as exc:
            raise NoAgent(AgentError("no_agent", exc.detail)) from exc
        except BaseException:
            waiting.cancel()
            await self._withdraw(waiting)
            raise
        step.usage.leased(lease.wait_seconds)
        return lease

    async def _withdraw(self, waiting: asyncio.Future[Lease]) -> None:
        """The step waits no more; a lease that was granted at this very moment goes back."""
        (granted,) = await asyncio.gather(waiting, return_exceptions=True)
        if isinstance(granted, Lease):
            await self.give_back(granted, LeaseOutcome.OK, uses=0)

    async def _look_at_pool(self, pool: str, broken_since: float | None) -> float | None:
        """Since when the pool has been without any agent for a reason; NoAgent when that is too long."""
        view = await self.read(pools.get_pool, self.run.team_id, pool)
        if not view.problem or view.states.get("idle", 0) + view.states.get("active", 0):
            return None
        now = self.clock.monotonic()
        if broken_since is not None and now - broken_since >= BROKEN_POOL_PATIENCE:
            raise NoAgent(AgentError("no_agent", f"Pool {pool} has no agent: {view.problem}"))
        return broken_since if broken_since is not None else now

    async def give_back(self, lease: Lease, outcome: LeaseOutcome, uses: int) -> None:
        """Ends the lease, even when the caller is being cancelled meanwhile."""
        await asyncio.shield(self.broker.release(lease, outcome, uses=uses))
