"""Making agents when something is in the way: the image, the engine, the disk, the database, ourselves."""

from __future__ import annotations

import asyncio
import errno
import math
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError

from pools.domain.agents import STARTING
from pools.domain.breaker import LONGEST_PAUSE
from pools.domain.placement import Recipe
from pools.facade import api as pools
from pools.models import Pool
from pools.runtime.base import BUILT_IN_IMAGE, AgentHandle, AgentSpec, EngineAway, RuntimeFault
from pools.runtime.memory import MemoryRuntime
from pools.runtime.process import ProcessRuntime
from pools.services.agents import move
from pools.services.controller import reality
from pools.services.controller.creation import AT_ONCE
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, has_problem, problem, rows_of, served, until

pytestmark = pytest.mark.django_db(transaction=True)


async def new_pool(**values: Any) -> Pool:
    pool: Pool = await database_sync_to_async(make_pool)(**values)
    return pool


def memory(plant: Plant) -> MemoryRuntime:
    assert isinstance(plant.runtime, MemoryRuntime)
    return plant.runtime


# --- the image -------------------------------------------------------------------------------------------


async def test_a_broken_image_is_tried_ever_less_often(plant: Plant) -> None:
    memory(plant).broken.add("broken")
    pool = await new_pool(min_size=4, max_size=4, image="broken")
    async with plant.running() as controller:
        await until(lambda: has_problem(pool, "creation"))
        for _ in range(30):
            await controller.tick()
        assert memory(plant).creations <= 8
        assert "broken" in str(await problem(pool))
        memory(plant).broken.clear()
        memory(plant).images["broken"] = lambda value: value
        await until(lambda: served(pool.pk, 4))
        await until(lambda: has_problem(pool, None))


async def test_a_missing_image_is_a_sentence_on_the_pool(plant: Plant) -> None:
    pool = await new_pool(min_size=1, image="nowhere:latest")
    async with plant.running():
        await until(lambda: has_problem(pool, "creation"))
    assert "nowhere:latest" in str(await problem(pool))


async def test_every_pool_of_a_broken_image_says_so(plant: Plant) -> None:
    """One probe at a time is let through, and the first pool always gets it."""
    memory(plant).broken.add("broken")
    first = await new_pool(name="a", min_size=1, image="broken")
    async with plant.running():
        await until(lambda: has_problem(first, "creation"))
        second = await new_pool(name="b", min_size=1, image="broken")
        await until(lambda: has_problem(second, "creation"))
        assert "broken" in str(await problem(second))
        memory(plant).broken.clear()
        memory(plant).images["broken"] = lambda value: value
        for pool in (first, second):
            await until(lambda pool=pool: has_problem(pool, None))  # type: ignore[misc]


async def test_a_new_image_begins_without_the_old_ones_problem(plant: Plant) -> None:
    """Nor does it wait for agents of the old one that never become ready."""
    memory(plant).sick.add("sick")
    pool = await new_pool(min_size=1, max_size=1, image="sick", problem="It is ill.", problem_kind="creation")
    async with plant.running() as controller:
        await until(lambda: bool(memory(plant).agents))
        await database_sync_to_async(pools.update_pool)(pool.team_id, pool.name, {"image": "echo"})
        assert await problem(pool) == (None, None)
        controller.nudge()
        started = time.monotonic()
        await until(lambda: served(pool.pk, 1))
        assert time.monotonic() - started < 10
        (agent,) = await rows_of(pool.pk)
        assert agent.image == "echo"


async def test_an_agent_that_was_outdated_while_it_started_serves_nobody(plant: Plant) -> None:
    pool = await new_pool(min_size=1, image="echo")
    async with plant.running() as controller:
        await until(lambda: served(pool.pk, 1))
        (agent,) = controller.registry.of_pool(pool.pk)
        await database_sync_to_async(Pool.objects.filter(pk=pool.pk).update)(image="agentainer/python-agent")
        await controller.leases.remove(agent.pk)
        await controller.creator.register(agent)
        assert not await controller.leases.knows(agent.pk)


# --- the engine ------------------------------------------------------------------------------------------


