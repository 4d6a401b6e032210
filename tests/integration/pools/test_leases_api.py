"""Leases over HTTP: programs outside borrow warm agents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest
import redis
from channels.db import database_sync_to_async
from django.conf import LazySettings

from pools.leases.store import AsyncLeases
from pools.models import Pool
from pools.runtime.memory import MemoryRuntime
from pools.services import borrowing
from teams.domain.roles import Role
from teams.models import Team
from tests.factories.pools import make_pool, make_team
from tests.fakes.deployed import Person, alone
from tests.fakes.pools import Plant, rows_of, served, site, until

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = ThreadPoolExecutor(64)  # as many requests may wait at once
SQUARE = "def main(x):\n    return x * x\n"


class Caller:
    """A person, as many of whose requests may wait at once as there are threads."""

    def __init__(self, team: Team, role: Role) -> None:
        self._person = Person(team, role)

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        def call() -> tuple[int, Any]:
            answer = self._person.ask(method, path, body, headers=headers)
            self.retry_after = answer.headers.get("Retry-After")
            return answer.status_code, json.loads(answer.content) if answer.content else None

        return await asyncio.get_running_loop().run_in_executor(THREADS, alone, call)


@asynccontextmanager
async def running(pool: Pool) -> AsyncIterator[Plant]:
    plant = site(MemoryRuntime())
    async with plant.running():
        await until(lambda: served(pool.pk, pool.min_size))
        yield plant
    await plant.runtime.close()


@database_sync_to_async
def new_pool(**values: Any) -> tuple[Pool, Caller]:
    pool = make_pool(**values)
    return pool, Caller(pool.team, Role.OPERATOR)


async def test_a_leases_life() -> None:
    pool, operator = await new_pool(max_size=1)
    async with running(pool):
        status, lease = await operator("POST", f"pools/{pool.name}/leases/", {"timeout": 5})
        assert status == 201
        (agent,) = await rows_of(pool.pk)
        assert (lease["agent"], lease["address"], lease["pool"]) == (str(agent.pk), agent.address, pool.name)
        _, shown = await operator("GET", f"leases/?pool={pool.name}")
        assert [(one["agent"], one["fence"]) for one in shown["results"]] == [
            (lease["agent"], lease["fence"])
        ]
        assert "token" not in shown["results"][0]
        path = f"leases/{lease['token']}/"
        status, answer = await operator("POST", f"{path}invoke/", {"input": {"x": 7}, "code": SQUARE})
        assert (status, answer) == (200, {"output": 49, "error": None})
        _, failed = await operator("POST", f"{path}invoke/", {"input": {"x": "a"}, "code": SQUARE})
        assert failed["error"]["type"] == "TypeError"
        _, counted = await operator("POST", f"{path}invoke/", {"input": "abc", "command": ["wc", "-c"]})
        assert counted == {"output": len('"abc"\n'), "error": None}
        both = {"input": 1, "command": ["wc"], "code": SQUARE}
        assert (await operator("POST", f"{path}invoke/", both))[0] == 400
        status, kept = await operator("POST", f"{path}heartbeat/")
        assert status == 200
        assert datetime.fromisoformat(kept["expires_at"]) > datetime.fromisoformat(lease["expires_at"])
        assert (await operator("DELETE", path))[0] == 204
        assert (await operator("DELETE", path))[0] == 404
        assert (await operator("POST", f"{path}heartbeat/"))[0] == 404
        assert (await operator("POST", f"{path}invoke/", {"input": 1}))[0] == 404

        async def uses_counted() -> bool:
            return (await rows_of(pool.pk))[0].uses == 3

        await until(uses_counted)


async def test_none_comes_free() -> None:
    """503 with Retry-After; whoever waits gets the agent that is given back meanwhile."""
    pool, operator = await new_pool(max_size=1)
    async with running(pool):
        _, lease = await operator("POST", f"pools/{pool.name}/leases/", {"timeout": 5})
        status, problem = await operator("POST", f"pools/{pool.name}/leases/", {"timeout": 0.2})
        assert (status, problem["code"], operator.retry_after) == (503, "lease_timeout", "1")
        waiting = asyncio.create_task(operator("POST", f"pools/{pool.name}/leases/", {"timeout": 20}))
        await asyncio.sleep(0.3)
        await operator("DELETE", f"leases/{lease['token']}/", {"outcome": "ok"})
        status, second = await waiting
        assert status == 201
        assert second["agent"] == lease["agent"]
        assert second["fence"] > lease["fence"]


async def test_the_same_key_gets_the_same_lease() -> None:
    pool, operator = await new_pool(max_size=3, min_size=2)
    async with running(pool):
        first, again, other = [
            (await operator("POST", f"pools/{pool.name}/leases/", {}, **{"Idempotency-Key": key}))[1]
            for key in ("a", "a", "b")
        ]
        assert first["token"] == again["token"] != other["token"]


async def test_a_lease_that_nobody_keeps_ends() -> None:
    """Its agent is replaced: whoever had it may still use it."""
    pool, operator = await new_pool(max_size=1)
    async with running(pool):
        _, lease = await operator("POST", f"pools/{pool.name}/leases/", {"ttl": 1})
        status, second = await operator("POST", f"pools/{pool.name}/leases/", {"timeout": 20})
        assert status == 201
        assert second["agent"] != lease["agent"]
        assert (await operator("DELETE", f"leases/{lease['token']}/"))[0] == 404


async def test_many_leases_are_listed_in_few_round_trips(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, operator = await new_pool(min_size=3, max_size=3)
    async with running(pool):
        path = f"pools/{pool.name}/leases/"
        fences = [(await operator("POST", path, {"timeout": 20}))[1]["fence"] for _ in range(3)]
        trips: list[str] = []

        def count(name: str) -> None:
            asked = getattr(redis.Redis, name)

            def counted(self: redis.Redis, *args: Any, **more: Any) -> Any:
                trips.append(name)
                return asked(self, *args, **more)

            monkeypatch.setattr(redis.Redis, name, counted)

        count("execute_command")
        count("pipeline")
        _, shown = await operator("GET", "leases/")
        assert sorted(one["fence"] for one in shown["results"]) == sorted(fences)
        assert len(trips) == 3


async def test_a_poisoned_agent_is_replaced() -> None:
    pool, operator = await new_pool(max_size=1)
    async with running(pool):
        _, lease = await operator("POST", f"pools/{pool.name}/leases/", {})
        assert (await operator("DELETE", f"leases/{lease['token']}/", {"outcome": "poison"}))[0] == 204
        _, second = await operator("POST", f"pools/{pool.name}/leases/", {"timeout": 20})
        assert second["agent"] != lease["agent"]


async def test_an_agent_that_dies_during_a_request() -> None:
    pool, operator = await new_pool(max_size=1)
    async with running(pool) as plant:
        _, lease = await operator("POST", f"pools/{pool.name}/leases/", {})
        path = f"leases/{lease['token']}/"
        slow = {"input": {}, "code": "import time\ndef main():\n    time.sleep(3)\n"}
        asked = asyncio.create_task(operator("POST", f"{path}invoke/", slow))
        await asyncio.sleep(0.5)
        await plant.runtime.kill(next(iter(plant.runtime.agents)))  # type: ignore[attr-defined]
        assert (await asked)[0] == 502
        assert (await operator("DELETE", path))[0] == 404
        sleepy = {"input": {}, "code": "import time\ndef main():\n    time.sleep(2)\n", "timeout": 0.2}
        _, second = await operator("POST", f"pools/{pool.name}/leases/", {"timeout": 20})
        assert (await operator("POST", f"leases/{second['token']}/invoke/", sleepy))[0] == 504


async def test_who_may() -> None:
    pool, operator = await new_pool(max_size=2)
    viewer = await database_sync_to_async(lambda: Caller(pool.team, Role.VIEWER))()
    stranger = await database_sync_to_async(lambda: Caller(make_team(), Role.ADMIN))()
    async with running(pool):
        _, lease = await operator("POST", f"pools/{pool.name}/leases/", {})
        path = f"leases/{lease['token']}/"
        for caller, status in ((viewer, 403), (stranger, 404)):
            assert (await caller("POST", f"pools/{pool.name}/leases/", {}))[0] == status
            assert (await caller("POST", f"{path}heartbeat/"))[0] == status
            assert (await caller("POST", f"{path}invoke/", {"input": 1}))[0] == status
            assert (await caller("DELETE", path))[0] == status
        assert (await stranger("GET", "leases/"))[1]["results"] == []
        assert len((await viewer("GET", "leases/"))[1]["results"]) == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"timeout": -1}, "timeout"),
        ({"timeout": 1e9}, "timeout"),
        ({"timeout": "nan"}, "timeout"),
        ({"ttl": 0}, "ttl"),
        ({"priority": 1000}, "priority"),
    ],
)
async def test_bad_wishes(body: dict[str, Any], path: str) -> None:
    pool, operator = await new_pool()
    status, problem = await operator("POST", f"pools/{pool.name}/leases/", body)
    assert status == 400
    assert path in {fault["path"] for fault in problem["errors"]}


async def test_too_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those for whom there is no place are told so; the others get their agent, and nothing is left."""
    pool, operator = await new_pool(min_size=2, max_size=2)
    monkeypatch.setattr(borrowing, "MOST_WAITING", 10)
    sent_away = asyncio.Event()  # nobody gives back before: a queue does form, however slow the machine
    async with running(pool) as plant:

        async def work() -> int:
            status, lease = await operator("POST", f"pools/{pool.name}/leases/", {"timeout": 30})
            if status == 503:
                sent_away.set()
            if status == 201:
                await asyncio.wait_for(sent_away.wait(), 60)
                status = (await operator("DELETE", f"leases/{lease['token']}/"))[0]
            return status

        statuses = await asyncio.gather(*(work() for _ in range(60)))
        assert set(statuses) == {204, 503}
        async with plant.brokering() as broker:
            figures = (await broker.leases.figures([pool.pk]))[pool.pk]
            assert (figures.leases, figures.waiting) == (0, 0)


