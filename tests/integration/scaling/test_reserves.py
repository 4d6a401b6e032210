"""Reserves in Redis: they say what `domain.budgets.Till` says, in order, and outlive a loss of memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from uuid import UUID, uuid4

import pytest
import redis
import redis.asyncio
from django.conf import settings

from scaling.domain.budgets import Reserve, Till
from scaling.reserves import store
from scaling.reserves.store import Asker, AsyncReserves, Refusal, Reserved, Reserves
from tests.fakes.pools import until

POOL = uuid4()
NO_TILL = {"spent": 0.0, "at": 0.0, "rate": 0.0, "committed": 0.0}


@dataclass
class Bank:
    ask: AsyncReserves
    keep: Reserves
    client: redis.asyncio.Redis
    prefix: str

    async def put(
        self, budget: UUID, limit: float, *, enforce: bool = True, most: int | None = None, **till: float
    ) -> None:
        figures = Till(limit, **{**NO_TILL, **till})
        allowed = {} if most is None else {POOL: most}
        await asyncio.to_thread(self.keep.put, budget, figures, allowed, enforce=enforce)

    async def reserve(
        self,
        holder: str,
        *budgets: UUID,
        amount: float = 1.0,
        priority: int = 0,
        only_ask: bool = False,
        asker: Asker | None = None,
    ) -> Refusal | None:
        """`amount` over ten minutes, so that none of it is spent while the test runs."""
        return await self.ask.reserve(
            holder,
            budgets,
            pool=POOL,
            seconds=600.0,
            rate=amount / 600,
            priority=priority,
            only_ask=only_ask,
            asker=asker,
        )


@pytest.fixture
async def bank(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bank]:
    monkeypatch.setattr(store, "OPENS_AFTER", 0.0)
    prefix = f"test-{uuid4().hex}"
    threads = redis.Redis.from_url(settings.REDIS_URL)
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    yield Bank(AsyncReserves(client, prefix), Reserves(threads, prefix), client, prefix)
    await client.aclose()
    threads.close()


async def test_the_scripts_say_what_the_rules_say(bank: Bank) -> None:
    random, budget = Random(3), uuid4()
    granted = refused = 0
    held: dict[str, Reserve] = {}
    for number in range(300):
        till = Till(
            limit=random.uniform(0, 30),
            spent=random.uniform(0, 10),
            at=0.0,
            rate=0.0,
            committed=random.uniform(0, 3),
        )
        await asyncio.to_thread(bank.keep.put, budget, till, {}, enforce=True)
        amount, holder = random.uniform(0.01, 4), f"h{number}"
        free = till.free(held.values(), 0.0)
        answer = await bank.reserve(holder, budget, amount=amount)
        if abs(free - amount) > 0.05:  # some milliseconds of the reserves have passed
            assert (answer is None) == (amount <= free), f"{amount} of {free}"
        if answer is None:
            granted += 1
            held[holder] = Reserve(600.0, amount / 600)
        else:
            refused += 1
            await bank.ask.settle(holder, [budget])  # it does not wait
        if held and random.random() < 0.4:
            gone = random.choice(sorted(held))
            del held[gone]
            await bank.ask.settle(gone, [budget])
    assert granted > 50
    assert refused > 50
    standing = await asyncio.to_thread(bank.keep.standing, budget)
    assert standing.reserved == pytest.approx(sum(one.at(0.0) for one in held.values()), abs=0.1)


async def test_agents_are_taken_to_live_on_between_two_looks(bank: Bank) -> None:
    budget = uuid4()
    await bank.put(budget, 10.0, rate=1000.0)  # a second costs a hundred times the budget
    await asyncio.sleep(0.05)
    assert await bank.reserve("a", budget) is not None


async def test_a_budget_that_nobody_looked_at_for_long_is_not_said_to_be_full(bank: Bank) -> None:
    """No controller ran; the agents that it saw last may be gone since."""
    budget = uuid4()
    await bank.put(budget, 10.0, rate=1.0)
    key = f"{bank.prefix}:budget:{budget}"
    await bank.client.hincrbyfloat(key, "at", -3_600_000.0)
    answer = await bank.reserve("a", budget)
    assert answer is not None
    assert answer.kind == "opening"
    await bank.put(budget, 10.0, rate=1.0)
    assert await bank.reserve("a", budget) is None


async def test_in_all_budgets_or_in_none(bank: Bank) -> None:
    rich, poor = uuid4(), uuid4()
    await bank.put(rich, 10.0)
    await bank.put(poor, 0.5)
    answer = await bank.reserve("a", rich, poor)
    assert answer is not None
    assert (answer.kind, answer.budget) == ("full", poor)
    assert (await asyncio.to_thread(bank.keep.standing, rich)).reserved == 0
    await bank.put(poor, 5.0)
    assert await bank.reserve("a", rich, poor) is None
    assert (await asyncio.to_thread(bank.keep.standing, rich)).reserved == pytest.approx(1.0, abs=0.01)


async def test_asking_reserves_nothing_and_asking_again_counts_once(bank: Bank) -> None:
    budget = uuid4()
    await bank.put(budget, 1.5)
    assert await bank.reserve("a", budget, only_ask=True) is None
    assert await bank.reserve("a", budget) is None
    assert await bank.reserve("a", budget) is None
    assert await bank.reserve("b", budget) is not None


async def test_the_higher_priority_and_then_the_first_goes_first(bank: Bank) -> None:
    budget = uuid4()
    await bank.put(budget, 10 + 0.5, spent=10.0)
    for holder, priority in (("late", 0), ("later", 0), ("urgent", 5)):
        assert await bank.reserve(holder, budget, priority=priority) is not None
        await asyncio.sleep(0.01)
    await bank.put(budget, 10 + 1.5, spent=10.0)
    assert await bank.reserve("late", budget) is not None, "somebody of a higher priority waits"
    assert await bank.reserve("urgent", budget, priority=5) is None
    await bank.put(budget, 10 + 2.5, spent=10.0)
    assert await bank.reserve("later", budget) is not None
    assert await bank.reserve("late", budget) is None


async def test_one_asks_for_its_line_with_the_time_that_it_has_waited(bank: Bank) -> None:
    budget = uuid4()
    await bank.put(budget, 10 + 1.5, spent=10.0)
    line = Asker("line", waited=60.0, allowed=1, calls=7)
    assert await bank.reserve("b", budget, only_ask=True, asker=line) is not None, "the one let go needs it"
    assert await bank.reserve("other", budget) is not None, "the line is first"
    standing = await asyncio.to_thread(bank.keep.standing, budget)
    assert standing.waiting == 8
    assert standing.held_up.seconds >= 60
    assert standing.held_up.cost == pytest.approx(1.0)
    assert await bank.reserve("a", budget, asker=Asker("line", 61.0, 0, 7)) is None, "it is of the line"
    await bank.put(budget, 10 + 2.5, spent=10.0)
    assert await bank.reserve("elder", budget, asker=Asker("elders", 90.0, 0, 1)) is None
    await bank.put(budget, 10 + 3.5, spent=10.0)
    assert await bank.reserve("b", budget, only_ask=True, asker=line) is not None
    assert await bank.reserve("b", budget, only_ask=True, asker=Asker("line", 62.0, 0, 7)) is None
    assert await bank.reserve("other", budget) is None, "the line waits no longer"


async def test_who_does_not_ask_any_more_holds_nobody_up(bank: Bank) -> None:
    budget = uuid4()
    await bank.put(budget, 10 + 0.5, spent=10.0)
    assert await bank.reserve("silent", budget, priority=9) is not None
    seen = f"{bank.prefix}:budget:{budget}:seen"
    _, since, amount, calls = (await bank.client.hget(seen, "silent")).decode().split("|")
    await bank.client.hset(seen, "silent", f"{float(since) - 6000}|{since}|{amount}|{calls}")
    await bank.put(budget, 10 + 1.5, spent=10.0)
    assert await bank.reserve("other", budget) is None


async def test_what_the_whole_budget_could_not_pay_keeps_nobody_waiting(bank: Bank) -> None:
    budget = uuid4()
    await bank.put(budget, 2.0)
    assert await bank.reserve("huge", budget, amount=5.0, priority=9) is not None
    assert await bank.reserve("small", budget) is None


async def test_what_was_promised_for_longer_stays_reserved(bank: Bank) -> None:
    budget = uuid4()
    await bank.put(budget, 5.0)
    assert await bank.reserve("a", budget, amount=2.0) is None
    assert await bank.ask.reserve("a", [budget], pool=POOL, seconds=30.0, rate=2.0 / 600) is None
    standing = await asyncio.to_thread(bank.keep.standing, budget)
    assert standing.reserved == pytest.approx(2.0, abs=0.02)


async def test_what_was_used_stays_reserved_while_the_ledger_learns_of_it(bank: Bank) -> None:
    budget = uuid4()
    await bank.put(budget, 5.0)
    assert await bank.reserve("a", budget, amount=2.0) is None
    await bank.ask.settle("a", [budget], used=1.5)
    standing = await asyncio.to_thread(bank.keep.standing, budget)
    assert 1.0 < standing.reserved <= 1.5


async def test_what_a_call_used_is_kept_though_it_outlasted_its_reserve(bank: Bank) -> None:
    """As one does that ends by its time-out."""
    budget = uuid4()
    await bank.put(budget, 5.0)
    assert await bank.ask.reserve("a", [budget], pool=POOL, seconds=0.01, rate=1.0) is None
    await until(lambda: asyncio.to_thread(lambda: bank.keep.standing(budget).reserved == 0))
    await bank.ask.settle("a", [budget], used=1.5)
    standing = await asyncio.to_thread(bank.keep.standing, budget)
    assert 1.0 < standing.reserved <= 1.5


async def test_many_reserves_are_told_at_once_and_none_twice(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "TOLD_AT_ONCE", 4)
    budget, other = uuid4(), uuid4()
    await bank.put(budget, 100.0)
    assert await bank.reserve("h0", budget, amount=3.0) is None
    await bank.ask.tell([Reserved(f"h{number}", (budget, other), 600.0, 1 / 600) for number in range(10)])
    standing = await asyncio.to_thread(bank.keep.standing, budget)
    assert standing.reserved == pytest.approx(3.0 + 9.0, abs=0.05)
    assert (await asyncio.to_thread(bank.keep.standing, other)).reserved == 0, "nobody knows that budget"


async def test_a_budget_that_leaves_the_pool_no_agent_refuses(bank: Bank) -> None:
    budget = uuid4()
    await bank.put(budget, 10.0, most=0)
    assert await bank.reserve("a", budget) is not None
    await bank.put(budget, 10.0, most=1)
    assert await bank.reserve("a", budget) is None


async def test_an_audit_holds_nobody_up(bank: Bank) -> None:
    budget = uuid4()
    await bank.put(budget, 0.0, enforce=False)
    assert await bank.reserve("a", budget) is None


async def test_a_redis_that_lost_its_memory_opens_when_reserves_were_told_again(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = uuid4()
    await bank.put(budget, 1.5)
    assert await bank.reserve("a", budget) is None
    await bank.client.delete(*[key async for key in bank.client.scan_iter(f"{bank.prefix}:*")])
    unknown = await bank.reserve("b", budget)
    assert unknown is not None
    assert unknown.kind == "opening"
    monkeypatch.setattr(store, "OPENS_AFTER", 60.0)
    await bank.put(budget, 1.5)
    await bank.ask.tell([Reserved("a", (budget,), 600.0, 1 / 600)])
    still = await bank.reserve("b", budget)
    assert still is not None
    assert still.kind == "opening"
    key = f"{bank.prefix}:budget:{budget}"
    await bank.client.hset(key, "opens", 0)
    full = await bank.reserve("b", budget)
    assert full is not None
    assert full.kind == "full"


async def test_reserves_of_former_drivers_are_forgotten(bank: Bank) -> None:
    budget = uuid4()
    await bank.put(budget, 3.5)
    for holder in ("run/step/1/7", "run/step/1/8", "other/step/1/7"):
        assert await bank.reserve(holder, budget) is None
    await bank.ask.forget("run/", "/8", [budget])
    standing = await asyncio.to_thread(bank.keep.standing, budget)
    assert standing.reserved == pytest.approx(2.0, abs=0.01)
