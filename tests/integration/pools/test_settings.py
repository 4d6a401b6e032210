"""Each setting of a pool, changed alone, changes what its agents do."""

from __future__ import annotations

import ast
import asyncio
import contextlib
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from channels.db import database_sync_to_async
from django.conf import settings

from pools.domain.agents import AgentState
from pools.facade import api as pools
from pools.facade.contracts import Command, Lease, LeaseOutcome, LeaseTimeout, PoolNotFound
from pools.leases.scripts import load
from pools.leases.store import AsyncLeases
from pools.leases.wire import Wire
from pools.models import Agent, Pool, PoolShare
from pools.runtime.base import BUILT_IN_IMAGE, AgentSpec
from pools.runtime.memory import MemoryRuntime
from pools.services.broker.broker import Broker
from pools.services.lease_rules import rules_of
from teams.facade.api import set_secret
from tests.factories.pools import make_pool, make_team
from tests.fakes.pools import Plant, invocation, rows_of, served, until

pytestmark = pytest.mark.django_db(transaction=True)


async def new_pool(**values: Any) -> Pool:
    pool: Pool = await database_sync_to_async(make_pool)(**values)
    return pool


async def reasons(pool_id: UUID) -> list[str]:
    return [str(agent.end_reason) for agent in await rows_of(pool_id, AgentState.GONE)]


async def use(broker: Broker, pool: Pool, holder: str) -> Lease:
    lease = await broker.acquire(pool.pk, holder=holder, team_id=pool.team_id, timeout=10)
    await broker.invoke(lease, invocation({"x": 1}))
    await broker.release(lease, LeaseOutcome.OK)
    return lease


async def used(pool_id: UUID, uses: int) -> bool:
    return [agent.uses for agent in await rows_of(pool_id)] == [uses]


async def test_min_size(plant: Plant) -> None:
    one, three = await new_pool(min_size=1), await new_pool(min_size=3)
    async with plant.running():
        await until(lambda: served(one.pk, 1))
        await until(lambda: served(three.pk, 3))


async def test_max_size(plant: Plant) -> None:
    """As many leases at once as there may be agents."""
    small = await new_pool(min_size=1, max_size=1)
    large = await new_pool(min_size=1, max_size=4)
    async with plant.running(), plant.brokering() as broker:
        for number in range(4):
            await broker.acquire(large.pk, holder=f"l{number}", team_id=large.team_id, timeout=10)
        await broker.acquire(small.pk, holder="s", team_id=small.team_id, timeout=10)
        assert len(await rows_of(large.pk)) == 4
        assert len(await rows_of(small.pk)) == 1


async def test_warm_up(plant: Plant) -> None:
    """Without it, agents are made for the work at hand only."""
    warm, cold = await new_pool(min_size=1), await new_pool(min_size=1, warm_up=False)
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(warm.pk, 1))
        assert await rows_of(cold.pk) == []
        await use(broker, cold, "first")
        assert len(await rows_of(cold.pk)) == 1


async def test_max_uses(plant: Plant) -> None:
    """An agent serves so many requests, then another takes its place."""
    once = await new_pool(max_uses=1, max_size=1)
    often = await new_pool(max_uses=50, max_size=1)
    async with plant.running(), plant.brokering() as broker:
        for number in range(3):
            await use(broker, once, f"o{number}")
            await use(broker, often, f"m{number}")

        async def all_retired() -> bool:
            return await reasons(once.pk) == ["max_uses"] * 3

        await until(all_retired)
        assert await reasons(often.pk) == []

        async def counted() -> bool:
            uses = {agent.uses for agent in await rows_of(once.pk, AgentState.GONE)}
            (agent,) = await rows_of(often.pk)
            return uses == {1} and agent.uses == 3 and agent.last_used is not None

        await until(counted)


