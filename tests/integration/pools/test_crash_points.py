"""A controller and a broker that are killed before and after every await on something outside, one run each.

The in-memory engine, real Redis, the real database. Each scenario is first lived through to count its points;
then it is lived again for each of them, up to the death there. Then another controller takes over and has its
rounds, and everything must be as it should: rows = labels of containers = Redis, every counter = a recount.

Where the invariants of the pools' design are held: SCRIPTS is `tests/property/pools/test_lease_machine.py`,
HERE this module, CHAOS real processes and containers (`tests/chaos`, `./aflow bench soak`).

| | invariant | held by |
| --- | --- | --- |
| 1 | concurrency, rising fences, no stale write | SCRIPTS, HERE (`recount`, `a_fresh_lease`) |
| 2 | min ≤ settled ≤ max, live containers ≤ max | HERE (`settled`, `Engine.most`), `test_sizing` |
| 3 | one state for each agent, counters = a recount | SCRIPTS, HERE (`recount`) |
| 4 | labels = registry after a reconcile | HERE (`settled`), CHAOS |
| 5 | no lease on leaving agents, none killed under one | SCRIPTS, HERE (the tenant of some scenarios) |
| 6 | uses and age are bounded | SCRIPTS, `test_settings` |
| 7 | a waiter is granted, timed out or cancelled once | SCRIPTS, HERE (`waits`), `test_herd` |
| 8 | no waiter beside a fitting idle agent | SCRIPTS, HERE (`settled`) |
| 9 | the service gap between tenants is bounded | `./aflow bench fair`; SCRIPTS (order inside a team) |
| 10 | an attempt has one effect | SCRIPTS, HERE (`the_same_attempt_goes_on`) |
| 11 | a broken image: creations are bounded | `test_breaker`, `test_crash_loops` (successors forgive anew) |
| 12 | metered seconds = lifetimes | HERE (`metered`) |
| 13 | cancelling leaks nothing | SCRIPTS, HERE (the broker's day), `test_serving`, CHAOS |
| 14 | no reuse across tenants | SCRIPTS |
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from channels.db import database_sync_to_async
from django.conf import settings

from pools.domain.agents import LIVE, AgentState
from pools.facade.contracts import LeaseOutcome, LeaseTimeout
from pools.leases.scripts import load
from pools.leases.store import AsyncLeases
from pools.leases.wire import Wire
from pools.models import Agent, EndedAgents, Node, Pool, PoolEpoch
from pools.runtime.base import AgentHandle, AgentSpec
from pools.runtime.memory import MemoryRuntime
from pools.services.broker.broker import Broker
from pools.services.controller import controller as controllers
from pools.services.controller.controller import PoolController
from teams.models import Team
from tests.factories.pools import make_pool, make_team
from tests.fakes.crashes import Process, know_tasks, mortal_ports
from tests.fakes.pools import Plant, invocation

pytestmark = pytest.mark.django_db(transaction=True)

# Each script sees the next millisecond, and time passes when a test says so.
CLOCK = "local now = redis.call('INCR', ARGV[1] .. ':now')"
SCRIPTS = load(CLOCK)
LONG = 3600.0
ROUNDS = 60  # in which a new controller must have settled


class Engine(MemoryRuntime):
    """`most`: how many containers there ever were at once."""

    most = 0

    async def create(self, spec: AgentSpec) -> AgentHandle:
        handle = await super().create(spec)
        self.most = max(self.most, len(self.agents))
        return handle


class World:
    """One installation with one pool; `team` leases. What it does itself is no process, and never dies."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.engine = Engine()
        self.plant = Plant(self.engine)
        self.wire = Wire(settings.REDIS_URL)
        self.leases = AsyncLeases(self.wire, self.plant.prefix, SCRIPTS)
        self.open: list[PoolController | Broker] = []
        self.pool: Pool = Pool()
        self.tenants: list[str] = []  # tokens of leases that must outlive whatever happens
        self.last_fence = 0

    async def begin(self, **values: Any) -> None:
        self.pool = await database_sync_to_async(make_pool)(self.team, **values)
        await self.wire.call("SET", f"{self.plant.prefix}:now", 1_700_000_000_000)

    def controller(self) -> PoolController:
        controller = self.plant.controller()
        controller.leases._scripts = SCRIPTS
        self.open.append(controller)
        return controller

    def broker(self) -> Broker:
        broker = self.plant.broker()
        broker.leases._scripts = SCRIPTS
        self.open.append(broker)
        return broker

    async def close(self) -> None:
        for one in self.open:
            await one._http.close()
            await one._wire.close()
            if isinstance(one, Broker):
                await one._inbox.close()
        await self.wire.close()
        await self.engine.close()
        await database_sync_to_async(self._forget)()

    def _forget(self) -> None:
        for model in (Agent, EndedAgents, Pool, Node, PoolEpoch):
            model.objects.all().delete()

    # --- what the world does -----------------------------------------------------------------------------

    async def time_passes(self, seconds: float) -> None:
        await self.wire.call("INCRBY", f"{self.plant.prefix}:now", int(seconds * 1000))

    async def lease(self, holder: str, *, wait: float = 0.0, priority: int = 0) -> Any:
        pool, token = str(self.pool.pk), uuid4().hex
        return await self.leases.acquire(
            pool, holder, client="", team_id=self.team.pk, token=token, wait=wait, priority=priority, ttl=LONG
        )

    async def settle_in(self) -> str:
        """Somebody who holds an agent all the time. Returns the token."""
        answer = await self.lease("tenant")
        assert answer.grant is not None
        self.tenants.append(answer.grant.token)
        return str(answer.grant.token)

    async def change(self, **values: Any) -> None:
        await database_sync_to_async(Pool.objects.filter(pk=self.pool.pk).update)(**values)

    async def flush(self) -> None:
        for key in await self.wire.call("KEYS", f"{self.plant.prefix}*"):
            if not key.endswith(b":now"):
                await self.wire.call("DEL", key)

    async def rounds(self, controller: PoolController, enough: Callable[[], Awaitable[bool]]) -> bool:
        """Rounds of the controller until it is enough; whether it was."""
        for _ in range(ROUNDS):
            await controller.tick()
            tasks = (*controller.creator.tasks.values(), *controller.remover.tasks.values())
            await asyncio.gather(*tasks, *controller.reality._restoring.values(), return_exceptions=True)
            if await enough():
                return True
        return False

    # --- what must be true -------------------------------------------------------------------------------

    @database_sync_to_async
    def rows(self) -> dict[UUID, str]:
        live = [state.value for state in LIVE]
        return dict(Agent.objects.filter(state__in=live).values_list("pk", "state"))

    async def wanted(self) -> tuple[int, int]:
        pool: Pool | None = await database_sync_to_async(Pool.objects.filter(pk=self.pool.pk).first)()
        if pool is None or pool.deleted_at is not None or pool.drained_at is not None:
            return 0, 0
        return pool.min_size, pool.max_size

    async def settled(self) -> bool:
        """4, 2, 8: rows = containers = Redis, all in service, between min and max, nobody waits in vain."""
        rows, known = await self.rows(), await self.leases.agents([self.pool.pk])
        low, high = await self.wanted()
        figures = (await self.leases.figures([self.pool.pk]))[self.pool.pk]
        return (
            set(rows) == set(self.engine.agents) == {agent.id for agent in known}
            and set(rows.values()) <= {AgentState.IDLE.value}
            and all(agent.state in ("idle", "leased") for agent in known)
            and low <= len(rows) <= high
            and not (figures.waiting and figures.idle)
        )

    async def recount(self) -> None:
        """1, 3: every number that Redis keeps, against what it is the number of."""
        base, prefix = self.leases.keys.pool_hash(self.pool.pk), self.plant.prefix
        call = self.wire.call
        tokens = {key.decode().rpartition(":")[2] for key in await call("KEYS", f"{prefix}:lease:*")}
        assert {token.decode() for token in await call("ZRANGE", f"{base}:leases", 0, -1)} == tokens
        held = await call("HVALS", f"{base}:holders")
        assert sorted(token.decode() for token in held) == sorted(tokens)
        idle, busy = set(await call("ZRANGE", f"{base}:idle", 0, -1)), set()
        for agent in await call("SMEMBERS", f"{base}:agents"):
            key = f"{prefix}:agent:{agent.decode()}"
            mine = {token.decode() for token in await call("SMEMBERS", f"{key}:leases")}
            assert mine <= tokens
            tokens -= mine
            number, slots, reserved, state = await call("HMGET", key, "busy", "slots", "reserved", "state")
            assert int(number) == len(mine) <= int(slots)
            left = [int(await call("HGET", f"{prefix}:lease:{token}", "uses_left")) for token in mine]
            assert int(reserved) == sum(left)
            assert (state == b"leased", agent in idle) == (bool(mine), not mine)
            busy |= {agent} if mine else set()
        assert not tokens, "a lease of no agent"
        assert await call("SCARD", f"{base}:condemned") == 0
        assert idle | busy == set(await call("SMEMBERS", f"{base}:agents"))
        queues = [await call("ZCARD", key) for key in await call("KEYS", f"{base}:queue:*")]
        assert sum(queues) == await call("HLEN", f"{base}:waiters")

    @database_sync_to_async
    def metered(self) -> None:
        """12: the totals of ended agents are those of their rows."""
        ended = list(Agent.objects.filter(state=AgentState.GONE.value))
        numbers = Counter(agent.end_reason for agent in ended)
        totals = list(EndedAgents.objects.all())
        assert {total.reason: total.number for total in totals} == dict(numbers)
        lived = sum((agent.ended_at - agent.started_at).total_seconds() for agent in ended if agent.ended_at)
        assert sum(total.seconds for total in totals) == pytest.approx(lived, abs=0.01)

    async def all_is_well(self, controller: PoolController) -> None:
        assert await self.rounds(controller, self.settled), await self.what_is_wrong()
        assert self.engine.most <= self.pool.max_size, "2: never more containers than max_size"
        for token in self.tenants:
            (expiry,) = await self.leases.heartbeat([token])
            assert expiry, "5: a lease was ended under its holder"
        await self.recount()
        await self.metered()

    async def what_is_wrong(self) -> str:
        known = [(agent.id, agent.state, agent.drain) for agent in await self.leases.agents([self.pool.pk])]
        wanted = await self.wanted()
        return (
            f"rows {await self.rows()}, containers {set(self.engine.agents)}, Redis {known}, wanted {wanted}"
        )

    async def a_fresh_lease(self) -> None:
        """1: its fence is above all before it."""
        answer = await self.lease(f"fresh {uuid4()}")
        if answer.grant is not None:
            assert answer.grant.fence > self.last_fence
            self.last_fence = answer.grant.fence
            assert await self.leases.release(answer.grant.token, "ok", 0)


