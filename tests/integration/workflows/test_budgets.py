"""Runs under budgets: the engine on real rows and a real Redis, agents as functions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
import redis.asyncio
from asgiref.sync import sync_to_async
from django.conf import settings

from pools.facade import api as pools
from pools.facade.contracts import AgentKind, Invocation, LeaseOutcome
from pools.models import Pool
from scaling.domain.budgets import Till
from scaling.facade.contracts import BudgetTerms
from scaling.models import Budget, WorkSpend
from scaling.reserves import store
from scaling.reserves.store import AsyncReserves, Reserves
from scaling.selectors.budgets import standing_key
from scaling.selectors.counts import counters
from teams.models import Team
from tests.fakes.pools import until
from tests.integration.workflows.harness import Harness, Play, intercept_nudges, mapping, play, task
from workflows.domain.artifacts import LIMIT
from workflows.domain.states import RunState
from workflows.engine import agents, context
from workflows.engine.agents import Agents
from workflows.engine.poolwatch import PoolWatch
from workflows.engine.purse import Bound, Purse
from workflows.engine.records import RunRecord
from workflows.models import Run, Step
from workflows.selectors.artifacts import StoreAway
from workflows.selectors.waiting import why_run, why_step
from workflows.services import artifacts, charging
from workflows.services.retrying import retry_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

FREE = "free"  # a pool that no budget pays for
POOL = "p"  # of all steps of the harness; an agent of it costs a hundredth a second


class UnderBudgets(Harness):
    """Pools are rows here, and a purse asks the real scripts."""

    terms: tuple[BudgetTerms, ...] = ()
    client: redis.asyncio.Redis

    def _agents(self, run: RunRecord) -> Agents:
        self.client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
        purse = Purse(AsyncReserves(self.client, prefix()), self._terms)
        purse._terms = {run.team_id: self.terms}
        return Agents(run, self.broker, PoolWatch(self._in_thread), purse)

    async def close(self) -> None:
        await self.client.aclose()
        await super().close()

    async def _terms(self) -> dict[int, tuple[BudgetTerms, ...]]:
        return {}


def prefix() -> str:
    return f"aflow:{settings.AFLOW_INSTANCE}"


class Keeper:
    """One budget of the pool, told to Redis as the treasury does."""

    def __init__(self) -> None:
        team, _ = Team.objects.get_or_create(slug="t", defaults={"name": "T"})
        Pool.objects.create(
            team=team, name=POOL, image=pools.BUILT_IN_IMAGE, min_size=0, max_size=5, price=Decimal(36)
        )
        self.row = Budget.objects.create(
            team=team, scope="pool", target=POOL, period="month", currency="USD", limit=Decimal(100)
        )
        self.reserves = Reserves(counters(), prefix())
        self.terms(enforced=True)
        self.put(1.0)

    def terms(self, *, enforced: bool) -> None:
        row = self.row
        UnderBudgets.terms = (BudgetTerms(row.pk, row.team_id, "pool", POOL, enforced),)

    def put(self, free: float, *, enforce: bool = True) -> None:
        till = Till(limit=100.0 + free, spent=100.0, at=0.0, rate=0.0, committed=0.0)
        self.reserves.put(self.row.pk, till, {}, enforce=enforce)
        counters().hset(standing_key(), str(self.row.pk), f"0.0|{free!r}|0")

    @property
    def reserved(self) -> float:
        return self.reserves.standing(self.row.pk).reserved

    def close(self) -> None:
        self.reserves.drop(self.row.pk)
        counters().hdel(standing_key(), str(self.row.pk))


@pytest.fixture
async def keeper(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeper]:
    monkeypatch.setattr(store, "OPENS_AFTER", 0.0)
    monkeypatch.setattr("tests.integration.workflows.harness.Harness", UnderBudgets)
    intercept_nudges(monkeypatch, lambda _run: None)
    made = await sync_to_async(Keeper)()
    yield made
    await sync_to_async(made.close)()


def paid(key: str = "a", **more: Any) -> dict[str, Any]:
    return task(key, pool=POOL, timeout=50, **more)  # may cost a half


async def free_pool(keeper: Keeper) -> None:
    values = {"image": pools.BUILT_IN_IMAGE, "min_size": 0, "max_size": 5, "price": Decimal(36)}
    await sync_to_async(Pool.objects.create)(team=keeper.row.team, name=FREE, **values)


async def put(keeper: Keeper, free: float, **more: Any) -> None:
    await sync_to_async(keeper.put)(free, **more)


async def reason(played: Play, step: str | None = None) -> dict[str, Any]:
    def ask() -> dict[str, Any]:
        run = Run.objects.select_related("version", "workflow").get(pk=played.run_id)
        return why_step(run, Step.objects.get(run=run, key=step)) if step else why_run(run)

    return await sync_to_async(ask)()


async def wakes_in(played: Play) -> float:
    at = (await played.row()).wake_at
    assert at is not None
    return (at - datetime.now(UTC)).total_seconds()


async def accounts() -> int:
    return await sync_to_async(charging.keep_accounts)(datetime.now(UTC))


async def test_a_call_reserves_what_it_may_cost_and_settles(keeper: Keeper) -> None:
    seen: list[float] = []

    async def body(_given: Any, _invocation: Invocation) -> int:
        seen.append(await sync_to_async(lambda: keeper.reserved)())
        return 1

    run = await (await play(body, paid())).on()
    assert run.state == RunState.COMPLETED, run.error
    assert seen == [pytest.approx(0.5, abs=0.02)]
    assert await sync_to_async(lambda: keeper.reserved)() == 0


async def test_a_call_costs_what_agents_cost_when_it_begins(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not what they did when its run began, days ago."""
    monkeypatch.setattr("workflows.engine.poolwatch.FRESH", 0.0)
    seen: list[float] = []

    async def body(_given: Any, _invocation: Invocation) -> int:
        seen.append(await sync_to_async(lambda: keeper.reserved)())
        await sync_to_async(Pool.objects.filter(name=POOL).update)(price=Decimal(72))
        return 1

    await put(keeper, 1.5)
    played = await play(body, paid("a"), paid("b", needs=["a"]))
    run = await played.on()
    assert run.state == RunState.COMPLETED, run.error
    assert seen == [pytest.approx(0.5, abs=0.02), pytest.approx(1.0, abs=0.02)]
    milliseconds, nanos = (await played.steps())["b"].usage["spent"][POOL]
    assert nanos / milliseconds == pytest.approx(0.02 * 10**6, rel=0.01)


