"""Ten times what a small pool can do: the platform answers, does what it accepted, the least important last,
and tells the others when to come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async

from pools.facade.contracts import LeaseOutcome
from pools.models import Pool
from pools.runtime.memory import MemoryRuntime
from teams.domain.roles import Role
from tests.factories.members import assert_problem, member
from tests.factories.pools import make_pool
from tests.fakes.pools import served, site, until
from tests.web_processes import answer, api, web_process
from workflows.engine.host import Engine
from workflows.models import Run
from workflows.services.runs import RunRequest, start_run

pytestmark = pytest.mark.django_db(transaction=True)

AGENTS = 2
RUNS, OPEN = 20 * AGENTS, 10 * AGENTS  # started, and those of them that may be open at once
ASKING = 10 * AGENTS  # programs that want a lease at once
LOW, HIGH = -50, 50
DOCUMENT = {
    "name": "work",
    "params": {"type": "object", "properties": {"n": {"type": "integer"}}},
    "steps": [
        {
            "id": "s",
            "type": "task",
            "run": {"image": "work"},
            "pool": "small",
            "input": "${params.n}",
        }
    ],
}


class Work:
    """The image's behaviour: notes who came, and takes a moment."""

    def __init__(self) -> None:
        self.began: list[int] = []

    def __call__(self, value: Any) -> Any:
        self.began.append(value)
        time.sleep(0.02)
        return value


class Watcher:
    """Asks the probes all the time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.seen: list[int] = []
        self.over = False

    async def watch(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, trust_env=False, timeout=60) as client:
            while not self.over:
                for path in ("/readyz", "/healthz", "/metrics"):
                    self.seen.append((await client.get(path)).status_code)
                await asyncio.sleep(0.05)


def start(client: httpx.Client, numbers: Iterable[int]) -> list[httpx.Response]:
    """Every second run is important; the others are not."""
    return [
        client.post(
            "workflows/work/runs/",
            json={"params": {"n": n}, "priority": HIGH if n % 2 else LOW},
        )
        for n in numbers
    ]


def ask_for_leases(url: str, token: str) -> list[httpx.Response]:
    def ask(_number: int) -> httpx.Response:
        with api(url, token) as client:
            return client.post("pools/small/leases/", json={"timeout": 0.2})

    with ThreadPoolExecutor(ASKING) as threads:
        return list(threads.map(ask, range(ASKING)))


def assert_told_to_come_back(refused: list[httpx.Response]) -> None:
    for response in refused:
        assert response.status_code == 503, response.text
        assert response.headers["Content-Type"] == "application/problem+json"
        assert 1 <= int(response.headers["Retry-After"]) <= 300


async def waiting(broker: Any, pool: Pool, count: int) -> bool:
    figures = await broker.leases.figures([pool.pk])
    return bool(figures[pool.pk].waiting == count)


async def test_ten_times_the_capacity(tmp_path: Path) -> None:
    person = await sync_to_async(member)(Role.ADMIN)
    token = person._headers["Authorization"].split()[1]
    pool = await sync_to_async(make_pool)(
        person.team, name="small", image="work", min_size=AGENTS, max_size=AGENTS, max_uses=10_000
    )
    work, here, engine = Work(), site(MemoryRuntime()), Engine()
    here.runtime.images["work"] = work  # type: ignore[attr-defined]
    async with here.running(), here.brokering() as broker:
        await asyncio.to_thread(engine.start)
        await until(lambda: served(pool.pk, AGENTS))
        with web_process(tmp_path, AFLOW_RUNS_OPEN=str(OPEN)) as url, api(url, token) as client:
            watcher = Watcher(url)
            watching = asyncio.create_task(watcher.watch())
            # Somebody has both agents: all that comes now piles up.
            held = [
                await broker.acquire(pool.pk, holder=f"h{n}", team_id=person.team.pk, timeout=60)
                for n in range(AGENTS)
            ]
            answer(await asyncio.to_thread(client.post, "workflows/", json=DOCUMENT), 201)
            started = await asyncio.to_thread(start, client, range(RUNS))
            accepted = [response for response in started if response.status_code == 201]
            assert_told_to_come_back([response for response in started if response.status_code != 201])
            assert len(accepted) == OPEN, "as many as may be open, and every one more is refused"
            await until(lambda: waiting(broker, pool, OPEN))
            assert_told_to_come_back(await asyncio.to_thread(ask_for_leases, url, token))
            shown = answer(await asyncio.to_thread(client.get, "pools/small/"))
            assert shown["waiting"] == OPEN
            assert shown["waiting_since"] is not None
            for lease in held:
                await broker.release(lease, LeaseOutcome.OK)
            await until(lambda: ended(OPEN))
            # There is room again, and it is used.
            more = await asyncio.to_thread(start, client, range(RUNS, RUNS + 2))
            assert [response.status_code for response in more] == [201, 201]
            await until(lambda: ended(OPEN + 2))
            lease = answer(
                await asyncio.to_thread(client.post, "pools/small/leases/", json={"timeout": 60}), 201
            )
            answer(await asyncio.to_thread(client.delete, f"leases/{lease['token']}/"), 204)
            watcher.over = True
            await watching
        await asyncio.to_thread(engine.stop)
    await here.runtime.close()
    ids = {response.json()["id"] for response in [*accepted, *more]}
    rows = await sync_to_async(lambda: list(Run.objects.values_list("pk", "state", "output")))()
    assert {str(pk) for pk, _, _ in rows} == ids
    assert {state for _, state, _ in rows} == {"completed"}
    numbers = sorted(response.json()["params"]["n"] for response in [*accepted, *more])
    assert sorted(work.began) == sorted(int(str(output)) for _, _, output in rows) == numbers, "each once"
    important = sum(n % 2 for n in work.began[:OPEN])
    # Two bodies that begin together may note themselves in either order.
    assert all(n % 2 for n in work.began[: important - AGENTS + 1]), work.began
    assert set(watcher.seen) == {200}
    assert len(watcher.seen) > 6


def test_what_accepted_runs_start_is_accepted(settings: Any) -> None:
    """The bound is for what comes from outside; other teams have one of their own."""
    settings.AFLOW_RUNS_OPEN = 2
    person, other = member(Role.EDITOR), member(Role.EDITOR, "other")
    bare = {**DOCUMENT, "steps": [{"id": "s", "type": "task", "run": {"code": "def main(): ..."}}]}
    for one in (person, other):
        assert one("POST", "workflows/", bare).status_code == 201
    asked = [person("POST", "workflows/work/runs/", {}) for _ in range(3)]
    assert [response.status_code for response in asked] == [201, 201, 503]
    assert_problem(asked[2], 503, "too_many_runs")
    assert asked[2]["Retry-After"] == "60"
    assert other("POST", "workflows/work/runs/", {}).status_code == 201
    start_run(person.team.pk, "work", RunRequest({}, depth=1), author="a body")
    Run.objects.filter(team=person.team).update(state="waiting")
    assert person("POST", "workflows/work/runs/", {}).status_code == 201, "what waits for a person is no load"


async def ended(count: int) -> bool:
    rows = Run.objects.filter(finished_at__isnull=False)
    return await sync_to_async(rows.count)() == count