async def test_max_uses_with_room_for_the_replacement(plant: Plant) -> None:
    """It serves before the worn agent leaves, which need not serve to its last use."""
    roomy = await new_pool(min_size=1, max_size=2, max_uses=20)
    full = await new_pool(min_size=1, max_size=1, max_uses=20)
    fresh = await new_pool(min_size=1, max_size=2, max_uses=2000)
    async with plant.running(), plant.brokering() as broker:
        for pool in (roomy, full, fresh):
            lease = await broker.acquire(pool.pk, holder="h", team_id=pool.team_id, timeout=10)
            await broker.release(lease, LeaseOutcome.OK, uses=19)

        async def replaced() -> bool:
            return await reasons(roomy.pk) == ["max_uses"]

        await until(replaced)
        (gone,) = await rows_of(roomy.pk, AgentState.GONE)
        (other,) = await rows_of(roomy.pk)
        assert gone.uses == 19
        assert other.ready_at is not None
        assert other.ready_at < gone.ended_at
        await until(lambda: used(full.pk, 19))
        await until(lambda: used(fresh.pk, 19))
        assert await reasons(full.pk) == await reasons(fresh.pk) == []
        await use(broker, full, "last")

        async def worn_out() -> bool:
            return await reasons(full.pk) == ["max_uses"]

        await until(worn_out)


async def test_max_uses_of_one_with_room_for_the_replacement(plant: Plant) -> None:
    """It is made while the last use lasts: only in pools that are kept warm."""
    warm = await new_pool(min_size=1, max_size=2, max_uses=1)
    often = await new_pool(min_size=1, max_size=2, max_uses=2)
    cold = await new_pool(min_size=1, max_size=2, max_uses=1, warm_up=False)
    async with plant.running() as controller, plant.brokering() as broker:
        held = [
            await broker.acquire(pool.pk, holder="h", team_id=pool.team_id, timeout=10)
            for pool in (often, cold, warm)
        ]
        await until(lambda: served(warm.pk, 2))
        await broker.release(held[-1], LeaseOutcome.OK, uses=1)
        await controller.tick()
        assert len(await rows_of(often.pk)) == 1
        assert len(await rows_of(cold.pk)) == 1


async def test_idle_timeout(plant: Plant) -> None:
    """Above `min_size` only, and lastingly: what was reaped is not made again."""
    short = await new_pool(min_size=1, max_size=3, target_size=3, idle_timeout=0.3)
    long = await new_pool(min_size=1, max_size=3, target_size=3, idle_timeout=300)
    async with plant.running() as controller:
        await until(lambda: served(long.pk, 3))

        async def reaped() -> bool:
            return await reasons(short.pk) == ["idle_timeout"] * 2

        await until(reaped)
        for _ in range(3):
            await controller.tick()
        assert len(await rows_of(short.pk)) == 1
        assert len(await rows_of(long.pk)) == 3


async def test_target_size(plant: Plant) -> None:
    pool = await new_pool(min_size=1, max_size=5, target_size=4)

    @database_sync_to_async
    def set_target(size: int) -> None:
        row = Pool.objects.get(pk=pool.pk)
        row.target_size = size
        row.save()

    async with plant.running() as controller:
        await until(lambda: served(pool.pk, 4))
        await set_target(2)
        controller.nudge()
        await until(lambda: served(pool.pk, 2))
        assert set(await reasons(pool.pk)) == {"scale_down"}


async def test_a_new_image_replaces_the_agents_of_the_old(plant: Plant) -> None:
    pool = await new_pool(min_size=2, image="echo")

    @database_sync_to_async
    def set_image() -> None:
        row = Pool.objects.get(pk=pool.pk)
        row.image = "agentainer/python-agent"
        row.save()

    async with plant.running() as controller:
        await until(lambda: served(pool.pk, 2))
        await set_image()
        controller.nudge()

        async def replaced() -> bool:
            images = [agent.image for agent in await rows_of(pool.pk, AgentState.IDLE)]
            return images == ["agentainer/python-agent"] * 2

        await until(replaced)
        assert set(await reasons(pool.pk)) == {"recycled"}