# --- the controller's days -------------------------------------------------------------------------------

Prepare = Callable[[World, PoolController], Awaitable[None]]


async def nothing(world: World, controller: PoolController) -> None:
    """From an empty installation: the lead, the epoch, the first agents."""


async def ready(world: World, controller: PoolController) -> None:
    await controller.start()
    assert await world.rounds(controller, world.settled)
    await world.a_fresh_lease()


async def poisoned(world: World, controller: PoolController) -> None:
    """One agent is condemned after its lease; beside it somebody is at work, and somebody waits."""
    await ready(world, controller)
    await world.settle_in()
    bad = await world.lease("bad")
    await world.lease("waiter", wait=LONG)
    assert await world.leases.release(bad.grant.token, "poison", 1)
    await world.lease("second waiter", wait=LONG)


async def missing(world: World, controller: PoolController) -> None:
    """One agent is dead, and no event told of it."""
    await ready(world, controller)
    await world.settle_in()
    held = {agent.id for agent in await world.leases.agents([world.pool.pk]) if agent.state == "leased"}
    await world.engine.remove(next(iter(set(world.engine.agents) - held)))


async def outdated(world: World, controller: PoolController) -> None:
    """Agents of another making are wanted; one that is leased stays until its lease ends."""
    await ready(world, controller)
    await world.change(pids=300)


