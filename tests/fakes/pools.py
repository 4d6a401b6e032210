"""A controller and a broker around the in-memory runtime, on the real database and the real Redis."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

from channels.db import database_sync_to_async
from django.conf import settings

from pools.domain.agents import LIVE, AgentState
from pools.facade.contracts import Code, Command, Handler, Invocation
from pools.leases.scripts import prefix_of
from pools.models import Agent, Pool
from pools.runtime.base import Runtime
from pools.services.broker.broker import Broker
from pools.services.controller.controller import PoolController

SECRET = "secret-of-the-tests"


def code(source: str) -> Code:
    return Code(hashlib.sha256(source.encode()).hexdigest(), source)


SQUARE = code("def main(x):\n    return x * x\n")


def invocation(
    *inputs: Any, batch: bool = False, runs: Code | Handler | Command | None = SQUARE, **options: Any
) -> Invocation:
    values: dict[str, Any] = {"context": {"run_id": "r"}, "timeout": 5.0, **options}
    return Invocation(inputs=inputs, batch=batch, runs=runs, **values)


class Plant:
    """One installation: a key prefix of its own, so that tests do not meet in Redis."""

    def __init__(self, runtime: Runtime, *, instance: str = "", secret: str = SECRET) -> None:
        self.runtime = runtime
        self.instance = instance or f"test-{uuid4().hex[:12]}"
        self.prefix = prefix_of(self.instance)
        self.secret = secret

    def controller(self, **options: Any) -> PoolController:
        return PoolController(
            self.runtime,
            redis_url=settings.REDIS_URL,
            prefix=self.prefix,
            instance=self.instance,
            secret=self.secret,
            **options,
        )

    def broker(self, **options: Any) -> Broker:
        return Broker(settings.REDIS_URL, self.prefix, self.secret, **options)

    @contextlib.asynccontextmanager
    async def running(self, **options: Any) -> AsyncIterator[PoolController]:
        """A controller that leads, in the background. It is closed at the end; the runtime's agents stay."""
        controller = self.controller(**options)
        await controller.start()
        stop = asyncio.Event()
        task = asyncio.create_task(controller.run_forever(stop))
        try:
            yield controller
        finally:
            stop.set()
            await task
            await controller.close()

    @contextlib.asynccontextmanager
    async def brokering(self, **options: Any) -> AsyncIterator[Broker]:
        broker = self.broker(**options)
        await broker.start()
        try:
            yield broker
        finally:
            await broker.close()


def site(runtime: Runtime) -> Plant:
    """The installation of this site's own settings, as its pages and its API see it."""
    return Plant(runtime, instance=settings.AFLOW_INSTANCE, secret=settings.SECRET_KEY)


async def until(condition: Callable[[], Any], patience: float = 90.0) -> None:
    """Waits for a condition (sync or async); fails the test when it never holds."""
    async with asyncio.timeout(patience):
        while True:
            answer = condition()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.02)


@database_sync_to_async
def rows_of(pool_id: UUID, *states: AgentState) -> list[Agent]:
    """The pool's agents in these states; the live ones when none is named."""
    wanted = states or tuple(LIVE)
    return list(Agent.objects.filter(pool_id=pool_id, state__in=[state.value for state in wanted]))


async def served(pool_id: UUID, count: int) -> bool:
    return len(await rows_of(pool_id, AgentState.IDLE)) == count


@database_sync_to_async
def problem(pool: Pool) -> tuple[str | None, str | None]:
    """Its kind, and its sentence."""
    row = Pool.objects.get(pk=pool.pk)
    return row.problem_kind, row.problem


async def has_problem(pool: Pool, kind: str | None) -> bool:
    return (await problem(pool))[0] == kind
