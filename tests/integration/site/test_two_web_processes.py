"""Known load on two real web processes: metrics, sockets and rows, each held against a count made here."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import httpx
import pytest
from asgiref.sync import sync_to_async
from prometheus_client.parser import text_string_to_metric_families

from pools.models import EndedAgents
from pools.runtime.memory import MemoryRuntime
from teams.domain.roles import Role
from tests.factories.members import Api, member
from tests.factories.pools import make_pool
from tests.fakes.pools import served, site, until
from tests.web_processes import answer, api, web_processes
from workflows.engine.host import Engine
from workflows.models import Event, Run, Step

pytestmark = pytest.mark.django_db(transaction=True)

POOL, AGENTS, LEASES, HELD = "known", 3, 20, 2
GOOD, BAD = 4, 2  # runs that complete, and that fail
STEPS = 3


def document(name: str, source: str) -> dict[str, Any]:
    steps = [
        {"id": f"s{n}", "type": "task", "run": {"code": source}, **({"needs": [f"s{n - 1}"]} if n else {})}
        for n in range(STEPS)
    ]
    return {"name": name, "defaults": {"pool": POOL, "retry": {"max_attempts": 1}}, "steps": steps}


def scrape(url: str) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels, in the order of their names."""
    text = httpx.get(f"{url}/metrics", trust_env=False, timeout=60).text
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Figures:
    """What a socket of /ws/pools/ says of our pool."""

    def __init__(self) -> None:
        self.pool: dict[str, Any] = {}

    async def follow(self, url: str, token: str) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}/ws/pools/?token={token}") as ws,
        ):
            async for message in ws:
                body = message.json()
                told = body.get("pools", []) if body["type"] == "snapshot" else [body.get("pool", {})]
                self.pool = next((pool for pool in told if pool.get("name") == POOL), self.pool)

    def shows(self, active: int) -> bool:
        return bool(self.pool) and self.pool["states"]["active"] == active


@asynccontextmanager
async def machinery() -> AsyncIterator[None]:
    """A controller and an executor around agents in memory."""
    here = site(MemoryRuntime())
    engine = Engine()
    async with here.running():
        await asyncio.to_thread(engine.start)
        try:
            yield
        finally:
            await asyncio.to_thread(engine.stop)
    await here.runtime.close()


def lease_and_release(client: httpx.Client, times: int) -> None:
    for _ in range(times):
        lease = answer(client.post(f"pools/{POOL}/leases/", json={"timeout": 60}), 201)
        asked = {"code": "def main(x):\n    return x + 1\n", "input": {"x": 1}}
        assert answer(client.post(f"leases/{lease['token']}/invoke/", json=asked))["output"] == 2
        answer(client.delete(f"leases/{lease['token']}/"), 204)


def start_runs(clients: list[httpx.Client]) -> list[str]:
    """Each workflow is saved by one process and run by both in turn."""
    answer(
        clients[0].post("workflows/", json=document("good", "def main(nothing=None):\n    return 1\n")), 201
    )
    answer(
        clients[1].post(
            "workflows/", json=document("bad", "def main(nothing=None):\n    raise ValueError\n")
        ),
        201,
    )
    names = ["good"] * GOOD + ["bad"] * BAD
    return [
        answer(clients[n % 2].post(f"workflows/{name}/runs/", json={}), 201)["id"]
        for n, name in enumerate(names)
    ]


