"""Runs the engine's driver over real rows and a fake broker."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

from asgiref.sync import sync_to_async
from django.db import connections

from aflow_site.kernel.clock import system_clock
from aflow_site.kernel.ids import new_id
from teams.models import Team
from tests.fakes.broker import Body, FakeBroker
from workflows.engine.book import Book
from workflows.engine.context import RunContext
from workflows.engine.driver import RunDriver
from workflows.engine.loading import load_run
from workflows.engine.writer import Writer
from workflows.models import Run, Step, Workflow, WorkflowVersion
from workflows.services import claims

CODE = {"code": "def main(): ..."}


def task(key: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "type": "task", "run": CODE, **more}


def mapping(key: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "type": "map", "run": CODE, **more}


def make_run(*steps: dict[str, Any], params: dict[str, Any] | None = None, **document: Any) -> UUID:
    """The rows of a pending run."""
    team, _ = Team.objects.get_or_create(slug="t", defaults={"name": "T"})
    body = {"name": "w", "steps": list(steps), **document}
    workflow = Workflow.objects.create(team=team, name=f"w{uuid4().hex[:8]}")
    version = WorkflowVersion.objects.create(workflow=workflow, number=1, document=body)
    run = Run.objects.create(team=team, workflow=workflow, version=version, params=params or {})
    for place, step in enumerate(steps):
        Step.objects.create(run=run, key=step["id"], position=place, type=step["type"], pool="p")
    return run.pk


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
        run = await self._in_thread(load_run, run_id, fence)
        self.driver = RunDriver(
            RunContext(
                run=run,
                book=Book(run, self.writer, system_clock, lambda _run, _seq: None),
                broker=self.broker,
                clock=system_clock,
                random=random.Random(1),
                threads=self.threads,
                load_bundle=lambda _sha: b"",
                slots=asyncio.Semaphore(run.document.max_parallel or 500),
                _pool_ids={"p": uuid4()},
            )
        )
        return self.driver

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
        async with asyncio.timeout(20):
            await harness.drive(run_id)
    finally:
        await harness.close()
    assert not harness.broker.held, "leases were not given back"
    return await sync_to_async(Run.objects.get)(pk=run_id), harness.broker
