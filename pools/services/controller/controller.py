"""The controller of pools: learns what runs, brings every pool to its size, shows it live.

Right on events alone and on the timer alone: events and nudges only make it faster.
Does not: lease (executors do, through Redis), or decide target sizes over time (`scaling` does).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import redis.asyncio
from django.db import Error as DatabaseTrouble
from redis.exceptions import RedisError

from aflow_site.kernel.waits import set_within
from pools.domain.room import Demand
from pools.domain.saturation import SaturationRule
from pools.facade.contracts import Steering
from pools.leases.scripts import QueueFigures, ServingAgent
from pools.leases.store import AsyncLeases
from pools.leases.wire import RedisReplyError, Wire
from pools.runtime.base import EngineAway, Runtime, RuntimeFault
from pools.runtime.contract import AgentHttp
from pools.services import agents as rows
from pools.services import epochs, loops
from pools.services.controller.alarms import EVERY as ALARMS_EVERY
from pools.services.controller.alarms import Alarms
from pools.services.controller.checks import Checks
from pools.services.controller.crash_loops import CrashLoops
from pools.services.controller.creation import CREATION_TIMEOUT, Creator
from pools.services.controller.leadership import BEAT, Leadership, Silence
from pools.services.controller.nodes import Nodes
from pools.services.controller.problems import Problems
from pools.services.controller.reality import Reality
from pools.services.controller.registry import Registry, in_database
from pools.services.controller.removal import Remover
from pools.services.controller.sizes import Sizes
from pools.services.controller.stream import Sampler
from pools.services.controller.takeover import remember
from pools.services.controller.usages import Usages
from pools.services.lease_rules import rules_of

log = logging.getLogger(__name__)

EVERY = 2.0  # seconds between two reconciles when nothing happens
NOT_FASTER_THAN = 0.05
SAMPLE_EVERY = 0.2
IMAGES_EVERY = 3600.0
UPKEEP_EVERY = 5.0
HISTORY = timedelta(days=7)  # how long ended agents are remembered
WEAR = b"wear"  # the nudge that an agent may be worn soon: nothing that sizes go by
REDIS_TROUBLE = (ConnectionError, RedisReplyError)


class PoolController:
    """`tick()` is one whole, idempotent round; `run_forever` repeats it. `secret` makes agents' tokens."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        redis_url: str,
        prefix: str,
        instance: str,
        secret: str,
        control_url: str = "",
        ready_within: float = CREATION_TIMEOUT,
        silence: Silence | None = None,
        saturation: SaturationRule | None = None,
    ) -> None:
        self._runtime = runtime
        self._redis_url = redis_url
        self._instance = instance
        self._wire = Wire(redis_url)
        self.leases = AsyncLeases(self._wire, prefix)
        self._http = AgentHttp()
        self._nudged = asyncio.Event()
        self._stirred = asyncio.Event()
        self._leadership = Leadership(self.leases, instance, silence)
        self.registry = Registry()
        problems = Problems(self.registry)
        self.loops = CrashLoops(self.registry, runtime, problems)
        self.remover = Remover(self.registry, runtime, self.leases, self.loops, finished=self._nudged.set)
        self.nodes = Nodes(runtime)
        self.creator = Creator(
            self.registry,
            runtime,
            self.leases,
            self._http,
            self.nodes,
            problems,
            self.loops,
            secret=secret,
            control_url=control_url,
            finished=self._nudged.set,
            ready_within=ready_within,
        )
        self.usages = Usages(self.registry)
        self.reality = Reality(
            self.registry,
            runtime,
            self.leases,
            self._http,
            self.nodes,
            self.creator,
            self.remover,
            self.usages,
            secret=secret,
            instance=instance,
            leader=self._leadership.token,
        )
        self._sizes = Sizes(
            self.registry,
            self.nodes,
            self.leases,
            self.creator,
            self.remover,
            self.loops,
            instance=instance,
            leader=self._leadership.token,
        )
        self._checks = Checks(self.registry, runtime, self.leases, self._http, self.usages, secret=secret)
        self._sampler = Sampler(self.registry, self.leases, self._sizes.wear.read)
        self.alarms = Alarms(self.registry, self.leases, saturation or SaturationRule())
        self._ticked = False
        self._learned_at = 0.0
        self._pruned_at = 0.0
        self._flushed: dict[UUID, tuple[int, int]] = {}
        self.beside: dict[str, Callable[[], Awaitable[None]]] = {}  # loops that run while this one leads
        self.steered_within = 0.0  # seconds that no agents are made in, until one of these has steered

    async def leads(self) -> bool:
        return bool(await in_database(epochs.leads, self._instance, self._leadership.token))

    async def start(self) -> None:
        """Connects and takes the lead. Raises ConnectionError, `RuntimeFault`, or NotLeading.

        An engine that is away is waited for at work: leases and waiters need a controller all the same.
        """
        await self._wire.connect()
        try:
            await self._runtime.start()
        except EngineAway as exc:
            log.warning("the controller starts without the runtime: %s", exc)
            self.creator.engine_away = str(exc)
        await self._http.start()
        if not await self._leadership.seek():
            raise rows.NotLeading
        await self.registry.load()
        await remember(self.registry, self.creator, self.loops)

    async def close(self) -> None:
        await self.reality.close()
        await self._checks.close()
        await self.creator.close()
        await self.remover.close()
        with contextlib.suppress(DatabaseTrouble):
            if await self.leads():
                await self.loops.keep_all()
        with contextlib.suppress(*REDIS_TROUBLE):
            await self._leadership.resign()
        await self._http.close()
        await self._runtime.close()
        await self._wire.close()

    async def tick(self) -> None:
        """Raises NotLeading, ConnectionError; a runtime that is away only leaves its part undone."""
        if not await self._leadership.keep():
            raise rows.NotLeading
        told = await self.leases.rules_told(list(self.registry.pools))
        await self.registry.load_pools()
        await self.reality.ensure_epoch()
        await self._tell_pools(told)
        pool_ids = list(self.registry.pools)
        if pool_ids:
            await self.leases.sweep(pool_ids)
        await self._learn_when_due()
        serving = await self._serving(pool_ids)
        await self.reality.restore_missing(set(serving))
        self._checks.begin(serving)
        await self.usages.save_when_due()
        self.loops.forget_others()
        self._sizes.spreading.forget_others(pool_ids)
        self._sizes.wear.forget_others(pool_ids)
        figures = await self.leases.figures(pool_ids) if pool_ids else {}
        for pool in list(self.registry.pools.values()):
            await self._sizes.step(pool, serving, figures.get(pool.pk, QueueFigures()), self.reality.epoch)
        await self._save(serving)
        self._ticked = True

    async def _tell_pools(self, told: Mapping[UUID, str]) -> None:
        """Redis learns each pool's settings. `told`: what it had before the rows were read; whoever changes a
        pool tells Redis by himself, and must not be overwritten with rows of a moment before."""
        for pool in self.registry.pools.values():
            rules, before = rules_of(pool), told.get(pool.pk, "")
            if before != rules.text:
                await self.leases.put_pool(pool.pk, rules, instead_of=before)

    async def _learn_when_due(self) -> None:
        if time.monotonic() - self._learned_at < EVERY * 0.9:
            return
        try:
            await self.nodes.learn()
            await self.reality.learn()
            self.creator.engine_away = None
        except EngineAway as exc:
            log.warning("reconcile without the runtime: %s", exc)
            self.creator.engine_away = str(exc)
            await self.nodes.engine_away(str(exc))
        except RuntimeFault as exc:
            log.warning("reconcile without the runtime: %s", exc)
        self._learned_at = time.monotonic()

    async def _serving(self, pool_ids: list[UUID]) -> dict[UUID, ServingAgent]:
        found = await self.leases.agents(pool_ids) if pool_ids else []
        for agent in found:
            # Redis remembers an agent whose end was written just before a crash.
            if agent.id not in self.registry.agents:
                await self.leases.remove(agent.id)
        return {agent.id: agent for agent in found if agent.id in self.registry.agents}

    async def _save(self, serving: dict[UUID, ServingAgent]) -> None:
        """Uses, last use and the fences' high-water mark go to the rows, where they survive Redis."""
        changed = []
        for agent in serving.values():
            figures = (agent.uses, agent.last_used_ms)
            if self._flushed.get(agent.id) != figures:
                self._flushed[agent.id] = figures
                at = datetime.fromtimestamp(agent.last_used_ms / 1000, UTC) if agent.last_used_ms else None
                changed.append((agent.id, agent.uses, at))
                row = self.registry.agents.get(agent.id)  # it may have gone during this round
                if row is not None:
                    row.uses, row.last_used = max(row.uses, agent.uses), at or row.last_used
        for agent_id in set(self._flushed) - set(serving):
            del self._flushed[agent_id]
        if changed:
            fence = int(await self.leases.wire.call("GET", self.leases.keys.fence) or 0)
            await in_database(rows.flush_uses, changed)
            await in_database(epochs.save_high_water, self._instance, fence)
        if time.monotonic() - self._pruned_at > 3600:
            self._pruned_at = time.monotonic()
            await in_database(rows.prune, datetime.now(UTC) - HISTORY)

    async def prune_images(self) -> None:
        """Those whose requirements no pool has any more. Beside the rounds: large ones take their time."""
        pools = self.registry.pools.values()
        await self._runtime.prune_images({tuple(pool.requirements) for pool in pools if pool.requirements})

    async def run_forever(self, stop: asyncio.Event) -> None:
        """Returns when `stop` is set, or raises NotLeading when another controller took over."""
        beside: dict[str, Callable[[], Awaitable[None]]] = {
            "the runtime's events": self.reality.follow_events,
            "nudges": self._listen,
            "the live view": partial(self._repeat, self._sampler.sample, SAMPLE_EVERY),
            "the lead": partial(self._repeat, self._renew, BEAT),
            "the alarms": partial(self._repeat, self.alarms.look, ALARMS_EVERY),
            "images": partial(self._repeat, self.prune_images, IMAGES_EVERY),
            "the runtime's upkeep": partial(self._repeat, self._runtime.upkeep, UPKEEP_EVERY),
            **self.beside,
        }
        self._sizes.await_steering(self.steered_within)
        helpers = [asyncio.create_task(loops.for_ever(loop, name)) for name, loop in beside.items()]
        halt = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._nudged.clear()
                await self._careful(self.tick)
                await asyncio.wait((halt,), timeout=NOT_FASTER_THAN)
                nudge = asyncio.create_task(self._nudged.wait())
                await asyncio.wait((halt, nudge), timeout=EVERY, return_when=asyncio.FIRST_COMPLETED)
                nudge.cancel()
        finally:
            await loops.end([*helpers, halt])

    async def _careful(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except REDIS_TROUBLE as exc:
            log.warning("Redis: %s", exc)
            await asyncio.sleep(0.2)
        except RuntimeFault as exc:
            log.warning("runtime: %s", exc)

    async def _renew(self) -> None:
        await self._leadership.renew()

    async def _repeat(self, work: Callable[[], Awaitable[None]], pause: float) -> None:
        while True:
            await asyncio.sleep(pause)
            await self._careful(work)

    async def _listen(self) -> None:
        """Nudges: somebody waits, an agent was condemned or may be worn soon, a pool was changed."""
        while True:
            try:
                client = redis.asyncio.Redis.from_url(self._redis_url)
                async with client, client.pubsub() as channel:
                    await channel.subscribe(self.leases.keys.nudge)
                    async for message in channel.listen():
                        self._nudged.set()
                        if message["data"] != WEAR:
                            self._stirred.set()
            except (RedisError, OSError) as exc:
                log.warning("nudges broke off: %s", exc)
            await asyncio.sleep(0.5)

    @property
    def leader(self) -> str:
        """By which rows know who leads."""
        return self._leadership.token

    def demands(self) -> list[Demand] | None:
        """What the agents of all pools need, of those that are not made yet, too; None before the first
        round."""
        if not self._ticked:
            return None
        return [demand for demands in self._sizes.spreading.demands.values() for demand in demands]

    def nudge(self) -> None:
        self._nudged.set()

    def steer(self, sizes: Mapping[UUID, Steering], valid: float) -> None:
        """The scaler's sizes, for the next `valid` seconds, and its ceilings, until it says others. Pools
        that are not named follow their demand."""
        self._sizes.steer(sizes, valid)
        self._nudged.set()

    async def woken(self, within: float) -> None:
        """Until somebody begins to wait, an agent ends or a pool is changed, or the seconds are over; at once
        where that happened since the last call."""
        await set_within(self._stirred, within)
        self._stirred.clear()