async def test_a_run_waits_for_a_budget_says_so_and_goes_on(keeper: Keeper) -> None:
    await put(keeper, 0.4)
    played = await play(lambda _given, _invocation: 1, paid())
    run = await played.on()
    assert (run.state, run.parked, await played.states()) == (RunState.WAITING, True, {"a": "queued"})
    for told in (await reason(played), await reason(played, "a")):
        assert told["code"] == "budget"
        assert "has not enough left" in told["sentence"]
        assert "may cost 0.5 until its time-out of 50 s" in told["sentence"]
        assert told["facts"]["budgets"][0]["id"] == keeper.row.pk
    await accounts()
    assert await wakes_in(played) > 5, "still not enough"
    await put(keeper, 0.6)
    await accounts()
    assert await wakes_in(played) <= 0
    run = await played.on()
    assert (run.state, run.output) == (RunState.COMPLETED, 1)
    assert (await played.steps())["a"].reason == ""


async def test_a_step_without_a_time_out_is_not_admitted(keeper: Keeper) -> None:
    await put(keeper, 1e6)
    played = await play(lambda _given, _invocation: 1, task("a", pool=POOL))
    run = await played.on()
    assert run.state == RunState.WAITING
    assert "states no time-out" in (await reason(played))["sentence"]
    await sync_to_async(lambda: keeper.terms(enforced=False))()
    await sync_to_async(Budget.objects.update)(mode="audit")
    await accounts()
    assert (await played.on()).state == RunState.COMPLETED


async def test_the_runs_own_time_out_is_one(keeper: Keeper) -> None:
    await put(keeper, 1e6)
    run = await (await play(lambda _given, _invocation: 1, task("a", pool=POOL), timeout=60)).on()
    assert run.state == RunState.COMPLETED


async def test_what_no_budget_could_ever_pay_says_so_and_holds_nobody_else_up(keeper: Keeper) -> None:
    await put(keeper, 0.4)
    await sync_to_async(Budget.objects.update)(limit=Decimal("0.3"))
    played = await play(lambda _given, _invocation: 1, paid())
    assert (await played.on()).state == RunState.WAITING
    assert "more than the whole budget" in (await reason(played))["sentence"]
    told: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scaling.facade.budgets.tell_resting", lambda resting, _at: told.append(dict(resting)))
        await accounts()
    assert told == [{}]