async def test_a_deleted_pool_lets_its_leases_finish(plant: Plant) -> None:
    from datetime import UTC, datetime

    pool = await new_pool(min_size=2)

    @database_sync_to_async
    def delete() -> None:
        Pool.objects.filter(pk=pool.pk).update(deleted_at=datetime.now(UTC))

    @database_sync_to_async
    def left() -> tuple[bool, int]:
        live = Agent.objects.filter(pool_name=pool.name, ended_at__isnull=True)
        return Pool.objects.filter(pk=pool.pk).exists(), live.count()

    async with plant.running() as controller, plant.brokering() as broker:
        await until(lambda: served(pool.pk, 2))
        lease = await broker.acquire(pool.pk, holder="a", team_id=pool.team_id, timeout=10)
        await delete()
        controller.nudge()
        await until(lambda: rows_of(pool.pk, AgentState.GONE))
        result = await broker.invoke(lease, invocation({"x": 3}))
        assert result.results[0].output == 9
        await broker.release(lease, LeaseOutcome.OK)

        async def gone() -> bool:
            return await left() == (False, 0)

        await until(gone)


async def change(pool: Pool, **values: Any) -> None:
    await database_sync_to_async(Pool.objects.filter(pk=pool.pk).update)(**values)


def memory(plant: Plant) -> MemoryRuntime:
    assert isinstance(plant.runtime, MemoryRuntime)
    return plant.runtime


async def test_concurrency(plant: Plant) -> None:
    """Leases at once on one agent, as far as the agent says that it can."""
    memory(plant).concurrent["echo"] = 2
    alone = await new_pool(image="echo", max_size=1, max_uses=1000)
    four = await new_pool(image="echo", max_size=1, max_uses=1000, concurrency=4)
    async with plant.running(), plant.brokering() as broker:
        await until(lambda: served(four.pk, 1))
        for pool, places in ((alone, 1), (four, 2)):
            leases = [
                await broker.acquire(pool.pk, holder=f"h{n}", team_id=pool.team_id, timeout=5)
                for n in range(places)
            ]
            assert len({lease.agent_id for lease in leases}) == 1
            with pytest.raises(LeaseTimeout):
                await broker.acquire(pool.pk, holder="more", team_id=pool.team_id, timeout=0.1)
            results = [await broker.invoke(lease, invocation(1, runs=None)) for lease in leases]
            assert [result.results[0].output for result in results] == [1] * places
            for lease in leases:
                await broker.release(lease, LeaseOutcome.OK)


async def test_max_age(plant: Plant) -> None:
    """With room for it, the replacement serves before the old agent leaves."""
    young = await new_pool(min_size=1, max_size=2, max_age=1.0)
    old = await new_pool(min_size=1, max_size=2, max_age=3600)
    async with plant.running():

        async def replaced() -> bool:
            return "max_age" in await reasons(young.pk)

        await until(replaced)
        gone = (await rows_of(young.pk, AgentState.GONE))[0]
        others = [agent for agent in await rows_of(young.pk, *AgentState) if agent.pk != gone.pk]
        assert min(agent.ready_at for agent in others if agent.ready_at) < gone.ended_at
        assert await reasons(old.pk) == []


async def test_error_threshold(plant: Plant) -> None:
    strict, patient = await new_pool(error_threshold=2), await new_pool(error_threshold=0)
    async with plant.running(), plant.brokering() as broker:
        for pool in (strict, patient):
            for number in range(4):
                lease = await broker.acquire(pool.pk, holder=f"{number}", team_id=pool.team_id, timeout=10)
                await broker.release(lease, LeaseOutcome.ERROR, uses=1)

        async def replaced() -> bool:
            return await reasons(strict.pk) == ["errors"] * 2

        await until(replaced)
        assert await reasons(patient.pk) == []


