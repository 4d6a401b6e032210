"""Runs the engine's driver over real rows and a fake broker."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from aflow_site.kernel.clock import system_clock
from aflow_site.kernel.ids import new_id
from pools.facade.contracts import AgentKind, PoolView
from scaling.facade.contracts import BudgetTerms
from teams.models import Team
from tests.fakes.broker import Body, FakeBroker
from workflows.engine.agents import Agents
from workflows.engine.book import Book
from workflows.engine.context import RunContext
from workflows.engine.driver import RunDriver
from workflows.engine.loading import load_run
from workflows.engine.poolwatch import PoolWatch
from workflows.engine.purse import Purse
from workflows.engine.records import RunRecord
from workflows.engine.writer import Writer
from workflows.models import Run, Step, Workflow, WorkflowVersion
from workflows.services import claims


def intercept_nudges(monkeypatch: pytest.MonkeyPatch, tell: Callable[[UUID], Any]) -> None:
    """What would go to the broker goes to `tell` instead."""

    def send_task(_name: str, args: list[str], **_options: Any) -> None:
        tell(UUID(args[0]))

    monkeypatch.setattr("workflows.services.nudges.current_app.send_task", send_task)


CODE = {"code": "def main(): ..."}


def task(key: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "type": "task", "run": CODE, **more}


def mapping(key: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "type": "map", "run": CODE, **more}


def make_run(
    *steps: dict[str, Any],
    params: dict[str, Any] | None = None,
    schema: dict[str, Any] | None = None,
    **document: Any,
) -> UUID:
    """The rows of a pending run. `schema` is of its params."""
    team, _ = Team.objects.get_or_create(slug="t", defaults={"name": "T"})
    body = {"name": "w", "steps": list(steps), **({"params": schema} if schema else {}), **document}
    workflow = Workflow.objects.create(team=team, name=f"w{uuid4().hex[:8]}")
    version = WorkflowVersion.objects.create(workflow=workflow, number=1, document=body)
    run = Run.objects.create(team=team, workflow=workflow, version=version, params=params or {})
    for place, step in enumerate(steps):
        Step.objects.create(run=run, key=step["id"], position=place, type=step["type"], pool="p")
    return run.pk


class _NoBudgets:
    def budgets(self, team_id: int, workflow: str, pool: PoolView) -> tuple[BudgetTerms, ...]:
        return ()

    async def forget(self, beginning: str, keep: str, paying: object) -> None:
        pass


NO_BUDGETS = cast(Purse, _NoBudgets())


async def _any_pool(name: str, kind: AgentKind) -> SimpleNamespace:
    return SimpleNamespace(
        id=uuid5(NAMESPACE_URL, name), team_id=0, name=name, rate=Decimal(0), settings={"concurrency": 1}
    )


class Harness:
    """One executor's worth of engine. `await harness.close()` at the end."""

    def __init__(self, body: Body, **broker: Any) -> None:
        self.broker = FakeBroker(body, **broker)
        self.executor = new_id()
        self.writer = Writer(asyncio.get_running_loop())
        self.threads = ThreadPoolExecutor(max_workers=1)
        self.driver: RunDriver | None = None

    async def take(self, run_id: UUID) -> RunDriver:
        """Claims the run, which nobody may hold, and makes its driver."""
        fence = await self._in_thread(claims.claim, run_id, self.executor, system_clock.now())
        assert fence is not None, "somebody else drives this run"
        run, news = await self._in_thread(load_run, run_id, fence)
        self.driver = RunDriver(
            RunContext(
                run=run,
                book=Book(run, self.writer, system_clock, lambda _run, _seq: None),
                agents=self._agents(run),
                clock=system_clock,
                random=random.Random(1),
                threads=self.threads,
                load_bundle=lambda _sha: b"",
                places=asyncio.Semaphore(run.document.max_parallel or 500),
            ),
            news,
        )
        return self.driver

    def _agents(self, run: RunRecord) -> Agents:
        """Every pool that a step names is there."""
        agents = Agents(run, self.broker, PoolWatch(self._in_thread), NO_BUDGETS)
        agents._pool = _any_pool  # type: ignore[method-assign,assignment]
        return agents

    async def drive(self, run_id: UUID) -> None:
        await (await self.take(run_id)).drive()

    async def _in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.threads, lambda: function(*args))

    async def close(self) -> None:
        self.writer.close()
        await self._in_thread(connections.close_all)
        self.threads.shutdown()


async def drive(
    body: Body, *steps: dict[str, Any], broker: dict[str, Any] | None = None, **more: Any
) -> tuple[Run, FakeBroker]:
    """Makes a run, drives it to its end, and checks that no lease is left."""
    run_id = await sync_to_async(make_run)(*steps, **more)
    harness = Harness(body, **(broker or {}))
    try:
        async with asyncio.timeout(60):
            await harness.drive(run_id)
    finally:
        await harness.close()
    assert not harness.broker.held, "leases were not given back"
    return await sync_to_async(Run.objects.get)(pk=run_id), harness.broker


async def asked(
    action: Callable[..., Any], run_id: UUID, *args: Any, author: str = "ann", **more: Any
) -> Any:
    """What a person asks of a run, as the API would."""

    def ask() -> Any:
        return action(Run.objects.get(pk=run_id), *args, author=author, **more)

    return await sync_to_async(ask)()


class Play:
    """A run that is driven again and again, as executors do, until it ends or is parked."""

    def __init__(self, run_id: UUID, body: Body, **broker: Any) -> None:
        self.run_id = run_id
        self.body = body
        self.options = broker
        self.driver: RunDriver | None = None
        self.driving: asyncio.Task[None] | None = None
        self.harness: Harness | None = None

    async def begin(self) -> None:
        """Drives in the background, with an executor of its own."""
        self.harness = Harness(self.body, **self.options)
        self.driver = await self.harness.take(self.run_id)
        self.driving = asyncio.create_task(self.driver.drive())

    async def rest(self) -> Run:
        """The run, once its driver has left it."""
        assert self.driving is not None
        assert self.harness is not None
        async with asyncio.timeout(60):
            await self.driving
        assert not self.harness.broker.held, "leases were not given back"
        await self.harness.close()
        return await self.row()

    async def on(self) -> Run:
        """Begins, and waits for the end or the next rest."""
        await self.begin()
        return await self.rest()

    async def ask(self, action: Callable[..., Any], *args: Any, **more: Any) -> Any:
        answer = await asked(action, self.run_id, *args, **more)
        if self.driver is not None:
            self.driver.look()
        return answer

    async def row(self) -> Run:
        return await sync_to_async(Run.objects.select_related("workflow", "version").get)(pk=self.run_id)

    async def steps(self) -> dict[str, Step]:
        return await sync_to_async(lambda: {s.key: s for s in Step.objects.filter(run=self.run_id)})()

    async def states(self) -> dict[str, str]:
        return {key: step.state for key, step in (await self.steps()).items()}

    async def until(self, key: str, state: str) -> Step:
        """Waits until the step is in that state."""
        async with asyncio.timeout(60):
            while True:
                step = (await self.steps()).get(key)
                if step is not None and step.state == state:
                    return step
                await asyncio.sleep(0.01)


async def play(body: Body, *steps: dict[str, Any], broker: dict[str, Any] | None = None, **more: Any) -> Play:
    """A pending run of these steps."""
    return Play(await sync_to_async(make_run)(*steps, **more), body, **(broker or {}))