async def test_nobody_is_passed_by_a_cheaper_call(keeper: Keeper) -> None:
    await put(keeper, 0.4)
    dear = await play(lambda _given, _invocation: 1, paid())
    await dear.on()
    cheap = await play(lambda _given, _invocation: 1, task("a", pool=POOL, timeout=60))
    await cheap.on()
    assert (await cheap.row()).state == RunState.WAITING
    await sync_to_async(Run.objects.filter(pk=cheap.run_id).update)(priority=-5)
    await put(keeper, 0.45)
    await accounts()
    assert await wakes_in(cheap) > 5
    await put(keeper, 2.0)
    await accounts()
    assert await wakes_in(dear) <= 0
    assert await wakes_in(cheap) <= 0


@pytest.mark.parametrize(
    "held", [paid("a"), mapping("a", over=[1, 2, 3], pool=POOL, timeout=50)], ids=["task", "map"]
)
async def test_what_waits_for_a_budget_takes_no_place_of_max_parallel(
    keeper: Keeper, held: dict[str, Any]
) -> None:
    await put(keeper, 0.4)
    await free_pool(keeper)
    played = await play(lambda _given, _invocation: 1, held, task("b", pool=FREE), max_parallel=1)
    await sync_to_async(Step.objects.filter(run=played.run_id, key="b").update)(pool=FREE)
    run = await played.on()
    assert (run.state, run.parked) == (RunState.WAITING, True)
    assert (await played.states())["b"] == "completed"
    await put(keeper, 100.0)
    await accounts()
    assert played.harness is not None
    assert (await played.on()).state == RunState.COMPLETED
    assert played.harness.broker.most_at_once == 1, "when the money is there, they take their turns"


async def test_an_audit_holds_nothing_up(keeper: Keeper) -> None:
    await sync_to_async(lambda: keeper.terms(enforced=False))()
    await put(keeper, 0.0, enforce=False)
    assert (await (await play(lambda _given, _invocation: 1, paid())).on()).state == RunState.COMPLETED


async def test_a_map_runs_as_wide_as_the_budget_allows(keeper: Keeper) -> None:
    await put(keeper, 1.05)  # each lane may cost 0.51: its time-out, and the quantum of its lease
    played = await play(
        lambda given, _invocation: given["item"],
        mapping("m", over=list(range(40)), pool=POOL, timeout=50, max_parallel=8),
    )
    await played.begin()
    run = await played.rest()
    assert played.harness is not None
    assert run.state == RunState.COMPLETED
    assert sorted(run.output or []) == list(range(40))
    assert played.harness.broker.most_at_once <= 2
    assert await sync_to_async(lambda: keeper.reserved)() == 0