async def test_health_check_interval(plant: Plant) -> None:
    """Idle agents that have become sick are replaced before anybody leases them."""
    often, seldom = await new_pool(health_check_interval=1.0), await new_pool(health_check_interval=3600)
    async with plant.running() as controller:
        await until(lambda: served(often.pk, 1))
        await until(lambda: served(seldom.pk, 1))
        for agent in memory(plant).agents.values():
            agent.healthy = False

        async def replaced() -> bool:
            return "unhealthy" in await reasons(often.pk)

        await until(replaced)
        assert await reasons(seldom.pk) == []
        key = controller.leases.keys.pool(often.pk, "health_failures")
        failed = int(await controller.leases.wire.call("HGET", key, "status"))
        checks = controller.leases.keys.pool(often.pk, "health_checks")
        assert int(await controller.leases.wire.call("GET", checks)) >= failed >= 1


async def test_memory_threshold(plant: Plant) -> None:
    """An agent that uses too much is replaced: an idle one now, a leased one after its lease."""
    half = {"memory": 2**26, "health_check_interval": 1.0, "memory_threshold": 0.5}
    strict, wide = await new_pool(**half, max_size=1), await new_pool(**half | {"memory_threshold": 0.9})
    async with plant.running(), plant.brokering() as broker:
        lease = await broker.acquire(strict.pk, holder="h", team_id=strict.team_id, timeout=10)
        await until(lambda: served(wide.pk, 1))
        for agent in memory(plant).agents.values():
            agent.memory = int(0.6 * 2**26)

        async def draining() -> bool:
            (seen,) = await broker.leases.agents([strict.pk])
            return seen.state == "draining"

        await until(draining)
        await broker.release(lease, LeaseOutcome.OK)

        async def replaced() -> bool:
            return await reasons(strict.pk) == ["memory"]

        await until(replaced)
        assert await reasons(wide.pk) == []


async def test_graceful_shutdown(plant: Plant) -> None:
    """What an agent that leaves in good order gets to finish; one that failed gets nothing."""
    short, long = await new_pool(graceful_shutdown=1.0), await new_pool(graceful_shutdown=7.0)
    async with plant.running(), plant.brokering() as broker:
        failed = await broker.acquire(short.pk, holder="f", team_id=short.team_id, timeout=10)
        await broker.release(failed, LeaseOutcome.POISON)
        used = {}
        for pool in (short, long):
            await change(pool, max_uses=1)
            lease = await broker.acquire(pool.pk, holder="h", team_id=pool.team_id, timeout=10)
            await broker.release(lease, LeaseOutcome.OK, uses=100)
            used[pool.pk] = lease.agent_id
        graces = memory(plant).graces
        await until(lambda: {failed.agent_id, *used.values()} <= set(graces))
        assert (graces[failed.agent_id], graces[used[short.pk]], graces[used[long.pk]]) == (0.0, 1.0, 7.0)


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [("lifo", ["c", "c", "c"]), ("round_robin", ["a", "b", "c"]), ("least_used", ["b", "b", "c"])],
)
async def test_assignment(plant: Plant, assignment: str, expected: list[str]) -> None:
    """Three agents a, b and c came free in that order, after 2, 0 and 1 uses."""
    pool = await new_pool(min_size=3, assignment=assignment)
    async with plant.running(), plant.brokering() as broker:

        async def all_are_free() -> bool:
            return (await broker.leases.figures([pool.pk]))[pool.pk].idle == 3

        await until(all_are_free)
        held = [
            await broker.acquire(pool.pk, holder=f"h{n}", team_id=pool.team_id, timeout=5) for n in range(3)
        ]
        names = {lease.agent_id: name for lease, name in zip(held, "abc", strict=True)}
        for lease, uses in zip(held, (2, 0, 1), strict=True):
            await broker.release(lease, LeaseOutcome.OK, uses=uses)
            await asyncio.sleep(0.005)  # the order in which they came free is told in milliseconds
        taken = []
        for number in range(3):
            lease = await broker.acquire(pool.pk, holder=f"t{number}", team_id=pool.team_id, timeout=5)
            taken.append(names[lease.agent_id])
            await broker.release(lease, LeaseOutcome.OK, uses=1)
            await asyncio.sleep(0.005)
        assert taken == expected


