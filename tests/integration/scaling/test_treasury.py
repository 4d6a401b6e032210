"""Budgets at work: real pools, leases, rows and Redis, agents in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from channels.db import database_sync_to_async
from django.db import connections

from aflow_site.kernel.errors import Overloaded
from aflow_site.kernel.hang_up import HangUp
from pools.domain.agents import AgentState, EndReason
from pools.facade import api as pools
from pools.facade import leases
from pools.facade.contracts import LeaseOutcome, Steering
from pools.facade.leases import Wish
from pools.models import Agent, Pool
from pools.runtime.memory import MemoryRuntime
from pools.services.broker.broker import Broker
from pools.services.controller.controller import PoolController
from scaling.domain.bins import bin_of
from scaling.domain.policies import Mode
from scaling.facade.api import loops
from scaling.models import Budget, BudgetAlert, CapacitySpend, ScalingPolicy, WorkSpend
from scaling.reserves import store
from scaling.selectors.budgets import last_told
from scaling.services import resting
from scaling.services.scaler import Scaler
from scaling.services.treasury import Treasury
from teams.models import Alert
from tests.factories.pools import make_pool
from tests.fakes.pools import rows_of, served, site, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

NOW = 1000.0
DEAR = Decimal(36)  # an agent costs a hundredth a second


@asynccontextmanager
async def running(pool: Pool) -> AsyncIterator[tuple[PoolController, Broker]]:
    plant = site(MemoryRuntime())
    async with plant.running() as controller, plant.brokering() as broker:
        await until(lambda: served(pool.pk, pool.target_size))
        yield controller, broker
    await plant.runtime.close()


@database_sync_to_async
def budget(pool: Pool, limit: float, **values: Any) -> Budget:
    return Budget.objects.create(
        team=pool.team,
        currency="USD",
        limit=Decimal(str(limit)),
        **{"scope": "pool", "target": pool.name, "period": "month", **values},
    )


@database_sync_to_async
def spend(pool: Pool, amount: float) -> None:
    CapacitySpend.objects.create(
        team=pool.team,
        pool=pool.name,
        workflow=pool.workflow or "",
        bin=bin_of(datetime.now(UTC)),
        milliseconds=1,
        nanos=int(amount * 10**9),
    )


@database_sync_to_async
def look(treasury: Treasury, at: float = NOW) -> dict[UUID, int]:
    treasury.look(datetime.now(UTC), at)
    return treasury.ceilings


@database_sync_to_async
def evaluate(treasury: Treasury) -> dict[UUID, Steering]:
    return Scaler(treasury).evaluate(NOW, NOW)


@database_sync_to_async
def ended_by(pool: Pool) -> list[str | None]:
    return list(Agent.objects.filter(pool=pool, ended_at__isnull=False).values_list("end_reason", flat=True))


async def wishes(pool: Pool, spares: int) -> bool:
    (load,) = await database_sync_to_async(pools.load)()
    return load.spares == spares


async def ended(pool: Pool, number: int) -> bool:
    return len(await ended_by(pool)) == number


new_pool = database_sync_to_async(make_pool)


async def test_an_exhausted_budget_overrides_min_and_ends_nothing_that_works() -> None:
    pool = await new_pool(min_size=3, max_size=5, price=DEAR)
    async with running(pool) as (controller, broker):
        await budget(pool, 10)
        await spend(pool, 9.9)
        lease = await broker.acquire(pool.pk, holder="h", team_id=pool.team_id, timeout=60)
        treasury = Treasury()
        assert await look(treasury) == {pool.pk: 1}, "three agents cost 0.6 until they could be gone"
        controller.steer(await evaluate(treasury), 60)
        await until(lambda: ended(pool, 2))
        assert await ended_by(pool) == [EndReason.BUDGET] * 2
        await broker.release(lease, LeaseOutcome.OK)


async def test_a_controller_that_starts_makes_no_agents_that_no_budget_pays() -> None:
    """Not before it has looked at the budgets; and pools that none pays for do not wait long."""
    broke = await new_pool(min_size=3, max_size=5, price=DEAR)
    free = await new_pool(min_size=1, max_size=5)
    await budget(broke, 10)
    await spend(broke, 10)
    async with starting() as (runtime, _):
        await until(lambda: served(free.pk, 1))
        assert await database_sync_to_async(Agent.objects.filter(pool=broke).count)() == 0
        assert runtime.creations == 1


@pytest.mark.parametrize("state", [AgentState.REQUESTED, AgentState.CREATING])
async def test_a_controller_that_starts_goes_on_with_no_intents_that_no_budget_pays(
    state: AgentState,
) -> None:
    """Of a controller before it, which had begun to make three agents."""
    pool = await new_pool(min_size=3, max_size=5, price=DEAR)
    await database_sync_to_async(intend)(pool, 3, state)
    await budget(pool, 10)
    await spend(pool, 10)
    async with starting() as (runtime, _):
        await until(lambda: ended(pool, 3))
        assert await ended_by(pool) == [EndReason.BUDGET] * 3
        assert runtime.creations == 0


async def test_below_a_ceiling_the_first_intents_of_a_former_controller_are_gone_on_with() -> None:
    pool = await new_pool(min_size=3, max_size=5)
    first, *others = await database_sync_to_async(intend)(pool, 3, AgentState.REQUESTED)
    async with starting({}) as (runtime, controller):
        await until(lambda: controller.demands() is not None)
        assert runtime.creations == 0, "nobody knows yet whether a budget pays for them"
        controller.steer({pool.pk: Steering(None, 1)}, 600)
        await until(lambda: ended(pool, len(others)))
        await until(lambda: served(pool.pk, 1))
        assert [agent.pk for agent in await rows_of(pool.pk)] == [first.pk]
        assert runtime.creations == 1


def intend(pool: Pool, number: int, state: AgentState) -> list[Agent]:
    """One after the other."""
    return [
        Agent.objects.create(
            pool=pool,
            team=pool.team,
            pool_name=pool.name,
            state=state.value,
            image=pool.image,
            template=pool.template,
            nonce=uuid4().hex,
            started_at=datetime.now(UTC) - timedelta(seconds=number - position),
        )
        for position in range(number)
    ]


@asynccontextmanager
async def starting(
    beside: dict[str, Any] | None = None,
) -> AsyncIterator[tuple[MemoryRuntime, PoolController]]:
    """A controller whose scaler speaks only after its first round. `beside`: these loops in its stead."""
    runtime = MemoryRuntime()
    plant = site(runtime)
    controller, stop = plant.controller(), asyncio.Event()

    async def late(loop: Callable[[], Awaitable[None]]) -> None:
        await until(lambda: controller.demands() is not None)
        await loop()

    controller.beside = {
        name: partial(late, loop) for name, loop in (loops(controller) if beside is None else beside).items()
    }
    controller.steered_within = 600.0
    await controller.start()
    running_on = asyncio.create_task(controller.run_forever(stop))
    try:
        yield runtime, controller
    finally:
        stop.set()
        await running_on
        await controller.close()
        await runtime.close()


async def test_a_scaler_that_never_speaks_does_not_keep_pools_empty() -> None:
    pool = await new_pool(min_size=1, max_size=5)
    plant = site(MemoryRuntime())
    controller, stop = plant.controller(), asyncio.Event()
    controller.steered_within = 0.2
    await controller.start()
    running_on = asyncio.create_task(controller.run_forever(stop))
    try:
        await until(lambda: served(pool.pk, 1))
    finally:
        stop.set()
        await running_on
        await controller.close()
        await plant.runtime.close()


async def test_budgets_that_went_while_nobody_kept_them_are_forgotten() -> None:
    pool = await new_pool(min_size=0, max_size=5, price=DEAR)
    async with running(pool):
        made = await budget(pool, 10)
        await look(Treasury())
        assert str(made.pk) in await database_sync_to_async(last_told)()
        await database_sync_to_async(Budget.objects.all().delete)()
        await look(Treasury())
        assert await database_sync_to_async(last_told)() == {}


async def test_agents_come_back_when_the_limit_is_raised() -> None:
    pool = await new_pool(min_size=2, max_size=5, price=DEAR)
    async with running(pool) as (controller, _):
        made = await budget(pool, 10)
        await spend(pool, 10)
        treasury = Treasury()
        assert await look(treasury) == {pool.pk: 0}
        controller.steer(await evaluate(treasury), 60)
        await until(lambda: served(pool.pk, 0))
        await database_sync_to_async(Budget.objects.filter(pk=made.pk).update)(limit=20)
        assert await look(treasury) == {pool.pk: 2}
        controller.steer(await evaluate(treasury), 60)
        await until(lambda: served(pool.pk, 2))


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.OFF])
async def test_a_budget_counts_whoever_decides_the_size(mode: Mode) -> None:
    pool = await new_pool(min_size=2, max_size=5, price=DEAR)
    async with running(pool) as (controller, _):
        await database_sync_to_async(ScalingPolicy.objects.create)(
            team=pool.team, pool=pool.name, mode=mode.value
        )
        await budget(pool, 1)
        await spend(pool, 1)
        treasury = Treasury()
        await look(treasury)
        steering = await evaluate(treasury)
        assert steering == {pool.pk: Steering(None, 0)}
        controller.steer(steering, 60)
        await until(lambda: served(pool.pk, 0))


async def test_an_audit_takes_nobodys_agents_and_tells_all_the_same() -> None:
    pool = await new_pool(min_size=2, max_size=5, price=DEAR)
    async with running(pool):
        await budget(pool, 1, mode="audit")
        await spend(pool, 0.9)
        treasury = Treasury()
        assert await look(treasury) == {}
        await look(treasury)
        thresholds = database_sync_to_async(lambda: [alert.threshold for alert in BudgetAlert.objects.all()])
        assert set(await thresholds()) - {"forecast"} == {"50", "80"}, "each once"
        told = await database_sync_to_async(lambda: list(Alert.objects.filter(kind="budget_80")))()
        assert [(alert.subject, alert.resolved_at) for alert in told] == [
            (f"budget/pool/{pool.name}/month", None)
        ]
        assert "is spent to 80 %: 0.9" in told[0].facts["sentence"]


async def test_alerts_of_a_period_that_is_over_are_resolved() -> None:
    pool = await new_pool(min_size=0, max_size=5, price=DEAR)
    async with running(pool):
        await budget(pool, 1, period="hour")
        await spend(pool, 0.6)
        treasury = Treasury()
        await look(treasury)
        later = datetime.now(UTC) + timedelta(hours=1)
        await database_sync_to_async(treasury.look)(later, NOW)
        (alert,) = await database_sync_to_async(lambda: list(Alert.objects.filter(kind="budget_50")))()
        assert alert.resolved_at is not None


@pytest.mark.parametrize(("limit", "most"), [(1000, 2), (11, 1)])
async def test_a_budget_with_money_pays_for_an_agent_that_stands_by(limit: float, most: int) -> None:
    """In place of one that is at its last use; after what its demand wants."""
    pool = await new_pool(min_size=1, max_size=5, price=DEAR, max_uses=1)
    async with running(pool) as (controller, broker):
        await budget(pool, limit)
        await spend(pool, 10)
        treasury = Treasury()
        assert (await look(treasury))[pool.pk] == 1
        controller.steer(await evaluate(treasury), 60)
        lease = await broker.acquire(pool.pk, holder="h", team_id=pool.team_id, timeout=60)
        await until(lambda: wishes(pool, 1))
        assert (await look(treasury))[pool.pk] == most
        controller.steer(await evaluate(treasury), 60)
        await controller.tick()
        await until(lambda: served(pool.pk, most))
        seen = await database_sync_to_async(pools.get_pool)(pool.team_id, pool.name)
        assert (seen.target_size, seen.standby) == (1, most - 1)
        await broker.release(lease, LeaseOutcome.OK)


async def test_of_two_budgets_the_scarcer_counts() -> None:
    pool = await new_pool(min_size=2, max_size=5, price=DEAR)
    async with running(pool):
        await budget(pool, 1000)
        await budget(pool, 0, scope="team", target="")
        assert await look(Treasury()) == {pool.pk: 0}


async def test_a_workflows_budget_pays_for_its_own_pools_and_for_work_elsewhere() -> None:
    pool = await new_pool(min_size=1, max_size=5, price=DEAR, workflow="w")
    async with running(pool):
        await budget(pool, 10, scope="workflow", target="w")
        treasury = Treasury()
        assert await look(treasury) == {pool.pk: 1}
        await database_sync_to_async(WorkSpend.objects.create)(
            team=pool.team,
            owner=pool.team,
            workflow="w",
            pool="elsewhere",
            bin=bin_of(datetime.now(UTC)),
            milliseconds=1,
            nanos=10 * 10**9,
        )
        assert await look(treasury) == {pool.pk: 0}


async def test_idle_agents_go_for_work_that_rests() -> None:
    pool = await new_pool(min_size=3, max_size=5, price=DEAR)
    async with running(pool):
        made = await budget(pool, 10)
        await spend(pool, 9.35)  # 0.05 is free beside three agents
        treasury = Treasury()
        assert await look(treasury) == {pool.pk: 3}
        try:
            resting.tell({made.pk: 0.3}, NOW)
            assert await look(treasury, NOW + 5) == {pool.pk: 3}, "it has not rested long"
            assert await look(treasury, NOW + 15) == {pool.pk: 1}, "one is enough for it"
            # A long call, and money enough for it: of a new period, or a limit that was raised.
            resting.tell({made.pk: 3.0}, NOW)
            assert await look(treasury, NOW + 15) == {pool.pk: 0}
            await database_sync_to_async(Budget.objects.filter(pk=made.pk).update)(limit=1000)
            assert (await look(treasury, NOW + 15))[pool.pk] >= 1
        finally:
            resting.tell({}, NOW)


async def test_work_that_rests_for_one_budget_takes_no_agents_of_another() -> None:
    pool = await new_pool(min_size=3, max_size=5, price=DEAR)
    async with running(pool):
        await budget(pool, 1000, scope="team", target="")
        other = await budget(pool, 0, scope="workflow", target="w")
        try:
            resting.tell({other.pk: 5.0}, NOW)
            assert await look(Treasury(), NOW + 60) == {pool.pk: 3}
        finally:
            resting.tell({}, NOW)


async def test_programs_leases_are_under_budgets_and_in_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second of an agent costs a hundredth; what its agent costs until it could be gone is 0.2."""
    monkeypatch.setattr(store, "OPENS_AFTER", 0.0)
    pool = await new_pool(min_size=1, max_size=1, price=DEAR)

    def borrow(ttl: float) -> str:
        return leases.borrow(pool.team_id, pool.name, Wish(wait=60, ttl=ttl), HangUp()).lease.token

    async def of_its_own(function: Callable[..., Any], *args: Any) -> Any:
        """In a thread beside the controller's, which leaves no connection behind."""

        def call() -> Any:
            try:
                return function(*args)
            finally:
                connections.close_all()

        return await asyncio.to_thread(call)

    async with running(pool):
        made, treasury = await budget(pool, 0.9), Treasury()
        await look(treasury)
        with pytest.raises(Overloaded, match="has not enough left for 90 s"):
            await of_its_own(borrow, 90.0)
        token = await of_its_own(borrow, 20.0)
        standing = await asyncio.to_thread(treasury._reserves.standing, made.pk)
        assert standing.reserved == pytest.approx(0.2, abs=0.02)
        await of_its_own(leases.keep, pool.team_id, token)
        await database_sync_to_async(Budget.objects.filter(pk=made.pk).update)(limit=Decimal("0.3"))
        await look(treasury)
        with pytest.raises(Overloaded):
            await of_its_own(leases.keep, pool.team_id, token)
        await of_its_own(leases.give_back, pool.team_id, token)
        assert (await asyncio.to_thread(treasury._reserves.standing, made.pk)).reserved == 0
        (work,) = await database_sync_to_async(lambda: list(WorkSpend.objects.all()))()
        assert (work.workflow, work.pool, work.nanos > 0) == ("", pool.name, True)