async def test_an_engine_that_is_away_is_waited_for(plant: Plant) -> None:
    """Told as what it is, asked again every other second however long it lasts, and forgotten at once."""
    memory(plant).away = True
    pool, late = await new_pool(min_size=2), None
    async with plant.running() as controller:
        await until(lambda: has_problem(pool, "engine_away"))
        late = await new_pool(min_size=1)
        await until(lambda: has_problem(late, "engine_away"))
        await asyncio.sleep(2.5)
        assert controller.creator.breaker(pool.recipe).failures == 0
        memory(plant).away = False
        back = time.monotonic()
        await until(lambda: served(pool.pk, 2))
        await until(lambda: served(late.pk, 1))
        assert time.monotonic() - back < 6
        for seen in (pool, late):
            await until(lambda seen=seen: has_problem(seen, None))  # type: ignore[misc]


async def test_the_engines_return_is_told_before_the_first_agent(plant: Plant) -> None:
    """With the engine back, its absence is no reason to wait any more: what follows may be another one."""
    memory(plant).away = True
    memory(plant).sick.add("sick")
    pool = await new_pool(min_size=1, image="sick")
    async with plant.running(ready_within=1.5):
        await until(lambda: has_problem(pool, "engine_away"))
        memory(plant).away = False
        await until(lambda: has_problem(pool, None))
        await until(lambda: has_problem(pool, "creation"))
        memory(plant).away = True
        await until(lambda: has_problem(pool, "engine_away"))


async def test_a_controller_works_while_the_engine_is_away_at_its_start(plant: Plant) -> None:
    class Late(MemoryRuntime):
        async def start(self) -> None:
            await self.ping()

    plant.runtime = Late()
    memory(plant).away = True
    pool = await new_pool(min_size=1)
    async with plant.running() as controller:
        await until(lambda: has_problem(pool, "engine_away"))
        assert (await controller.leases.figures([pool.pk]))[pool.pk].version >= 0, "Redis knows the pool"
        memory(plant).away = False
        await until(lambda: served(pool.pk, 1))
    await plant.runtime.close()


async def test_an_engine_that_hangs_holds_up_nothing_else(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reality, "LIST_TIMEOUT", 0.2)

    async def hang() -> list[AgentHandle]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(memory(plant), "list_agents", hang)
    controller = plant.controller()
    await controller.start()
    try:
        await asyncio.wait_for(controller.tick(), 60)
        assert "within 0.2 s" in str(controller.creator.engine_away)
    finally:
        await controller.close()


@pytest.mark.docker
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # docker-py leaves its socket
async def test_a_docker_engine_is_connected_to_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from pools.runtime.docker import DockerRuntime

    with monkeypatch.context() as without:
        without.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        runtime = DockerRuntime("test-late")
        with pytest.raises(EngineAway):
            await runtime.start()
        with pytest.raises(EngineAway):
            await runtime.ping()
    await runtime.ping()
    assert await runtime.list_agents() == []
    await runtime.close()


# --- faults that nobody foresaw ----------------------------------------------------------------------------