@pytest.mark.parametrize(("order", "expected"), [("lru", "a"), ("fifo", "a"), ("lifo", "b")])
async def test_scale_down_order(plant: Plant, order: str, expected: str) -> None:
    """Agent a was made first, b after it; with `lru`, b has been used since."""
    pool = await new_pool(min_size=0, max_size=2, target_size=1, scale_down_order=order)
    async with plant.running() as controller, plant.brokering() as broker:
        await until(lambda: served(pool.pk, 1))
        (first,) = await rows_of(pool.pk)
        await asyncio.sleep(0.01)
        await change(pool, target_size=2)
        controller.nudge()
        await until(lambda: served(pool.pk, 2))
        second = next(agent for agent in await rows_of(pool.pk) if agent.pk != first.pk)
        both = [await broker.acquire(pool.pk, holder=f"h{n}", team_id=pool.team_id, timeout=5) for n in "12"]
        # The older one comes free last unless the order goes by use.
        both.sort(key=lambda lease: (lease.agent_id == first.pk) == (order != "lru"))
        for lease in both:
            await broker.release(lease, LeaseOutcome.OK, uses=1)
            await asyncio.sleep(0.005)
        await change(pool, target_size=1)
        controller.nudge()
        gone = await until_gone(pool)
        assert gone == {"a": first.pk, "b": second.pk}[expected]


async def until_gone(pool: Pool) -> UUID:
    await until(lambda: rows_of(pool.pk, AgentState.GONE))
    (agent,) = await rows_of(pool.pk, AgentState.GONE)
    return agent.pk


async def test_isolation_and_shares(plant: Plant) -> None:
    """A team that shares the pool gets an agent that served nobody else, unless the pool mixes teams."""
    apart, mixed = await new_pool(max_size=1), await new_pool(max_size=1, isolation="shared")
    other = await database_sync_to_async(make_team)()
    async with plant.running(), plant.brokering() as broker:
        for pool in (apart, mixed):
            with pytest.raises(PoolNotFound):
                await broker.acquire(pool.pk, holder="o", team_id=other.pk, timeout=0.1)
            await database_sync_to_async(PoolShare.objects.create)(pool=pool, team=other, weight=2)
        await asyncio.sleep(0)
        for pool, same in ((apart, False), (mixed, True)):
            ours = await use(broker, pool, "ours")
            theirs = None
            async with asyncio.timeout(60):
                while theirs is None:  # until the controller has told of the share
                    with contextlib.suppress(PoolNotFound):
                        theirs = await broker.acquire(pool.pk, holder="t", team_id=other.pk, timeout=10)
            assert (theirs.agent_id == ours.agent_id) is same
            await broker.release(theirs, LeaseOutcome.OK)
        assert await reasons(apart.pk) == ["recycled"]
        assert await reasons(mixed.pk) == []


async def test_secrets(plant: Plant) -> None:
    """Their values are in the environment; without one of them no agent is made, and the pool says so."""
    pool = await new_pool(secrets=["API_KEY"])
    async with plant.running() as controller:

        async def told() -> str:
            row: Pool = await database_sync_to_async(Pool.objects.get)(pk=pool.pk)
            return row.problem or ""

        await until(told)
        assert await told() == "The team has no secret API_KEY, which the pool's agents are to get."
        await database_sync_to_async(set_secret)(pool.team_id, "API_KEY", "s3cret", author="ada")
        controller.nudge()
        await until(lambda: served(pool.pk, 1))
        (agent,) = memory(plant).agents.values()
        assert agent.spec.env["API_KEY"] == "s3cret"
        assert await told() == ""


