"""Agents whose uses go: the controller is woken in time, and sees who is nearly worn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis.asyncio
from django.conf import settings
from django.utils import timezone

from pools.domain.sizing import SizePlan
from pools.domain.wear import LONGER
from pools.leases.rules import LeaseRules
from pools.leases.scripts import QueueFigures, ServingAgent
from pools.leases.store import AsyncLeases
from pools.leases.wire import Wire
from pools.models import Agent, Pool
from pools.services.controller import wear as module
from pools.services.controller.wear import Wear

MAX_USES = 100


@pytest.fixture
async def leases() -> AsyncIterator[AsyncLeases]:
    wire = Wire(settings.REDIS_URL)
    await wire.connect()
    found = AsyncLeases(wire, f"aflow:worn-{uuid4().hex[:8]}:pools")
    await found.begin_epoch(1, 1)
    yield found
    for key in await wire.call("KEYS", f"{found.keys.prefix}*"):
        await wire.call("DEL", key)
    await wire.close()


class Nudges:
    """Counts what the controller would hear."""

    def __init__(self, leases: AsyncLeases, channel: Any) -> None:
        self._leases, self._channel = leases, channel

    async def heard(self) -> list[str]:
        """Since the last call."""
        mark = uuid4().hex
        await self._leases.nudge(mark)
        found: list[str] = []
        async for message in self._channel.listen():
            if message["type"] == "message":
                if message["data"].decode() == mark:
                    return found
                found.append(message["data"].decode())
        return found


@pytest.fixture
async def nudges(leases: AsyncLeases) -> AsyncIterator[Nudges]:
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    async with client, client.pubsub() as channel:
        await channel.subscribe(leases.keys.nudge)
        yield Nudges(leases, channel)


async def lease(leases: AsyncLeases, pool: Any) -> str:
    token = uuid4().hex
    answer = await leases.acquire(str(pool), token, client="c", team_id=1, token=token, wait=0)
    assert answer.outcome == "granted"
    return token


async def test_the_controller_is_nudged_once_when_a_pool_has_been_used_so_often(
    leases: AsyncLeases, nudges: Nudges
) -> None:
    pool, agent = uuid4(), uuid4()
    await leases.put_pool(pool, LeaseRules(1, MAX_USES))
    await leases.register(pool, agent, "a:1", boot="b")
    await leases.wake_at(pool, 90, 7, 3)
    heard = {}
    for uses in (80, 9, 1, 5, 5):
        await leases.release(await lease(leases, pool), "ok", uses)
        heard[await leases.uses_of(agent)] = await nudges.heard()
    # And when it is condemned.
    assert heard == {80: [], 89: [], 90: ["wear"], 95: [], 100: [str(pool)]}
    figures = (await leases.figures([pool]))[pool]
    assert (figures.used, figures.wake_at, figures.expected, figures.spares) == (100, 90, 7, 3)


@pytest.mark.parametrize(("mark", "slots", "heard"), [(0, 1, 0), (5, 1, 1), (5, 2, 0)])
async def test_the_last_use_of_an_agent_is_told_when_it_begins(
    leases: AsyncLeases, nudges: Nudges, mark: int, slots: int, heard: int
) -> None:
    """Of one that has a lease at a time: the uses of others say little of the last."""
    pool = uuid4()
    await leases.put_pool(pool, LeaseRules(1, 2))
    await leases.register(pool, uuid4(), "a:1", boot="b", slots=slots)
    await leases.wake_at(pool, mark, 0, 0)
    await leases.release(await lease(leases, pool), "ok", 1)
    await nudges.heard()
    await lease(leases, pool)
    assert await nudges.heard() == ["wear"] * heard


async def test_nothing_is_written_of_a_pool_that_redis_does_not_know(leases: AsyncLeases) -> None:
    pool = uuid4()
    await leases.wake_at(pool, 10, 10, 10)
    assert await leases.wire.call("EXISTS", leases.keys.pool_hash(pool)) == 0


async def test_a_mark_that_was_passed_before_it_was_set_wakes_at_once(
    leases: AsyncLeases, nudges: Nudges
) -> None:
    pool = uuid4()
    await leases.put_pool(pool, LeaseRules(1, MAX_USES))
    await leases.register(pool, uuid4(), "a:1", boot="b")
    await leases.release(await lease(leases, pool), "ok", 5)
    await nudges.heard()
    await leases.wake_at(pool, 6, 0, 0)
    assert await nudges.heard() == []
    await leases.wake_at(pool, 5, 0, 0)
    assert await nudges.heard() == ["wear"]


@pytest.mark.parametrize(
    ("used", "before", "turn", "after"),
    [
        (100, 0, 5, 105),  # the first
        (100, 100, 5, 105),  # one that is over
        (100, 103, 5, 103),  # one that comes sooner
        (100, 110, 5, 105),
        (100, 110, None, 0),
        (100, 0, None, 0),
    ],
)
async def test_the_mark_that_comes_first_counts(
    leases: AsyncLeases, used: int, before: int, turn: int | None, after: int
) -> None:
    pool = Pool()
    await leases.put_pool(pool.pk, LeaseRules(1, MAX_USES))
    await leases.wake_at(pool.pk, before, 0, 0)
    spent = module.Spent([], [], 0, 0, 3.4, turn)
    figures = QueueFigures(used=used, wake_at=before)
    await Wear(leases).tell(pool, spent, SizePlan(ahead=True, spares=2), figures)
    found = (await leases.figures([pool.pk]))[pool.pk]
    assert (found.wake_at, found.expected, found.spares) == (after, 3, 2)


async def test_where_there_is_no_room_there_is_no_mark(leases: AsyncLeases) -> None:
    pool = Pool()
    await leases.put_pool(pool.pk, LeaseRules(1, MAX_USES))
    spent = module.Spent([], [], 0, 0, 0.0, 5)
    await Wear(leases).tell(pool, spent, SizePlan(ahead=False), QueueFigures(used=100, wake_at=103))
    assert (await leases.figures([pool.pk]))[pool.pk].wake_at == 0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Seen:
    """A pool of two agents that took `start` seconds until they served."""

    def __init__(self, leases: AsyncLeases, start: float = 1.0, **settings_: Any) -> None:
        self.wear = Wear(leases)
        self.pool = Pool(max_uses=MAX_USES, **settings_)
        begun = timezone.now()
        self.agents = [
            Agent(
                id=uuid4(),
                pool=self.pool,
                state="idle",
                started_at=begun,
                ready_at=begun + timedelta(seconds=start),
            )
            for _ in range(2)
        ]

    def look(
        self, used: int, *uses: int, state: str = "idle", leases: int = 0, parked: int = 0
    ) -> module.Spent:
        serving = {
            agent.pk: ServingAgent(
                agent.pk, self.pool.pk, state, each, 0, "b", "", leases, "", 0, parked, each
            )
            for agent, each in zip(self.agents, uses, strict=True)
        }
        return self.wear.look(self.pool, self.agents, serving, QueueFigures(used=used))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    return found


def looked_at(clock: Clock, seen: Seen, pace: int, *uses: int, **more: Any) -> module.Spent:
    """After ten seconds at so many uses a second."""
    seen.look(0, 0, 0)
    for second in range(10):
        clock.now += 1
        seen.wear.read({seen.pool.pk: QueueFigures(used=(second + 1) * pace)})
    return seen.look(10 * pace, *uses, **more)


def test_the_faster_the_sooner(leases: AsyncLeases, clock: Clock) -> None:
    assert looked_at(clock, Seen(leases, 2.0), 6, 80, 0).wearing == 0
    found = looked_at(clock, Seen(leases, 2.0), 10, 80, 0)
    assert (found.wearing, found.expected, found.next_turn, found.worn) == (1, 30, 90, [])
    assert looked_at(clock, Seen(leases, 2.0), 40, 80, 0).wearing == 2


def test_the_longer_agents_start_the_sooner(leases: AsyncLeases, clock: Clock) -> None:
    assert looked_at(clock, Seen(leases, 2.0), 6, 80, 0).wearing == 0
    assert looked_at(clock, Seen(leases, 4.0), 6, 80, 0).wearing == 1


@pytest.mark.parametrize(("start", "counts"), [(-3600.0, 1), (3600.0, 60 * LONGER)])
def test_a_clock_that_was_set_makes_no_start_of_it(
    leases: AsyncLeases, clock: Clock, start: float, counts: float
) -> None:
    seen = Seen(leases, start)
    seen.look(0, 0, 0)
    for second in range(100):
        clock.now += 1
        seen.wear.read({seen.pool.pk: QueueFigures(used=second + 1)})
    assert seen.look(100, 0, 0).expected == counts


def test_the_worn_leave_the_most_used_first_when_they_are_idle(leases: AsyncLeases, clock: Clock) -> None:
    seen = Seen(leases)
    found = looked_at(clock, seen, 0, 98, 99)
    assert found.worn[0].pk == seen.agents[1].pk
    assert found.wearing == 1, "one after the other"
    assert looked_at(clock, Seen(leases), 0, 89, 89).worn == []
    found = looked_at(clock, Seen(leases), 0, 99, 99, state="leased", leases=1)
    assert (found.wearing, found.worn) == (1, [])


def test_a_lease_that_runs_is_a_use(leases: AsyncLeases, clock: Clock) -> None:
    """Of an agent for few uses, which are not given away."""
    seen = Seen(leases)
    seen.pool.max_uses = 2
    assert looked_at(clock, seen, 0, 1, 0).wearing == 0
    assert looked_at(clock, seen, 0, 1, 0, state="leased", leases=1).wearing == 1


def test_agents_on_which_bodies_rest_are_replaced_already(leases: AsyncLeases, clock: Clock) -> None:
    found = looked_at(clock, Seen(leases), 0, 100, 100, state="leased", leases=1, parked=1)
    assert (found.wearing, found.next_turn) == (0, None)


def test_agents_that_start_are_unworn(leases: AsyncLeases, clock: Clock) -> None:
    seen = Seen(leases)
    for agent in seen.agents:
        agent.state, agent.ready_at = "creating", None
    seen.wear.look(seen.pool, seen.agents, {}, QueueFigures(used=0))
    clock.now += 1
    found = seen.wear.look(seen.pool, seen.agents, {}, QueueFigures(used=150))
    assert found.wearing == 1, "of two with a hundred each, as many as were used within a start"


def test_what_a_pool_was_used_for_is_forgotten_with_it(leases: AsyncLeases, clock: Clock) -> None:
    seen = Seen(leases)
    assert looked_at(clock, seen, 100, 80, 0).wearing == 2
    seen.wear.forget_others([seen.pool.pk])
    assert seen.look(1000, 80, 0).wearing == 2
    seen.wear.forget_others([])
    assert seen.look(1000, 80, 0).wearing == 0