async def test_hundreds_of_held_up_calls_are_asked_for_by_one_and_admitted_in_turn(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are: who asks too rarely is taken to ask no more."""
    number = 600
    await put(keeper, 0.4)
    played = await play(lambda given, _invocation: given["item"], mapping("m", over=[1], pool=POOL))
    harness = UnderBudgets(lambda _given, _invocation: 1)
    driver = await harness.take(played.run_id)
    way, step = driver.context.agents, driver.run.steps["m"]
    asked: list[str] = []
    refuses = way._purse.refuses

    async def ask(paying: Any, holder: str, *args: Any, **more: Any) -> bool:
        asked.append(holder)
        return await refuses(paying, holder, *args, **more)

    monkeypatch.setattr(way._purse, "refuses", ask)
    admitted: list[int] = []

    async def call(position: int) -> None:
        holder = f"{driver.run.id}/m/{position}/{driver.run.fence}"
        lease = await way.lease(POOL, AgentKind(pools.BUILT_IN_IMAGE), holder, step, Bound(50.0))
        admitted.append(position)
        await way.give_back(lease, LeaseOutcome.OK, uses=0)

    calls = [asyncio.create_task(call(position)) for position in range(number)]
    try:
        await until(lambda: way.held_up.total() == number)
        await until(lambda: len(asked) > 1)
        assert set(asked) == {f"{driver.run.id}/m/0/{driver.run.fence}"}, "one asks for all"
        waiting = sync_to_async(lambda: keeper.reserves.standing(keeper.row.pk).waiting)
        await until(lambda: waiting_is(waiting, number))
        await put(keeper, 1.6)  # for three at once
        await until(lambda: len(admitted) == number)
        holders = [f"{driver.run.id}/m/{position}/{driver.run.fence}" for position in range(number)]
        assert list(dict.fromkeys(asked)) == holders, "in the order in which they came"
        assert await sync_to_async(lambda: keeper.reserved)() == 0
        assert await waiting() == 0
        assert way._lines == {}, "a line goes with the last one in it"
    finally:
        for one in calls:
            one.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await harness.close()


async def waiting_is(waiting: Any, number: int) -> bool:
    return bool(await waiting() == number)


@pytest.mark.parametrize(
    "step", [paid(), mapping("m", over=[1, 2, 3], pool=POOL, timeout=50, max_parallel=1)], ids=["task", "map"]
)
async def test_no_agent_is_held_while_the_store_of_artifacts_is_away(
    keeper: Keeper, step: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The reserve would end before the lease does, and nobody would count with what that costs."""
    monkeypatch.setattr(settings, "AFLOW_ARTIFACTS_URL", str(tmp_path))
    monkeypatch.setattr(agents, "STORED_WITHIN", 0.0)
    monkeypatch.setattr(context, "STORE_PAUSE", 0.01)
    store_artifact, away = artifacts._store, threading.Event()
    away.set()
    asked = threading.Semaphore(0)

    def store_or_not(*args: Any) -> Any:
        asked.release()
        if away.is_set():
            raise StoreAway("Artifacts cannot be reached: it is away.")
        return store_artifact(*args)

    monkeypatch.setattr(artifacts, "_store", store_or_not)
    played = await play(lambda _given, _invocation: "x" * 2 * LIMIT, step)
    await played.begin()
    assert await asyncio.to_thread(asked.acquire, timeout=60)
    assert played.harness is not None
    broker = played.harness.broker
    await until(lambda: broker.released and not broker.held)
    await until(lambda: sync_to_async(lambda: keeper.reserved == 0)())
    away.clear()
    run = await played.rest()
    assert run.state == RunState.COMPLETED, run.error
    assert len(broker.sent) == len(step.get("over", [0])), "each was asked once"


async def test_a_cancelled_run_waits_no_longer(keeper: Keeper) -> None:
    from workflows.services.control import cancel_run

    await put(keeper, 0.1)
    played = await play(lambda _given, _invocation: 1, paid())
    await played.on()
    await played.ask(cancel_run)
    assert (await played.on()).state == RunState.CANCELLED
    waiting = sync_to_async(lambda: keeper.reserves.standing(keeper.row.pk).waiting)
    assert await waiting() == 0


async def test_work_is_charged_once_to_where_it_was_done(keeper: Keeper) -> None:
    await put(keeper, 1e6)
    played = await play(lambda _given, _invocation: 1, paid("a"), paid("b"), task("c", pool=POOL, timeout=9))
    run = await played.on()
    assert await accounts() == 1
    assert await accounts() == 0

    def figures() -> tuple[WorkSpend, int, int]:
        (row,) = WorkSpend.objects.all()
        spent = [step.usage["spent"][POOL] for step in Step.objects.filter(run=run)]
        return row, sum(nanos for _, nanos in spent), round(sum(ms for ms, _ in spent))

    row, nanos, milliseconds = await sync_to_async(figures)()
    assert (row.nanos, row.milliseconds, row.pool, row.own) == (nanos, milliseconds, POOL, False)
    assert row.owner_id == row.team_id == run.team_id
    assert nanos > 0


async def test_a_run_that_is_retried_is_charged_for_what_is_new(keeper: Keeper) -> None:
    await put(keeper, 1e6)
    attempts: list[UUID] = []

    def body(_given: Any, _invocation: Invocation) -> int:
        attempts.append(uuid4())
        if len(attempts) == 1:
            raise ValueError("no")
        return 1

    played = await play(body, paid())
    assert (await played.on()).state == RunState.FAILED
    await played.ask(retry_run)  # before anybody charged it
    assert (await played.on()).state == RunState.COMPLETED
    await accounts()

    def sums() -> tuple[int, int]:
        (row,) = WorkSpend.objects.all()
        return row.nanos, Step.objects.get(run=played.run_id).usage["spent"][POOL][1]

    charged, used = await sync_to_async(sums)()
    assert charged == used