async def without_memory(world: World, controller: PoolController) -> None:
    """Redis is empty."""
    await ready(world, controller)
    await world.lease("before", wait=LONG)
    await world.flush()


async def too_many(world: World, controller: PoolController) -> None:
    """The pool is to be smaller, and somebody is at work in it."""
    await ready(world, controller)
    await world.settle_in()
    await world.change(min_size=1, target_size=1)


async def drained(world: World, controller: PoolController) -> None:
    await ready(world, controller)
    await world.change(drained_at=datetime.now(UTC))


async def deleted(world: World, controller: PoolController) -> None:
    await ready(world, controller)
    await world.change(deleted_at=datetime.now(UTC))


DAYS: dict[str, Prepare] = {
    day.__name__: day
    for day in (nothing, poisoned, missing, outdated, without_memory, too_many, drained, deleted)
}


@pytest.fixture
async def team(monkeypatch: pytest.MonkeyPatch) -> Team:
    mortal_ports(monkeypatch, Engine)
    know_tasks(asyncio.get_running_loop())
    monkeypatch.setattr(controllers, "EVERY", 0.0)  # every round looks at what runs
    team: Team = await database_sync_to_async(make_team)()
    return team


@asynccontextmanager
async def world_of(team: Team, **values: Any) -> AsyncIterator[World]:
    world = World(team)
    await world.begin(**{"min_size": 2, "max_size": 3, "image": "echo", **values})
    world.engine.images["echo"] = lambda value: value
    try:
        yield world
    finally:
        await world.close()


async def a_day(team: Team, prepare: Prepare, crash_at: int) -> list[str]:
    """Lives it up to the crash, then has another controller clean up. Returns the points reached."""
    async with world_of(team) as world:
        process, controller = Process(crash_at), world.controller()

        async def live() -> None:
            await prepare(world, controller)
            process.armed = True
            if prepare is nothing:
                await controller.start()
            assert await world.rounds(controller, world.settled), await world.what_is_wrong()
            process.armed = False

        await process.live(live())
        await world.wire.call("DEL", f"{world.plant.prefix}:leader")  # its time is up
        successor = world.controller()
        await successor.start()
        await world.all_is_well(successor)
        await world.a_fresh_lease()
        await waits(world)
        return process.points