async def test_an_unforeseen_fault_opens_the_circuit_and_is_told(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    async def create(spec: AgentSpec) -> AgentHandle:
        nonlocal attempts
        attempts += 1
        raise KeyError("Id")

    pool = await new_pool(min_size=1, max_size=1)
    async with plant.running():
        with monkeypatch.context() as patched:
            patched.setattr(plant.runtime, "create", create)
            await until(lambda: has_problem(pool, "creation"))
            await asyncio.sleep(2.0)
            assert attempts <= 3
            assert "KeyError" in str(await problem(pool))
        await until(lambda: served(pool.pk, 1))
        await until(lambda: has_problem(pool, None))


async def test_a_probe_that_dies_of_the_database_is_followed_by_another(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(plant).broken.add("shaky")
    memory(plant).images["shaky"] = lambda value: value
    pool = await new_pool(min_size=1, max_size=1, image="shaky")
    failed = 0

    def shaky_move(*args: Any, **fields: Any) -> Any:
        nonlocal failed
        if not memory(plant).broken and failed < 1:
            failed += 1
            raise OperationalError("the database went away")
        return move(*args, **fields)

    monkeypatch.setattr("pools.services.controller.registry.rows.move", shaky_move)
    async with plant.running() as controller:
        await until(lambda: has_problem(pool, "creation"))
        memory(plant).broken.clear()
        await until(lambda: failed)
        assert controller.creator.breaker(Recipe("shaky")).failures > 0
        await until(lambda: served(pool.pk, 1))
        await until(lambda: has_problem(pool, None))


async def test_an_image_that_does_not_start_by_itself_may_run_commands(plant: Plant) -> None:
    memory(plant).broken.add("tools")
    itself, tools = await new_pool(image="tools"), await new_pool(image="tools", commands=True)
    async with plant.running():
        await until(lambda: has_problem(itself, "creation"))
        await until(lambda: served(tools.pk, 1))
        assert await has_problem(itself, "creation")
        assert await has_problem(tools, None)


async def test_requirements_that_cannot_be_installed_are_the_pools_alone(plant: Plant) -> None:
    memory(plant).broken.add("nowhere")
    plain, more = await new_pool(), await new_pool(requirements=["nowhere"])
    begun = time.monotonic()
    async with plant.running() as controller:
        await until(lambda: has_problem(more, "creation"))
        await until(lambda: served(plain.pk, 1))
        assert "there is no nowhere" in str(await problem(more))
        assert await has_problem(plain, None)
        # Nothing is gained by asking again at once.
        breaker = controller.creator.breaker(Recipe(BUILT_IN_IMAGE, requirements=("nowhere",)))
        assert breaker.open_until >= begun + LONGEST_PAUSE
        memory(plant).broken.clear()
        breaker.open_until = 0.0
        controller.nudge()
        await until(lambda: served(more.pk, 1))
        await until(lambda: has_problem(more, None))


class Pruning(MemoryRuntime):
    """Notes which requirements are to stay."""

    kept: Collection[tuple[str, ...]] | None = None

    async def prune_images(self, requirements: Collection[tuple[str, ...]]) -> None:
        self.kept = requirements


async def test_images_go_whose_requirements_no_pool_has_any_more(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pools.services.controller.controller.IMAGES_EVERY", 0.05)
    plant.runtime = runtime = Pruning()
    await new_pool()
    pool = await new_pool(requirements=["b", "c"])
    await new_pool(requirements=["a"])
    async with plant.running():
        await until(lambda: runtime.kept == {("a",), ("b", "c")})
        await database_sync_to_async(pools.delete_pool)(pool.team_id, pool.name)
        await until(lambda: runtime.kept == {("a",)})
    await plant.runtime.close()


class KeptUp(MemoryRuntime):
    """Counts how often it is reminded; the engine is away at first."""

    times = 0

    async def upkeep(self) -> None:
        self.times += 1
        if self.times == 1:
            raise EngineAway("It does not answer.")


async def test_the_runtime_is_kept_up_beside_the_rounds(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pools.services.controller.controller.UPKEEP_EVERY", 0.02)
    plant.runtime = runtime = KeptUp()
    async with plant.running():
        await until(lambda: runtime.times > 2)
    await plant.runtime.close()


class Installing(MemoryRuntime):
    """Is never done with requirements."""

    async def ensure_image(
        self, image: str, *, commands: bool = False, requirements: Sequence[str] = ()
    ) -> str:
        if requirements:
            await asyncio.Event().wait()
        return await super().ensure_image(image, commands=commands)


async def test_pools_start_while_requirements_of_another_are_installed(plant: Plant) -> None:
    plant.runtime = Installing()
    await new_pool(min_size=AT_ONCE, max_size=AT_ONCE, requirements=["large"])
    async with plant.running() as controller:
        await until(lambda: len(controller.creator.tasks) >= AT_ONCE)
        plain = await new_pool()
        await until(lambda: served(plain.pk, 1))
    await plant.runtime.close()


async def test_a_database_that_refuses_writes_is_not_asked_at_once_again(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    def refuse(*args: Any, **fields: Any) -> Any:
        nonlocal attempts
        attempts += 1
        raise OperationalError("database or disk is full")

    pool = await new_pool(min_size=1, max_size=1)
    async with plant.running():
        with monkeypatch.context() as patched:
            patched.setattr("pools.services.controller.registry.rows.move", refuse)
            await until(lambda: attempts)
            await asyncio.sleep(2.0)
            assert attempts <= 3
            assert await has_problem(pool, None), "it says nothing about the image"
        await until(lambda: served(pool.pk, 1))


# --- the disk of local agents -------------------------------------------------------------------------------


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: Any, **__: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", refuse)


def spec_of_somebody() -> AgentSpec:
    from uuid import uuid4

    return AgentSpec(uuid4(), uuid4(), "p", "agentainer/python-agent", "n", epoch=1, token="t")


async def test_a_full_disk_is_a_fault_of_the_runtime_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    runtime = ProcessRuntime(tmp_path / "agents", "full")
    await runtime.start()
    before = {child.pid for child in psutil.Process().children()}
    with monkeypatch.context() as patched:
        full_disk(patched)
        with pytest.raises(RuntimeFault, match="No space left on device"):
            await runtime.create(spec_of_somebody())
    assert {child.pid for child in psutil.Process().children()} <= before
    assert await runtime.list_agents() == []
    spec = spec_of_somebody()
    (tmp_path / "agents" / f"{spec.agent_id}.scratch").write_text("in the way")
    with pytest.raises(RuntimeFault, match="could not be started"):
        await runtime.create(spec)
    await runtime.remove(spec.agent_id)


async def test_a_directory_that_cannot_be_made_or_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeFault, match="cannot be made"):
        await ProcessRuntime(tmp_path / "file" / "agents", "none").start()


async def test_a_full_disk_is_told_on_the_pool(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.runtime = ProcessRuntime(tmp_path / "agents", plant.instance)
    pool = await new_pool(min_size=1, max_size=1)
    async with plant.running() as controller:
        with monkeypatch.context() as patched:
            full_disk(patched)
            await until(lambda: has_problem(pool, "creation"))
            assert "No space left on device" in str(await problem(pool))
            assert controller.creator.breaker(pool.recipe).failures > 0
        await until(lambda: served(pool.pk, 1))
        await until(lambda: has_problem(pool, None))
    for handle in await plant.runtime.list_agents():
        await plant.runtime.remove(handle.agent_id)


# --- many at once -------------------------------------------------------------------------------------------


class Counting(MemoryRuntime):
    """Counts how many creations the engine is asked for at once, the image's making included."""

    def __init__(self) -> None:
        super().__init__()
        self.running = self.most = 0

    async def ensure_image(
        self, image: str, *, commands: bool = False, requirements: Sequence[str] = ()
    ) -> str:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0.05)
            return await super().ensure_image(image, commands=commands, requirements=requirements)
        finally:
            self.running -= 1

    async def create(self, spec: AgentSpec) -> AgentHandle:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0.05)
            return await super().create(spec)
        finally:
            self.running -= 1


async def test_an_engine_is_asked_for_a_few_at_once(plant: Plant) -> None:
    plant.runtime = Counting()
    pool = await new_pool(min_size=12, max_size=12)
    async with plant.running():
        await until(lambda: served(pool.pk, 12))
    assert plant.runtime.most == AT_ONCE
    await plant.runtime.close()


async def test_agents_that_never_become_ready_keep_no_other_from_starting(plant: Plant) -> None:
    memory(plant).sick.add("sick")
    sick = await new_pool(name="a-sick", min_size=AT_ONCE * 2, max_size=AT_ONCE * 2, image="sick")
    async with plant.running():
        await until(lambda: len(memory(plant).agents) == AT_ONCE * 2)
        well = await new_pool(name="b-well", min_size=2)
        await until(lambda: served(well.pk, 2))
        assert len(await rows_of(sick.pk, *STARTING)) == AT_ONCE * 2


async def test_agents_that_do_not_become_ready_in_time_are_given_up(plant: Plant) -> None:
    memory(plant).sick.add("sick")
    pool = await new_pool(min_size=2, max_size=2, image="sick")
    async with plant.running(ready_within=0.3):
        await until(lambda: has_problem(pool, "creation"))
        assert "did not answer GET /health" in str(await problem(pool))
        memory(plant).sick.clear()
        memory(plant).images["sick"] = lambda value: value
        await until(lambda: served(pool.pk, 2))
        await until(lambda: has_problem(pool, None))


# --- controllers that take over ----------------------------------------------------------------------------


async def test_a_broken_image_stays_held_back_when_the_controller_is_restarted(plant: Plant) -> None:
    memory(plant).broken.add("broken")
    pool = await new_pool(min_size=AT_ONCE, max_size=AT_ONCE, image="broken")
    began = time.monotonic()
    for _ in range(8):
        async with plant.running() as controller:
            await until(lambda: has_problem(pool, "creation"))
            for _ in range(3):
                await controller.tick()
    probes = math.ceil(math.log2(2 + time.monotonic() - began))  # the pauses double
    assert memory(plant).creations <= AT_ONCE + probes
    memory(plant).broken.clear()
    memory(plant).images["broken"] = lambda value: value
    async with plant.running() as controller:
        assert controller.creator.breaker(pool.recipe).why == (await problem(pool))[1]
        controller.creator.breaker(pool.recipe).open_until = 0.0
        await until(lambda: served(pool.pk, AT_ONCE))
        await until(lambda: has_problem(pool, None))
    async with plant.running() as controller:
        assert controller.creator.breaker(pool.recipe).failures == 0
