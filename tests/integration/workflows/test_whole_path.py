"""From the request to the result with every part of ours in between: API, rows, Redis, the engine's threads,
the Broker, and a controller. Only the agents are in-memory ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db.models import F
from django.utils import timezone

from aflow_site.kernel.ids import new_id
from pools.facade import api as pools
from pools.runtime.memory import MemoryRuntime
from teams.models import Team
from tests.integration.workflows.harness import intercept_nudges, make_run, task
from workflows.engine.host import Engine
from workflows.models import Run
from workflows.services import claims
from workflows.services.control import cancel_run
from workflows.services.definitions import create_workflow
from workflows.services.runs import RunRequest, start_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@dataclass
class Platform:
    team_id: int
    runtime: MemoryRuntime
    engine: Engine

    async def run(self, document: dict[str, Any], **params: Any) -> Run:
        run = await sync_to_async(self._start)(document, params)
        return await self.ended(run)

    def _start(self, document: dict[str, Any], params: dict[str, Any]) -> Run:
        create_workflow(self.team_id, document, author="test")
        run, _ = start_run(self.team_id, document["name"], RunRequest(params=params), author="test")
        return run

    async def ended(self, run: Run) -> Run:
        return await until(lambda: Run.objects.filter(pk=run.pk, finished_at__isnull=False).first())


async def until(look: Callable[[], Any], seconds: float = 90) -> Any:
    """The first true value of `look`, which asks the database."""
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        found = await sync_to_async(look)()
        if found:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("waited in vain")


@pytest.fixture
async def platform(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Platform]:
    team = await Team.objects.acreate(slug="t", name="T")
    await sync_to_async(pools.ensure_default_pool)(team.pk)
    runtime = MemoryRuntime()
    controller = pools.PoolController(runtime)
    stop = asyncio.Event()
    await controller.start()
    controlling = asyncio.create_task(controller.run_forever(stop))
    engine = Engine()
    await asyncio.to_thread(engine.start)
    intercept_nudges(monkeypatch, engine.nudge)
    yield Platform(team.pk, runtime, engine)
    await asyncio.to_thread(engine.stop)
    stop.set()
    await controlling
    await controller.close()


def code(key: str, source: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "type": "task", "run": {"code": source}, **more}


async def test_a_chain(platform: Platform) -> None:
    add = "def main(n):\n    return n + 1\n"
    steps = [code("s0", add, input={"n": 0})]
    steps += [
        code(f"s{i}", add, input={"n": f"${{steps.s{i - 1}.output}}"}, needs=[f"s{i - 1}"])
        for i in range(1, 20)
    ]
    run = await platform.run({"name": "chain", "steps": steps})
    assert (run.state, run.output, run.error) == ("completed", 20, None)


async def test_commands(platform: Platform) -> None:
    """One on the built-in agent, a batched map in an image of its own, and what a failure tells."""
    platform.runtime.images["tool"] = lambda value: value
    steps = [
        {"id": "numbers", "type": "task", "input": [3, 1, 2], "run": {"command": ["cat"]}},
        {
            "id": "each",
            "type": "map",
            "needs": ["numbers"],
            "over": "${steps.numbers.output}",
            "input": "${item}",
            "batch_size": 2,
            "run": {"command": "read -r n; echo $((n * 10 + AGENTAINER_ITEM_INDEX))", "image": "tool"},
        },
    ]
    run = await platform.run({"name": "tools", "steps": steps})
    assert (run.state, run.output, run.error) == ("completed", [30, 11, 22], None)
    view = await sync_to_async(pools.get_pool)(platform.team_id, "commands-tool")
    assert (view.image, view.settings["commands"]) == ("tool", True)
    failing = {"id": "a", "type": "task", "run": {"command": "exit 3"}}
    failed = await platform.run({"name": "failing", "steps": [failing]})
    assert failed.state == "failed"
    assert "exit code 3" in failed.error["message"]


async def test_a_map_on_its_own_pool(platform: Platform) -> None:
    step = {
        "id": "m",
        "type": "map",
        "over": "${params.list}",
        "run": {"code": "def main(item):\n    return item * item\n"},
        "pool": {"size": 3, "max_uses": 1000},
    }
    document = {
        "name": "squares",
        "params": {"type": "object", "properties": {"list": {"type": "array"}}},
        "steps": [step, {**code("sum", "def main(results):\n    return sum(results)\n"), "needs": ["m"]}],
    }
    document["steps"][1]["type"] = "reduce"
    run = await platform.run(document, list=list(range(200)))
    assert (run.state, run.output, run.error) == ("completed", sum(i * i for i in range(200)), None)
    view = await sync_to_async(pools.get_pool)(platform.team_id, "squares-m")
    assert (view.leases, view.waiting, view.states["active"]) == (0, 0, 0)


async def test_an_agent_that_dies_under_its_request_is_replaced(platform: Platform) -> None:
    slow = "import time\n\ndef main(item):\n    time.sleep(0.05)\n    return item\n"
    step = {"id": "m", "type": "map", "over": list(range(40)), "run": {"code": slow}, "pool": {"size": 2}}
    run = await sync_to_async(platform._start)({"name": "killed", "steps": [step]}, {})
    await until(lambda: Run.objects.filter(pk=run.pk, state="running", steps__completed__gt=5).exists())
    agents = platform.runtime.agents
    busy = await until(lambda: [agent_id for agent_id in list(agents) if agents[agent_id].calls])
    await platform.runtime.kill(busy[0])
    run = await platform.ended(run)
    assert (run.state, run.output) == ("completed", list(range(40)))


async def test_cancelling_gives_the_leases_back(platform: Platform) -> None:
    slow = "import time\n\ndef main(item):\n    time.sleep(0.2)\n    return item\n"
    step = {"id": "m", "type": "map", "over": list(range(40)), "run": {"code": slow}, "pool": {"size": 2}}
    run = await sync_to_async(platform._start)({"name": "stopped", "steps": [step]}, {})
    await until(lambda: Run.objects.filter(pk=run.pk, steps__completed__gt=1).exists())
    await sync_to_async(cancel_run)(run, author="test")
    run = await platform.ended(run)
    assert run.state == "cancelled"
    await until(lambda: pools.get_pool(platform.team_id, "stopped-m").leases == 0)


async def test_a_pool_without_agents_says_why(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.engine.agents.LOOK_EVERY", 0.1)
    monkeypatch.setattr("workflows.engine.agents.BROKEN_POOL_PATIENCE", 0.5)
    step = {"id": "a", "type": "task", "run": {"image": "nowhere:1"}}
    run = await platform.run({"name": "broken", "steps": [step]})
    assert run.state == "failed"
    assert run.error["type"] == "no_agent"
    assert "nowhere:1" in run.error["message"]


async def test_a_driver_that_was_fenced_ends_and_leaves_its_leases(platform: Platform) -> None:
    slow = "import time\n\ndef main(item):\n    time.sleep(0.2)\n    return item\n"
    step = {"id": "m", "type": "map", "over": list(range(500)), "run": {"code": slow}, "pool": {"size": 2}}
    run = await sync_to_async(platform._start)({"name": "fenced", "steps": [step]}, {})
    await until(lambda: Run.objects.filter(pk=run.pk, steps__completed__gt=1).exists())
    other = new_id()

    def others(look: Callable[[], Any]) -> Callable[[], Any]:
        """While the other executor lives: else this one takes the run up again."""

        def beat_and_look() -> Any:
            claims.beat(other, "other", timezone.now())
            return look()

        return beat_and_look

    await sync_to_async(claims.beat)(other, "other", timezone.now())
    await Run.objects.filter(pk=run.pk).aupdate(claimed_by=other, fence=F("fence") + 1)
    await until(others(lambda: run.pk not in platform.engine._runs))
    await until(others(lambda: pools.get_pool(platform.team_id, "fenced-m").leases == 0))
    assert (await Run.objects.aget(pk=run.pk)).state == "running"  # the other's to end


async def test_a_claim_that_nobody_works_on_is_given_back(platform: Platform) -> None:
    run_id = await sync_to_async(make_run)(task("a"))
    await Run.objects.filter(pk=run_id).aupdate(claimed_by=platform.engine.id, fence=5)
    await until(lambda: Run.objects.get(pk=run_id).claimed_by is None)


async def test_a_version_that_cannot_be_read_fails_its_run(platform: Platform) -> None:
    run_id = await sync_to_async(make_run)({"id": "a", "type": "strange"})
    platform.engine.nudge(run_id)
    run = await until(lambda: Run.objects.filter(pk=run_id, finished_at__isnull=False).first())
    assert (run.state, run.error["type"]) == ("failed", "engine_error")