async def test_another_team_gets_its_own_agent_beside_idle_ones(plant: Plant) -> None:
    """While there is room nothing is ended for it; once there is none, the longest idle one goes."""
    pool = await new_pool(min_size=0, max_size=3, warm_up=False)
    other = await database_sync_to_async(make_team)()
    await database_sync_to_async(PoolShare.objects.create)(pool=pool, team=other)
    async with plant.running(), plant.brokering() as broker:

        async def hold(team_id: int, name: str) -> Lease:
            return await broker.acquire(pool.pk, holder=name, team_id=team_id, timeout=10)

        ours = [await hold(pool.team_id, f"o{number}") for number in range(2)]
        for lease in ours:
            await broker.release(lease, LeaseOutcome.OK)
        theirs = [await hold(other.pk, "t0")]
        assert await reasons(pool.pk) == []
        for number in (1, 2):
            theirs.append(await hold(other.pk, f"t{number}"))
            assert await reasons(pool.pk) == ["recycled"] * number
        assert len({lease.agent_id for lease in (*ours, *theirs)}) == 5
        for lease in theirs:
            await broker.release(lease, LeaseOutcome.OK)


async def test_commands(plant: Plant) -> None:
    """With them the built-in agent serves in the image; without, the image answers by itself."""
    itself, tools = await new_pool(image="echo"), await new_pool(image="echo", commands=True)
    async with plant.running(), plant.brokering() as broker:

        async def ask(pool: Pool, runs: Command | None) -> Any:
            lease = await broker.acquire(pool.pk, holder=pool.name, team_id=pool.team_id, timeout=10)
            (result,) = (await broker.invoke(lease, invocation([2, 1], runs=runs))).results
            await broker.release(lease, LeaseOutcome.OK)
            return result.output if result.error is None else result.error.message

        assert await ask(itself, None) == [2, 1]
        assert "nothing to run" in await ask(tools, None)
        assert await ask(tools, Command(("wc", "-c"))) == len("[2, 1]\n")


async def test_requirements(plant: Plant) -> None:
    """They are in the image that agents run; others replace the agents, another order does not."""
    assert isinstance(plant.runtime, MemoryRuntime)
    pool = await new_pool(min_size=1, max_size=1, requirements=["a==1", "b"])

    async def images() -> list[str]:
        assert isinstance(plant.runtime, MemoryRuntime)
        return [agent.spec.image for agent in plant.runtime.agents.values()]

    async def change(requirements: list[str]) -> None:
        changes = {"requirements": requirements}
        await database_sync_to_async(pools.update_pool)(pool.team_id, pool.name, changes)

    async def is_replaced() -> bool:
        return await images() == [BUILT_IN_IMAGE]

    async with plant.running():
        await until(lambda: served(pool.pk, 1))
        assert await images() == [f"{BUILT_IN_IMAGE} with a==1, b"]
        await change(["b", "A == 1", "b"])
        assert await reasons(pool.pk) == []
        await change([])
        await until(is_replaced)
        assert await reasons(pool.pk) == ["recycled"]


@pytest.mark.parametrize(
    "values",
    [
        {"env": {"A": "1"}},
        {"cpu": 0.5},
        {"memory": 2**26},
        {"pids": 64},
        {"network": "egress"},
        {"capacity_type": "on_demand"},
    ],
)
async def test_what_agents_are_made_of(plant: Plant, values: dict[str, Any]) -> None:
    """Agents made by other values are replaced. What a container does with them: `test_docker`."""
    pool = await new_pool()
    async with plant.running() as controller:
        await until(lambda: served(pool.pk, 1))
        (before,) = memory(plant).agents.values()
        await change(pool, **values)
        controller.nudge()

        async def replaced() -> bool:
            return await reasons(pool.pk) == ["recycled"] and await served(pool.pk, 1)

        await until(replaced)
        (after,) = memory(plant).agents.values()
        assert _made_of(before.spec) != _made_of(after.spec)


