"""Ten thousand ask for a lease in the same moment: as many wait as may, the others are told when to come
again, and nothing is left behind. On real Redis; the agents are registered there only."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings

from pools.facade.contracts import LeaseTimeout
from pools.leases.rules import LeaseRules
from pools.leases.scripts import Grant
from pools.leases.store import AsyncLeases
from pools.leases.wire import PATIENCE, Wire
from pools.services.broker.grants import INBOX_WAIT, Grants
from tests.fakes.pools import until

HERD, AGENTS, MOST = 10_000, 20, 1_000
TEAMS = (1, 2, 3)
PLENTY = 1_000_000


class Door:
    """A process through which outsiders ask: one of several that know nothing of each other."""

    def __init__(self, prefix: str, most_waiting: int) -> None:
        self.wire = Wire(settings.REDIS_URL, patience=120)
        self.inbox = Wire(settings.REDIS_URL, patience=INBOX_WAIT + 120 + PATIENCE)
        self.leases = AsyncLeases(self.wire, prefix)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.grants = Grants(
            self.leases,
            self.inbox,
            spawn=lambda work: self.tasks.add(asyncio.ensure_future(work)),
            on_lost=lambda token: pytest.fail(f"lease {token} was lost"),
            is_held=lambda _: True,
            ttl=600,
            most_waiting=most_waiting,
        )
        self.listening = asyncio.create_task(self.grants.listen())

    async def close(self) -> None:
        await asyncio.gather(*self.tasks)
        self.listening.cancel()
        await asyncio.gather(self.listening, return_exceptions=True)
        await self.inbox.close()
        await self.wire.close()


@asynccontextmanager
async def doors(count: int, most_waiting: int) -> AsyncIterator[list[Door]]:
    prefix = f"aflow:herd-{uuid4().hex[:8]}:pools"
    opened = [Door(prefix, most_waiting) for _ in range(count)]
    try:
        yield opened
    finally:
        for door in opened:
            await door.close()


async def stock(door: Door, **rules: Any) -> UUID:
    pool = uuid4()
    shares = dict.fromkeys(TEAMS[1:], 1.0)
    await door.leases.begin_epoch(1, 2**32)
    await door.leases.put_pool(pool, LeaseRules(TEAMS[0], PLENTY, mixes=True, shares=shares, **rules))
    for number in range(AGENTS):
        await door.leases.register(pool, uuid4(), f"a:{number}")
    return pool


async def keys_left(door: Door) -> set[bytes]:
    """What Redis still holds of leases, waiters and queues."""
    found = await door.wire.call("KEYS", f"{door.leases.keys.prefix}:*")
    parts = (b":lease:", b":waiters", b":queue:", b":turns", b":holders", b":leases", b":client:")
    return {key for key in found if any(part in key for part in parts)}


async def test_ten_thousand_at_once() -> None:
    """Three processes let in exactly as many as may wait, though all ask before any has an answer."""
    async with doors(3, MOST) as opened:
        pool = await stock(opened[0])
        asked, fences, held = 0, [], Counter[UUID]()
        refused: Counter[str] = Counter()
        all_asked = asyncio.Event()  # nobody gives back before: the queue is as long as it gets

        def note(answered: int) -> None:
            nonlocal asked
            asked += answered
            if asked == HERD - MOST:
                all_asked.set()

        async def work(number: int) -> None:
            door = opened[number % len(opened)]
            try:
                grant = await door.grants.obtain(pool, f"api/{number}", TEAMS[number % 3], 600, 0)
            except LeaseTimeout as exc:
                refused[exc.headers["Retry-After"]] += 1
                note(1)
                return
            note(0 if all_asked.is_set() else 1)
            await use(door, grant)

        async def use(door: Door, grant: Grant) -> None:
            held[grant.agent_id] += 1
            assert held[grant.agent_id] == 1, "an agent has one lease at a time"
            fences.append(grant.fence)
            await all_asked.wait()
            held[grant.agent_id] -= 1
            assert await door.leases.release(grant.token, "ok", 1)

        await asyncio.gather(*(work(number) for number in range(HERD)))
        assert refused == {"5": HERD - MOST - AGENTS}
        assert len(fences) == len(set(fences)) == MOST + AGENTS
        figures = (await opened[0].leases.figures([pool]))[pool]
        assert (figures.leases, figures.waiting, figures.idle) == (0, 0, AGENTS)
        assert figures.wait_count == MOST + AGENTS
        uses = sum(agent.uses for agent in await opened[0].leases.agents([pool]))
        assert uses == MOST + AGENTS
        assert await keys_left(opened[0]) == set()


async def test_whoever_waits_already_is_not_sent_away() -> None:
    """Asking again keeps the place, also in a full queue; runs' own steps are let in whatever waits."""
    async with doors(2, 1) as (door, other):
        pool = await stock(door)
        grants = [await door.grants.obtain(pool, f"api/{n}", 1, 60, 0) for n in range(AGENTS)]
        waiting = asyncio.create_task(door.grants.obtain(pool, "api/first", 1, 60, 0))

        async def queued() -> bool:
            return (await door.leases.figures([pool]))[pool].waiting == 1

        await until(queued)
        with pytest.raises(LeaseTimeout, match="1 others wait"):
            await other.grants.obtain(pool, "api/second", 1, 60, 0)
        again = await door.leases.acquire(
            str(pool), "api/first", client="", team_id=1, token="t", wait=60, most_waiting=1
        )
        assert again.outcome == "waiting"
        inside = await door.leases.acquire(str(pool), "run/1", client="", team_id=1, token="r", wait=60)
        assert inside.outcome == "waiting"
        await door.leases.withdraw(str(pool), "run/1", "r", keep=False)
        # Asking again had moved the place to another client; the first one looks after it, and has it back.
        for grant in grants:
            await door.leases.release(grant.token, "ok", 1)
        assert (await waiting).agent_id
