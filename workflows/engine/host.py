"""An executor process: one asyncio loop in a thread of its own, many runs and hundreds of calls in flight.

Nudges ("look at run R") come from Celery and may be lost or doubled; claims decide who drives. Does not plan,
retry or talk to agents itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar
from uuid import UUID

import redis.asyncio as redis
from django.conf import settings
from django.db import (
    Error as DatabaseTrouble,
)
from django.db import (
    InterfaceError,
    OperationalError,
    close_old_connections,
    connections,
)

from aflow_site.kernel.clock import system_clock
from aflow_site.kernel.ids import new_id
from pools.facade import api as pools
from scaling.facade import budgets
from workflows.domain.states import RUN_FINAL
from workflows.engine.agents import Agents
from workflows.engine.book import Book
from workflows.engine.context import RunContext
from workflows.engine.driver import RunDriver
from workflows.engine.live import Announcer
from workflows.engine.loading import load_run
from workflows.engine.poolwatch import PoolWatch
from workflows.engine.purse import Purse
from workflows.engine.records import RunRecord
from workflows.engine.writer import Writer
from workflows.selectors.bundles import bundle_content
from workflows.services import claims
from workflows.services.abandoning import abandon
from workflows.services.endings import run_ended
from workflows.services.nudges import CONTROL_CHANNEL

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MAX_RUNS = 200  # driven at once by one executor; more wait for a claim
LOOKED_AT = 20  # runs without a driver that an executor takes up with one report
READERS = 4  # threads that read for the runs
MAX_CALLS = 500  # in flight at once in one run without a max_parallel


class Engine:
    """`start` and `stop` are called from the worker's main thread, `nudge` from any."""

    def __init__(self) -> None:
        self.id = new_id()
        self.name, self._succeeds = _name()
        self._thread = threading.Thread(target=self._thread_main, name="engine", daemon=True)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drivers: dict[UUID, RunDriver] = {}
        self._runs: dict[UUID, asyncio.Task[None]] = {}
        self._once_more: set[UUID] = set()
        self._told_early: set[UUID] = set()  # there are news of runs that are being loaded

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
        # Large reads must not hold up the beat, hence threads for each.
        self._readers = ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="reader")
        self._claims = ThreadPoolExecutor(max_workers=1, thread_name_prefix="claims")
        self._writer = Writer(self._loop)
        self._redis = redis.Redis.from_url(settings.REDIS_URL)
        self._broker = pools.Broker()
        await self._broker.start()
        self._announcer = Announcer()
        self._pools_seen = PoolWatch(partial(self._in, self._readers))
        self._purse = Purse(
            budgets.reserves(self._redis), partial(self._in, self._readers, budgets.all_terms)
        )
        await self._purse.look()
        if self._succeeds:
            await self._in(self._claims, claims.succeed, self.id, self.name)
        await self._beat()
        background = [
            asyncio.create_task(self._beat_for_ever()),
            asyncio.create_task(self._hear_control()),
            asyncio.create_task(self._purse.tell_for_ever()),
        ]
        for task in background:
            task.add_done_callback(_end_process_when_broken)
        self._ready.set()
        await self._stopping.wait()
        ending = [*background, *self._runs.values()]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._broker.close()
        await self._in(self._claims, claims.retire, self.id)
        await self._announcer.close()
        await self._redis.aclose()
        self._writer.close()
        for threads, count in ((self._readers, READERS), (self._claims, 1)):
            barrier = threading.Barrier(count)
            closing = [threads.submit(_close_connections, barrier) for _ in range(count)]
            for future in closing:
                future.result()
            threads.shutdown()

    async def _in(
        self, threads: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs a function that asks the database, away from the loop."""

        def call() -> T:
            close_old_connections()
            return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(threads, call)

    async def _beat(self) -> None:
        await self._in(self._claims, claims.beat, self.id, self.name, system_clock.now())

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(claims.BEAT_EVERY)
            try:
                await self._beat()
                await self._compare_with_rows()
                await self._look_around()
            except DatabaseTrouble as exc:
                log.warning("could not report: %s", exc)

    async def _compare_with_rows(self) -> None:
        """What this executor drives and what the rows say that it drives must be the same: drivers that were
        fenced end, claims that nobody here works on are given back, news whose message got lost are read."""
        driving = dict(self._drivers)
        held = {claim.run_id: claim for claim in await self._in(self._claims, claims.held_by, self.id)}
        for run_id, driver in driving.items():
            claim = held.get(run_id)
            if claim is None or claim.fence != driver.run.fence:
                if run_id in self._runs:
                    self._runs[run_id].cancel()
            elif claim.wakes != driver.context.inbox.wakes:
                driver.look()
        for claim in held.values():
            if claim.run_id not in self._runs:
                await self._in(self._claims, claims.give_up, claim.run_id, claim.fence)

    async def _look_around(self) -> None:
        """Takes up runs that nobody drives.

        The controller tells of them too, but its message may go to an executor that is dead or stands still.
        """
        room = min(MAX_RUNS - len(self._runs), LOOKED_AT)
        if room > 0:
            for run_id in await self._in(self._claims, claims.unclaimed, system_clock.now(), room):
                self._look_at(run_id)

    async def _hear_control(self) -> None:
        """News for a run reach its driver at once; the beat finds those that got lost here."""
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(CONTROL_CHANNEL)
                    async for message in channel.listen():
                        if message["type"] == "message":
                            self._tell(UUID(message["data"].decode()))
            except (redis.RedisError, OSError) as exc:
                log.warning("no control channel: %s", exc)
                await asyncio.sleep(1)

    def _tell(self, run_id: UUID) -> None:
        driver = self._drivers.get(run_id)
        if driver is not None:
            driver.look()
        elif run_id in self._runs:
            self._told_early.add(run_id)

    # --- runs ------------------------------------------------------------------------------------

    def _look_at(self, run_id: UUID) -> None:
        if run_id in self._runs:
            self._once_more.add(run_id)  # perhaps it is being parked at this moment
            return
        if len(self._runs) >= MAX_RUNS or self._stopping.is_set():
            return
        self._runs[run_id] = asyncio.get_running_loop().create_task(self._drive(run_id))
        self._runs[run_id].add_done_callback(lambda _task: self._left(run_id))

    def _left(self, run_id: UUID) -> None:
        self._runs.pop(run_id, None)
        if run_id in self._once_more:
            self._once_more.discard(run_id)
            self._look_at(run_id)

    async def _drive(self, run_id: UUID) -> None:
        fence = None
        try:
            fence = await self._in(self._claims, claims.claim, run_id, self.id, system_clock.now())
            if fence is None:
                return
            run, news = await self._in(self._readers, load_run, run_id, fence)
            driver = self._drivers[run_id] = RunDriver(self._context(run), news)
            if run_id in self._told_early:
                driver.look()
            await driver.drive()
            if driver.run.state in RUN_FINAL:
                await self._in(self._claims, run_ended, run_id)
        except (OperationalError, InterfaceError) as exc:
            log.warning("run %s waits for the database: %s", run_id, exc)
        except Exception as exc:
            log.exception("run %s broke in the engine", run_id)
            if fence is not None:
                reason = f"{type(exc).__name__}: {exc}"
                await self._in(self._claims, abandon, run_id, fence, reason)
        finally:
            self._drivers.pop(run_id, None)
            self._told_early.discard(run_id)
            if fence is not None:
                await asyncio.shield(self._give_up(run_id, fence))

    async def _give_up(self, run_id: UUID, fence: int) -> None:
        try:
            await self._in(self._claims, claims.give_up, run_id, fence)
        except DatabaseTrouble as exc:
            log.warning("run %s is given back with the next report: %s", run_id, exc)

    def _context(self, run: RunRecord) -> RunContext:
        return RunContext(
            run=run,
            book=Book(run, self._writer, system_clock, self._announcer.run_changed),
            agents=Agents(run, self._broker, self._pools_seen, self._purse),
            clock=system_clock,
            random=random.Random(),
            threads=self._readers,
            load_bundle=partial(_load_bundle, run.team_id),
            places=asyncio.Semaphore(run.document.max_parallel or MAX_CALLS),
        )


def _name() -> tuple[str, bool]:
    """A name for this executor, and whether it takes the place of the one that had the name before it.

    It does under a supervisor, which runs one process of a name at a time.
    """
    host = socket.gethostname()
    process, server = os.environ.get("SUPERVISOR_PROCESS_NAME"), os.environ.get("SUPERVISOR_SERVER_URL")
    if process is None or server is None:
        return f"{host}:{os.getpid()}", False
    return f"{host}:{server}:{process}"[-200:], True


def _end_process_when_broken(task: asyncio.Task[None]) -> None:
    """An executor that cannot report is of no use: it ends, and whoever supervises it starts another."""
    if not task.cancelled() and task.exception() is not None:
        log.critical("the executor ends", exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)


def _close_connections(barrier: threading.Barrier) -> None:
    """Once in each thread of a pool: the barrier keeps one thread from doing it for another."""
    connections.close_all()
    barrier.wait(timeout=5)


def _load_bundle(team_id: int, sha256: str) -> bytes:
    """Called in some thread of the loop's; it must not keep a connection there."""
    try:
        return bundle_content(team_id, sha256)
    finally:
        connections.close_all()