async def waits(world: World) -> None:
    """7: whoever waited before has a lease now, or still waits; once, and at its old place."""
    base = world.leases.keys.pool_hash(world.pool.pk)
    holders = [holder.decode() for holder in await world.wire.call("HKEYS", f"{base}:holders")]
    queue = [holder.decode() for holder in await world.wire.call("HKEYS", f"{base}:waiters")]
    assert len(set(holders + queue)) == len(holders) + len(queue)
    if "second waiter" in holders:
        assert "waiter" in holders, "the first one was passed over"


@asynccontextmanager
async def crash_at(number: int, point: str) -> AsyncIterator[None]:
    """Failures tell of which crash they are (tasks side by side may come in another order the next time)."""
    try:
        async with asyncio.timeout(10):
            yield
    except (Exception, pytest.fail.Exception) as exc:
        exc.add_note(f"It was killed at point {number}, {point}.")
        raise


@pytest.mark.parametrize("day", DAYS)
async def test_a_controller_that_is_killed_anywhere(team: Team, day: str) -> None:
    points = await a_day(team, DAYS[day], 2**31)
    for number, point in enumerate(points):
        async with crash_at(number, point):
            await a_day(team, DAYS[day], number)


# --- the broker's day ------------------------------------------------------------------------------------


async def serve(world: World, process: Process, broker: Broker, told: list[int]) -> None:
    """Two attempts at once on two agents, one that waits, one that gives up, one that is cancelled."""
    pool, team = world.pool.pk, world.team.pk
    process.armed = True
    await broker.start()

    async def attempt(name: str) -> None:
        lease = await broker.acquire(pool, holder=name, team_id=team, timeout=LONG)
        told.append(lease.fence)
        result = await broker.invoke(lease, invocation({"x": 1}, runs=None))
        assert result.results[0].output == {"x": 1}
        assert await broker.release(lease, LeaseOutcome.OK)

    await asyncio.gather(*(attempt(f"run/{number}") for number in range(4)))
    kept = [await broker.acquire(pool, holder=f"kept/{n}", team_id=team, timeout=LONG) for n in range(3)]
    told += [lease.fence for lease in kept]
    with pytest.raises(LeaseTimeout):
        await broker.acquire(pool, holder="late", team_id=team, timeout=0.01)
    cancelled = asyncio.create_task(broker.acquire(pool, holder="cancelled", team_id=team, timeout=LONG))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert await broker.leases.heartbeat([lease.token for lease in kept])
    await broker.release(kept[0], LeaseOutcome.POISON)
    await broker.release(kept[1], LeaseOutcome.ERROR)
    process.armed = False


async def a_brokers_day(team: Team, crash_at: int) -> list[str]:
    async with world_of(team, min_size=3, max_size=3) as world:
        controller = world.controller()
        await ready(world, controller)
        process, broker = Process(crash_at), world.broker()
        told: list[int] = []  # fences
        await process.live(serve(world, process, broker, told))
        for task in (*broker._loops, *broker._tasks):
            task.cancel()
        world.last_fence = max([world.last_fence, *told])
        assert len(set(told)) == len(told)
        await the_same_attempt_goes_on(world, controller)
        await world.time_passes(LONG + 60)
        await world.all_is_well(controller)
        figures = (await world.leases.figures([world.pool.pk]))[world.pool.pk]
        assert (figures.leases, figures.waiting, figures.idle) == (0, 0, 3), "13: nothing is left of it"
        await world.a_fresh_lease()
        return process.points


async def the_same_attempt_goes_on(world: World, controller: PoolController) -> None:
    """10: in another process, with the lease that it had, if it had one."""
    pool = world.pool.pk
    base = world.leases.keys.pool_hash(pool)
    names = await world.wire.call("HGETALL", f"{base}:holders")
    held = {names[n].decode(): names[n + 1].decode() for n in range(0, len(names), 2)}
    if "run/0" not in held:
        return
    other = world.broker()
    await other.start()
    lease = await other.acquire(pool, holder="run/0", team_id=world.team.pk, timeout=LONG)
    assert lease.token == held["run/0"]
    assert (await other.invoke(lease, invocation({"x": 1}, runs=None))).results[0].output == {"x": 1}
    assert await other.release(lease, LeaseOutcome.OK)
    assert not await world.leases.release(lease.token, "ok", 1), "what the dead one might still say is void"
    for task in other._loops:
        task.cancel()


async def test_a_broker_that_is_killed_anywhere(team: Team) -> None:
    points = await a_brokers_day(team, 2**31)
    for number, point in enumerate(points):
        async with crash_at(number, point):
            await a_brokers_day(team, number)