def test_without_redis_programs_are_told_to_ask_again(settings: LazySettings) -> None:
    """Not that something of ours broke, which it did not."""
    pool = make_pool()
    operator = Person(pool.team, Role.OPERATOR)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    for method, path, body in (
        ("POST", f"pools/{pool.name}/leases/", {"timeout": 0.3}),
        ("GET", "leases/", None),
        ("POST", "leases/t/heartbeat/", None),
        ("POST", "leases/t/invoke/", {"input": 1}),
        ("DELETE", "leases/t/", None),
    ):
        answer = operator.ask(method, path, body)
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True), path


async def test_redis_goes_away_after_the_grant(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, operator = await new_pool(max_size=1)

    async def away(self: AsyncLeases, tokens: Sequence[str]) -> list[int]:
        raise ConnectionError("gone")

    async with running(pool) as plant, plant.brokering() as broker:
        with monkeypatch.context() as patched:
            patched.setattr(AsyncLeases, "heartbeat", away)
            status, told = await operator("POST", f"pools/{pool.name}/leases/", {"timeout": 5})
        assert (status, told["code"], operator.retry_after) == (503, "overloaded", "2")
        figures = (await broker.leases.figures([pool.pk]))[pool.pk]
        assert (figures.leases, figures.waiting) == (0, 0)