async def test_every_process_tells_the_whole_truth(tmp_path: Path) -> None:
    person: Api = await sync_to_async(member)(Role.ADMIN)
    token = person._headers["Authorization"].split()[1]
    pool = await sync_to_async(make_pool)(person.team, name=POOL, min_size=AGENTS, max_size=AGENTS)
    async with machinery():
        await until(lambda: served(pool.pk, AGENTS))
        with web_processes(2, tmp_path) as urls:
            clients = [api(url, token) for url in urls]
            views = [Figures(), Figures()]
            following = [
                asyncio.create_task(view.follow(url, token)) for view, url in zip(views, urls, strict=True)
            ]
            await asyncio.gather(*(asyncio.to_thread(lease_and_release, c, LEASES // 2) for c in clients))
            ids = await asyncio.to_thread(start_runs, clients)
            await until(lambda: all_ended(ids))
            held = [
                answer(await asyncio.to_thread(c.post, f"pools/{POOL}/leases/", json={"timeout": 60}), 201)
                for c in clients
            ]
            await until(lambda: all(view.shows(HELD) for view in views))
            told = [await asyncio.to_thread(scrape, url) for url in urls]
            listed = [
                answer(await asyncio.to_thread(c.get, f"leases/?pool={POOL}"))["results"] for c in clients
            ]
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
            histories = [await run_stream(urls[n % 2], token, run_id) for n, run_id in enumerate(ids)]
            for client, lease in zip(clients, held, strict=True):
                answer(await asyncio.to_thread(client.delete, f"leases/{lease['token']}/"), 204)
                client.close()
    states, steps, granted = await sync_to_async(counted)()
    # The rows against what was asked for.
    assert states == {"completed": GOOD, "failed": BAD}
    assert steps["completed"] == GOOD * STEPS
    assert granted == GOOD * STEPS + BAD
    for found, view, shown in zip(told, views, listed, strict=True):
        # The scrape against all that was done through both processes.
        assert found["agentainer_pool_size", POOL, "active"] == HELD == len(shown)
        assert found["agentainer_pool_size", POOL, "idle"] == AGENTS - HELD
        assert found["agentainer_pool_utilization", POOL] == pytest.approx(HELD / AGENTS, abs=1e-4)
        assert found["agentainer_pool_waiting", POOL] == 0
        assert found["agentainer_pool_wait_time_seconds_count", POOL] == LEASES + HELD + granted
        assert found["agentainer_runs_total", "completed"] == GOOD
        assert found["agentainer_runs_total", "failed"] == BAD
        assert sum(value for name, value in found.items() if name[0] == "agentainer_runs_live") == 0
        assert sum(value for name, value in found.items() if name[0] == "agentainer_queue_depth") == 0
        assert found["agentainer_executors",] == 1
        # And the socket's last word.
        assert (view.pool["states"]["idle"], view.pool["utilization"]) == (AGENTS - HELD, 0.6667)
        assert view.pool["leases"] == HELD
    # Both say the same of everything that does not move by itself.
    assert quiet(told[0]) == quiet(told[1])
    for run_id, history in zip(ids, histories, strict=True):
        assert history == await sync_to_async(events_of)(run_id)


def quiet(found: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    return {name: value for name, value in found.items() if "startup" not in name[0]}


async def all_ended(ids: list[str]) -> bool:
    rows = Run.objects.filter(pk__in=ids, finished_at__isnull=False)
    return await sync_to_async(rows.count)() == len(ids)


def counted() -> tuple[Counter[str], Counter[str], int]:
    """Runs and steps by state, and the leases that steps had."""
    assert not EndedAgents.objects.exists()
    runs = Counter(Run.objects.values_list("state", flat=True))
    steps = Counter(Step.objects.values_list("state", flat=True))
    return runs, steps, sum(Step.objects.values_list("attempts", flat=True))


def events_of(run_id: str) -> list[tuple[int, str]]:
    return list(Event.objects.filter(run_id=UUID(run_id)).order_by("seq").values_list("seq", "type"))


async def run_stream(url: str, token: str, run_id: str) -> list[tuple[int, str]]:
    """Every event of a run, from the first on, as a socket that was never there before is told."""
    found: list[tuple[int, str]] = []
    last = max(seq for seq, _ in await sync_to_async(events_of)(run_id))
    address = f"{url}/ws/runs/{run_id}/?token={token}&seq=0"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as ws, asyncio.timeout(60):
        while not found or found[-1][0] < last:
            message = await ws.receive_json()
            found.append((message["seq"], message["event"]))
    return found
