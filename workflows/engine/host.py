"""An executor process: one asyncio loop in a thread of its own, many runs and hundreds of calls in flight.

Nudges ("look at run R") come from Celery and may be lost or doubled; claims decide who drives. Does not plan,
retry or talk to agents itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

import redis.asyncio as redis
from django.conf import settings
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connections,
)

from aflow_site.kernel.clock import system_clock
from aflow_site.kernel.ids import new_id
from pools.facade import api as pools
from workflows.engine.book import Book
from workflows.engine.context import RunContext
from workflows.engine.driver import RunDriver
from workflows.engine.live import Announcer
from workflows.engine.loading import load_run
from workflows.engine.writer import Writer
from workflows.selectors.bundles import bundle_content
from workflows.services import claims
from workflows.services.abandoning import abandon
from workflows.services.nudges import CONTROL_CHANNEL

log = logging.getLogger(__name__)

MAX_RUNS = 200  # driven at once by one executor; more wait for a claim
MAX_CALLS = 500  # in flight at once in one run without a max_parallel


class Engine:
    """`start` and `stop` are called from the worker's main thread, `nudge` from any."""

    def __init__(self) -> None:
        self.id = new_id()
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._thread = threading.Thread(target=self._thread_main, name="engine", daemon=True)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drivers: dict[UUID, RunDriver] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Gives its runs to others and ends. What is in flight is cancelled; the rows know where it stood."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(timeout=15)

    def nudge(self, run_id: UUID) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._look_at, run_id)

    # --- the loop --------------------------------------------------------------------------------

    def _thread_main(self) -> None:
        import uvloop

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._main())
        except BaseException as exc:
            self._failure = exc
            log.exception("the engine ended")
            raise
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        # Large reads must not hold up the beat, hence a thread for each.
        self._readers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
        self._claims = ThreadPoolExecutor(max_workers=1, thread_name_prefix="claims")
        self._writer = Writer(self._loop)
        self._redis = redis.Redis.from_url(settings.REDIS_URL)
        self._broker = pools.Broker()
        await self._broker.start()
        self._announcer = Announcer()
        await self._beat()
        background = [
            asyncio.create_task(self._beat_for_ever()),
            asyncio.create_task(self._hear_control()),
        ]
        self._ready.set()
        await self._stopping.wait()
        for task in [*background, *self._tasks]:
            task.cancel()
        await asyncio.gather(*background, *self._tasks, return_exceptions=True)
        await self._broker.close()
        await self._in_thread(claims.retire, self.id)
        await self._announcer.close()
        await self._redis.aclose()
        self._writer.close()
        for threads in (self._readers, self._claims):
            threads.submit(connections.close_all).result()
            threads.shutdown()

    async def _in_thread(self, function, *args):  # type: ignore[no-untyped-def]
        def call():  # type: ignore[no-untyped-def]
            close_old_connections()
            return function(*args)

        return await asyncio.get_running_loop().run_in_executor(self._claims, call)

    async def _beat(self) -> None:
        await self._in_thread(claims.beat, self.id, self.name, system_clock.now())

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(claims.BEAT_EVERY)
            try:
                await self._beat()
                if self._drivers:
                    for run_id in await self._in_thread(claims.cancelled_among, list(self._drivers)):
                        self._cancel(run_id)
            except DatabaseError as exc:
                log.warning("could not report: %s", exc)

    async def _hear_control(self) -> None:
        """Requests to cancel reach the run's driver at once; the beat finds those that got lost here."""
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(CONTROL_CHANNEL)
                    async for message in channel.listen():
                        if message["type"] == "message":
                            self._cancel(UUID(message["data"].decode()))
            except (redis.RedisError, OSError) as exc:
                log.warning("no control channel: %s", exc)
                await asyncio.sleep(1)

    def _cancel(self, run_id: UUID) -> None:
        driver = self._drivers.get(run_id)
        if driver is not None:
            driver.cancel()

    # --- runs ------------------------------------------------------------------------------------

    def _look_at(self, run_id: UUID) -> None:
        if run_id in self._drivers or len(self._tasks) >= MAX_RUNS or self._stopping.is_set():
            return
        task = asyncio.get_running_loop().create_task(self._drive(run_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drive(self, run_id: UUID) -> None:
        fence = None
        try:
            claimed = await self._in_thread(self._claim_and_load, run_id)
            if claimed is None or run_id in self._drivers:
                return
            fence = claimed.fence
            driver = RunDriver(self._context(claimed))
            self._drivers[run_id] = driver
            await driver.drive()
        except (OperationalError, InterfaceError) as exc:
            log.warning("run %s waits for the database: %s", run_id, exc)
        except Exception as exc:
            log.exception("run %s broke in the engine", run_id)
            if fence is not None:
                await self._in_thread(abandon, run_id, fence, f"{type(exc).__name__}: {exc}")
        finally:
            self._drivers.pop(run_id, None)
            if fence is not None:
                await asyncio.shield(self._in_thread(claims.give_up, run_id, fence))

    def _claim_and_load(self, run_id: UUID):  # type: ignore[no-untyped-def]
        fence = claims.claim(run_id, self.id, system_clock.now())
        return None if fence is None else load_run(run_id, fence)

    def _context(self, run) -> RunContext:  # type: ignore[no-untyped-def]
        return RunContext(
            run=run,
            book=Book(run, self._writer, system_clock, self._announcer.run_changed),
            broker=self._broker,
            clock=system_clock,
            random=random.Random(),
            threads=self._readers,
            load_bundle=partial(_load_bundle, run.team_id),
            slots=asyncio.Semaphore(run.document.max_parallel or MAX_CALLS),
        )


def _load_bundle(team_id: int, sha256: str) -> bytes:
    """Called in some thread of the loop's; it must not keep a connection there."""
    try:
        return bundle_content(team_id, sha256)
    finally:
        connections.close_all()