def _made_of(spec: object) -> tuple[Any, ...]:
    assert isinstance(spec, AgentSpec)
    return dict(spec.env), spec.limits, spec.egress, spec.place


@pytest.mark.parametrize(("weight", "owners"), [(1.0, 10), (3.0, 15), (9.0, 18)])
async def test_weight(plant: Plant, weight: float, owners: int) -> None:
    """Of twenty leases of ten milliseconds each, so many are the owner's while another team wants them."""
    pool, other = (
        await new_pool(weight=weight, isolation="shared", max_uses=10_000),
        await database_sync_to_async(make_team)(),
    )
    await database_sync_to_async(PoolShare.objects.create)(pool=pool, team=other, weight=1)
    wire = Wire(settings.REDIS_URL)
    leases = AsyncLeases(
        wire, plant.prefix, load("local now = tonumber(redis.call('GET', ARGV[1] .. ':now'))")
    )
    await wire.call("SET", f"{plant.prefix}:now", "1000000")
    await leases.begin_epoch(1, 0)
    await leases.put_pool(pool.pk, await database_sync_to_async(rules_of)(pool))
    await leases.register(pool.pk, uuid4(), "a:1", boot="b", nonce="n")
    teams = {"owner": pool.team_id, "other": other.pk}
    for number in range(30):
        for name, team_id in teams.items():
            token = holder = f"{name}/{number}"
            await leases.acquire(str(pool.pk), holder, client="c", team_id=team_id, token=token, wait=3600)
    served_teams = []
    for _ in range(20):
        (token,) = await wire.call("ZRANGE", leases.keys.pool(pool.pk, "leases"), "0", "0")
        served_teams.append(token.decode().partition("/")[0])
        await wire.call("INCRBY", f"{plant.prefix}:now", "10")
        await leases.release(token.decode(), "ok", 1)
    await wire.close()
    assert abs(served_teams.count("owner") - owners) <= 1


# Where each field of a pool is changed alone, and something else happens. The others are no settings: they
# say which pool it is, or what has become of it.
TESTED = {
    "test_settings": {
        "image": "test_a_new_image_replaces_the_agents_of_the_old",
        "env": "test_what_agents_are_made_of",
        "isolation": "test_isolation_and_shares",
        "deleted_at": "test_a_deleted_pool_lets_its_leases_finish",
        **{
            name: f"test_{name}"
            for name in (
                "commands",
                "requirements",
                "min_size",
                "max_size",
                "warm_up",
                "max_uses",
                "idle_timeout",
                "concurrency",
                "max_age",
                "memory_threshold",
                "error_threshold",
                "health_check_interval",
                "graceful_shutdown",
                "assignment",
                "scale_down_order",
                "secrets",
                "weight",
                "target_size",
            )
        },
    },
    "test_docker": {
        **dict.fromkeys(("cpu", "memory", "pids"), "test_what_a_pool_gives_its_containers"),
        "network": "test_egress",
    },
    "test_placement": {name: f"test_{name}" for name in ("capacity_type", "zone")},
    "test_operations": {
        "drained_at": "test_drain_and_resume",
        "drain_by": "test_a_drain_has_its_deadline",
    },
    "test_estimates": {"price": "test_what_it_costs"},
}
NO_SETTINGS = {
    "id",
    "team",
    "name",
    "workflow",
    "problem",
    "problem_kind",
    "crash_loop",
    "created_at",
    "updated_at",
}


def test_every_field_has_a_test() -> None:
    tested = {name for fields in TESTED.values() for name in fields}
    assert tested | NO_SETTINGS == {field.name for field in Pool._meta.fields}
    for module, fields in TESTED.items():
        (path,) = Path(__file__).parents[1].rglob(f"{module}.py")
        there = {node.name for node in ast.walk(ast.parse(path.read_text())) if hasattr(node, "name")}
        assert set(fields.values()) <= there, module
