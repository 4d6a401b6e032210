"""Figures of deployed agents in /metrics, each held against an independent count."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import Client

from pools.domain.deployments import DeployedState
from pools.facade import agents, site
from pools.leases.scripts import prefix_of
from pools.models import AgentRequest, DeployedAgent
from pools.runtime.base import Runtime
from pools.runtime.memory import MemoryRuntime
from pools.selectors.readings import Reading, Readings
from tests.factories.pools import make_team
from tests.fakes.deployed import SQUARE, Person, alone, controlling, end_everyone, is_, row_of
from tests.fakes.pools import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("brief_connections")]

SAMPLE = re.compile(r"^(agentainer_agent_\w+)\{([^}]*)\} (\S+)$", re.MULTILINE)
# In 64 MiB that it keeps, and a second of work.
WORK = """
import time
kept = []
def main():
    kept.append(b"x" * 64 * 1024**2)
    until = time.process_time() + 1.0
    while time.process_time() < until:
        pass
"""


def told() -> dict[str, dict[tuple[str, ...], float]]:
    """By family: the values of its labels, in the order of their names."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    text = Client().get("/metrics").content.decode()
    for family, labels, value in SAMPLE.findall(text):
        values = tuple(re.findall(r'"([^"]*)"', labels))
        found.setdefault(family, {})[values] = float(value)
    return found


@pytest.fixture(
    params=["process", pytest.param("docker", marks=pytest.mark.docker)],
)
async def runtime(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> AsyncIterator[Runtime]:
    settings.AFLOW_RUNTIME, settings.DATA_DIR = request.param, tmp_path
    settings.AFLOW_INSTANCE = f"metrics-{uuid4().hex[:8]}"
    made = site.runtime()
    await made.start()
    yield made
    await end_everyone(made)
    await made.tidy()
    await made.close()


async def test_what_an_agent_uses(runtime: Runtime) -> None:
    """Held against the kernel's own account of its processes, and the rows."""
    operator = await sync_to_async(lambda: Person(make_team()))()
    async with controlling(runtime):
        assert (await operator.soon("POST", "agents/", {"name": "worker"}))[0] == 201
        await until(lambda: is_("worker", "running", "ok"), 60)
        for body in ({"input": {}, "code": WORK}, {"input": {"x": 2}, "code": SQUARE}):
            assert (await operator.soon("POST", "agents/worker/invoke", body))[0] == 200

        async def all_told() -> bool:
            figures = await asyncio.to_thread(alone, told)
            used = figures.get("agentainer_agent_cpu_seconds_total", {}).get(("worker",), 0.0)
            return used >= 1.0

        await until(all_told, 60)
        figures = await asyncio.to_thread(alone, told)
        seconds, memory = await asyncio.to_thread(independent, (await row_of("worker")).pk)
        assert 1.0 <= figures["agentainer_agent_cpu_seconds_total"]["worker",] <= seconds + 1
        assert abs(figures["agentainer_agent_memory_bytes"]["worker",] - memory) < 48 * 1024**2
        assert figures["agentainer_agent_memory_bytes"]["worker",] > 64 * 1024**2
        requests = figures["agentainer_agent_requests"]
        assert requests == {
            ("worker", "pending"): 0,
            ("worker", "processing"): 0,
            ("worker", "completed"): 2,
            ("worker", "failed"): 0,
        }
        status, now = await operator.soon("GET", "agents/worker/metrics/")
        assert (status, now["running"]) == (200, True)
        assert now["cpu"] is not None
        assert now["cpu_seconds"] >= 1.0
        assert now["memory"] > 64 * 1024**2

        assert (await operator.soon("POST", "agents/worker/stop/"))[0] == 202
        await until(lambda: is_("worker", "stopped"), 60)
        figures = await asyncio.to_thread(alone, told)
        assert "agentainer_agent_memory_bytes" not in figures, "it uses none"
        assert figures["agentainer_agent_state"]["worker", "stopped"] == 1


def independent(agent_id: object) -> tuple[float, int]:
    """CPU seconds and resident bytes of the agent's processes, found by its id in their environment."""
    seconds, memory = 0.0, 0
    for process in psutil.process_iter():
        try:
            if process.environ().get("AGENTAINER_AGENT_ID") == str(agent_id):
                times = process.cpu_times()
                seconds += times.user + times.system
                memory += process.memory_info().rss
        except psutil.Error:
            continue
    return seconds, memory


async def test_restarts_are_counted(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.AFLOW_INSTANCE = f"metrics-{uuid4().hex[:8]}"
    runtime = MemoryRuntime()
    operator = await sync_to_async(lambda: Person(make_team()))()
    async with controlling(runtime):
        await operator.soon("POST", "agents/", {"name": "worker", "image": "echo"})
        for deaths in (1, 2):
            await until(lambda: is_("worker", "running", "ok"))
            await runtime.deployed.kill((await row_of("worker")).pk)

            async def counted(deaths: int = deaths) -> bool:
                figures = await asyncio.to_thread(alone, told)
                return figures["agentainer_agent_restarts_total"]["worker",] == deaths

            await until(counted)
        assert len(runtime.deployed.starts) == 3
    await runtime.close()


def test_states_and_requests_of_several_teams() -> None:
    """By rows that were counted by hand; agents of the same name are told apart by their team."""
    ours, theirs = make_team(), make_team()
    wanted: dict[str, Counter[str]] = {}
    for team, name, state, requests in (
        (ours, "both", "running", {"completed": 3, "pending": 1}),
        (theirs, "both", "failed", {"failed": 2}),
        (theirs, "alone", "paused", {"processing": 1}),
    ):
        agent = DeployedAgent.objects.create(team=team, name=name, image="i", nonce="n", state=state)
        label = f"{team.slug}/{name}" if name == "both" else name
        wanted[label] = Counter(requests)
        for kind, many in requests.items():
            for _ in range(many):
                AgentRequest.objects.create(
                    agent=agent, method="POST", path="/", state=kind, created_at=agent.created_at
                )
    DeployedAgent.objects.create(team=ours, name="gone", image="i", nonce="n", desired="removed")
    figures = told()
    states = figures["agentainer_agent_state"]
    assert {label for label, value in states.items() if value} == {
        (f"{ours.slug}/both", "running"),
        (f"{theirs.slug}/both", "failed"),
        ("alone", "paused"),
    }
    assert len(states) == 3 * len(DeployedState)
    for (label, state), number in figures["agentainer_agent_requests"].items():
        assert number == wanted[label][state]


def test_readings_are_told_of_those_that_run_and_by_any_process() -> None:
    """What the controller wrote is read by a process that never measured; without Redis it is left out."""
    running, stopped = (
        DeployedAgent.objects.create(team=make_team(), name=state, image="i", nonce="n", state=state)
        for state in ("running", "stopped")
    )
    client = redis.Redis.from_url(settings.REDIS_URL)
    readings = Readings(client, prefix_of(settings.AFLOW_INSTANCE))
    readings.write({agent.pk: Reading(1000, 2.5) for agent in (running, stopped)})
    figures = told()
    assert figures["agentainer_agent_memory_bytes"] == {("running",): 1000}
    assert figures["agentainer_agent_cpu_seconds_total"] == {("running",): 2.5}
    readings.write({running.pk: Reading(7, None)})
    figures = told()
    assert figures["agentainer_agent_memory_bytes"] == {("running",): 7}
    assert "agentainer_agent_cpu_seconds_total" not in figures
    assert 0 < client.ttl(readings._key) <= 30, "without a controller nothing is told for long"
    readings.write({})
    client.close()
    assert agents.metrics_collector().describe() == ()
