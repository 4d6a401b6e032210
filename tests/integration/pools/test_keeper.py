"""The keeper of deployed agents, on the in-memory runtime: health, backoff, secrets, no engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from channels.db import database_sync_to_async

from pools.models import DeployedAgent
from pools.runtime.memory import MemoryRuntime
from pools.services.deployments.keeper import Keeper
from teams.facade import api as teams
from tests.factories.pools import make_team
from tests.fakes.deployed import always, is_, row_of
from tests.fakes.pools import SECRET, until

pytestmark = pytest.mark.django_db(transaction=True)
CHECK = {"path": "/health", "interval": 0.1, "timeout": 1.0, "retries": 2, "start_period": 0.5}


@pytest.fixture
async def runtime() -> AsyncIterator[MemoryRuntime]:
    made = MemoryRuntime()
    yield made
    await made.close()


@database_sync_to_async
def make(name: str = "a", **values: Any) -> DeployedAgent:
    chosen = {"image": "echo", "nonce": "n", "health_check": CHECK, **values}
    return DeployedAgent.objects.create(team=make_team(), name=name, **chosen)


@database_sync_to_async
def change(name: str = "a", **values: Any) -> None:
    DeployedAgent.objects.filter(name=name).update(**values)


@contextlib.asynccontextmanager
async def keeping(runtime: MemoryRuntime, **options: Any) -> AsyncIterator[Keeper]:
    chosen: dict[str, Any] = {"secret": SECRET, "leads": always, "well": lambda: None, "secrets": none_known}
    keeper = Keeper(runtime, **{**chosen, **options})
    task = asyncio.create_task(keeper.run())
    try:
        yield keeper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def none_known(team_id: int, names: set[str]) -> Mapping[str, str]:
    return {}


async def test_one_that_never_gets_well_is_tried_less_and_less_often(runtime: MemoryRuntime) -> None:
    runtime.sick.add("sick")
    await make(image="sick")
    async with keeping(runtime) as keeper:
        await until(lambda: is_("a", "failed"))
        row = await row_of("a")
        assert row.problem is not None
        assert "did not answer GET /health within 0.5 s" in row.problem
        assert (row.deaths, row.restarts) == (1, 0)
        assert row.start_at is not None
        assert row.exited_at is not None
        assert 0.9 < (row.start_at - row.exited_at).total_seconds() < 1.1

        async def died_twice() -> bool:
            return (await row_of("a")).deaths == 2

        await until(died_twice)
        row = await row_of("a")
        assert row.start_at is not None
        assert row.exited_at is not None
        assert 1.9 < (row.start_at - row.exited_at).total_seconds() < 2.1
        keeper.wake()
    assert len(runtime.deployed.starts) == 2


async def test_without_auto_restart_it_is_only_told_that_it_is_unwell(runtime: MemoryRuntime) -> None:
    runtime.sick.add("sick")
    await make(image="sick", auto_restart=False)
    async with keeping(runtime):
        await until(lambda: is_("a", "running", "failing"))
        await asyncio.sleep(0.5)
        assert await is_("a", "running", "failing")
    assert len(runtime.deployed.starts) == 1


async def test_one_that_falls_ill_is_ended_and_started_again(runtime: MemoryRuntime) -> None:
    made = await make()
    async with keeping(runtime):
        await until(lambda: is_("a", "running", "ok"))
        agent = runtime.deployed._agents.agents[made.pk]
        agent.healthy = False
        await until(lambda: is_("a", "failed"))
        assert "did not answer GET /health 2 times in a row" in ((await row_of("a")).problem or "")
        await until(lambda: is_("a", "running", "ok"))
        assert (await row_of("a")).restarts == 1


async def test_its_deaths_are_forgotten_once_it_was_well_for_a_while(runtime: MemoryRuntime) -> None:
    made = await make()
    async with keeping(runtime, healthy_for=0.3):
        await until(lambda: is_("a", "running", "ok"))
        await runtime.deployed.kill(made.pk)

        async def forgotten() -> bool:
            row = await row_of("a")
            return (row.restarts, row.deaths, row.state) == (1, 0, "running")

        await until(forgotten)


async def test_one_that_has_done_its_work(runtime: MemoryRuntime) -> None:
    made = await make(auto_restart=False)
    async with keeping(runtime):
        await until(lambda: is_("a", "running", "ok"))
        await runtime.deployed.kill(made.pk, exit_code=0)
        await until(lambda: is_("a", "stopped"))
        row = await row_of("a")
        assert (row.exit_code, row.problem, row.start_at) == (0, None, None)


async def test_without_a_health_check_running_is_well_enough(runtime: MemoryRuntime) -> None:
    runtime.sick.add("sick")
    await make(image="sick", health_check=None)
    async with keeping(runtime):
        await until(lambda: is_("a", "running", "ok"))


async def test_one_whose_node_is_lost_is_started_elsewhere(runtime: MemoryRuntime) -> None:
    """Unless it is not to be started again by itself."""
    await make("kept")
    await make("left", auto_restart=False)
    async with keeping(runtime):
        for name in ("kept", "left"):
            await until(lambda name=name: is_(name, "running", "ok"))  # type: ignore[misc]
            await runtime.deployed.lose((await row_of(name)).pk)

        async def again() -> bool:
            return await is_("kept", "running", "ok") and (await row_of("kept")).restarts == 1

        await until(again)
        await until(lambda: is_("left", "failed"))
    kept, left = await row_of("kept"), await row_of("left")
    assert (kept.exit_reason, kept.exit_code, kept.problem) == ("Its node was lost.", None, None)
    assert str(left.problem).startswith("Its node was lost.")
    assert runtime.deployed.starts.count(kept.pk) == 2


async def test_the_network_that_it_asks_for(runtime: MemoryRuntime) -> None:
    await make("in")
    await make("out", network="egress")
    async with keeping(runtime):
        for name, egress in (("in", False), ("out", True)):
            await until(lambda name=name: is_(name, "running", "ok"))  # type: ignore[misc]
            assert runtime.deployed.spec_of((await row_of(name)).pk).egress is egress


async def test_deployed_as_stopped(runtime: MemoryRuntime) -> None:
    await make(desired="stopped")
    async with keeping(runtime):
        await until(lambda: is_("a", "stopped"))
    assert runtime.deployed.starts == []


async def test_secrets_are_looked_up_at_each_start(runtime: MemoryRuntime) -> None:
    made = await make(env={"KEY": {"secret": "API_KEY"}, "PLAIN": "1"})
    known: dict[str, str] = {}

    def secrets(team_id: int, names: set[str]) -> Mapping[str, str]:
        assert (team_id, names) == (made.team_id, {"API_KEY"})
        return known

    async with keeping(runtime, secrets=secrets) as keeper:
        await until(lambda: is_("a", "failed"))
        assert "no secret named API_KEY" in ((await row_of("a")).problem or "")
        assert runtime.deployed.starts == []
        known["API_KEY"] = "hunter2"
        await change(state="created", start_at=None)
        keeper.wake()
        await until(lambda: is_("a", "running", "ok"))
        spec = runtime.deployed._known[made.pk]
        assert dict(spec.env) == {"PLAIN": "1", "KEY": "hunter2"}
        assert "hunter2" not in repr(spec)


async def test_a_secret_that_cannot_be_opened_is_told(runtime: MemoryRuntime) -> None:
    await make(env={"KEY": {"secret": "API_KEY"}})

    def sealed(team_id: int, names: set[str]) -> Mapping[str, str]:
        raise teams.SecretLost("The secret API_KEY was sealed under another SECRET_KEY; set it again.")

    async with keeping(runtime, secrets=sealed):
        await until(lambda: is_("a", "failed"))
        assert "sealed under another SECRET_KEY" in ((await row_of("a")).problem or "")
    assert runtime.deployed.starts == []


async def test_an_engine_that_is_away_changes_nothing(runtime: MemoryRuntime) -> None:
    await make()
    async with keeping(runtime) as keeper:
        await until(lambda: is_("a", "running", "ok"))
        runtime.away = True
        keeper.wake()

        async def told() -> bool:
            return "does not answer" in ((await row_of("a")).problem or "")

        await until(told)
        assert await is_("a", "running")
        runtime.away = False
        await asyncio.sleep(0.1)
        keeper.wake()

        async def mended() -> bool:
            return (await row_of("a")).problem is None

        await until(mended)
        assert (await row_of("a")).restarts == 0


async def test_who_does_not_lead_does_nothing(runtime: MemoryRuntime) -> None:
    await make()

    async def never() -> bool:
        return False

    async with keeping(runtime, leads=never):
        await asyncio.sleep(0.4)
        assert await is_("a", "created")
    assert runtime.deployed.starts == []


async def test_containers_without_a_row_are_ended(runtime: MemoryRuntime) -> None:
    made = await make()
    async with keeping(runtime) as keeper:
        await until(lambda: is_("a", "running", "ok"))
        await database_sync_to_async(DeployedAgent.objects.all().delete)()
        keeper.wake()

        async def nothing_runs() -> bool:
            return await runtime.deployed.list_deployed() == []

        await until(nothing_runs)
    assert made.pk not in runtime.deployed._known


async def test_a_host_directory_that_leads_elsewhere_by_now(runtime: MemoryRuntime, tmp_path: Any) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    await make(volumes=[{"host": str(inside / "link"), "path": "/d"}])
    async with keeping(runtime, volume_directories=[str(inside)]):
        await until(lambda: is_("a", "failed"))
        assert "may not be used" in ((await row_of("a")).problem or "")


async def test_a_runtime_without_deployed_agents_says_so(
    runtime: MemoryRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make()
    monkeypatch.setattr(MemoryRuntime, "deployed", None)
    async with keeping(runtime):

        async def told() -> bool:
            return "does not run deployed agents" in ((await row_of("a")).problem or "")

        await until(told)
        await until(lambda: is_("a", "failed"))
