"""Agents deployed by hand, on real processes and real containers: deploy, invoke, stop, start, kill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from pools.facade import site
from pools.runtime.base import Runtime
from tests.factories.pools import make_team
from tests.fakes.asgi import Exchange
from tests.fakes.deployed import SQUARE, Person, alone, controlling, end_everyone, is_, request_row, row_of
from tests.fakes.pools import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("brief_connections")]
RUNTIMES = ["process", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture(params=RUNTIMES)
async def runtime(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> AsyncIterator[Runtime]:
    settings.AFLOW_RUNTIME = request.param
    settings.AFLOW_INSTANCE = f"test-{uuid4().hex[:8]}"
    settings.DATA_DIR = tmp_path
    made = site.runtime()
    await made.start()
    yield made
    await end_everyone(made)
    await made.tidy()
    await made.close()


@pytest.fixture
async def operator() -> Person:
    return await sync_to_async(lambda: Person(make_team()))()


async def deployed(operator: Person, name: str = "worker", **values: Any) -> dict[str, Any]:
    body = {"name": name, "healthCheck": {"interval": "500ms"}, **values}
    status, made = await operator.soon("POST", "agents/", body)
    assert status == 201, made
    shown: dict[str, Any] = made["results"][0]
    assert (shown["state"], shown["kind"], shown["pool"]) == ("created", "deployed", None)
    return shown


def squaring(x: int) -> dict[str, Any]:
    return {"input": {"x": x}, "code": SQUARE}


async def kill(runtime: Runtime, name: str) -> None:
    """As fate would."""
    row = await row_of(name)
    if runtime.name == "process":
        os.killpg(int(row.container.removeprefix("pid ")), signal.SIGKILL)
        return
    import docker

    client = docker.from_env()
    await asyncio.to_thread(client.api.kill, row.container)
    client.close()


async def test_the_life_of_an_agent(runtime: Runtime, operator: Person) -> None:
    """Deployed, asked, stopped, asked again (202), started: the requests arrive in their order."""
    async with controlling(runtime):
        made = await deployed(operator)
        await until(lambda: is_("worker", "running", "ok"), 40)
        assert await runtime.list_agents() == [], "it is none of the pools'"

        status, answer = await operator.soon("POST", f"agents/{made['id']}/invoke", squaring(7))
        assert (status, answer["output"]) == (200, 49)

        assert (await operator.soon("POST", "agents/worker/stop/"))[0] == 202
        await until(lambda: is_("worker", "stopped"))
        waiting = []
        for number in range(3):
            status, answer = await operator.soon("POST", "agents/worker/invoke", squaring(number))
            assert (status, answer["state"]) == (202, "pending")
            assert "is stopped" in answer["detail"]
            waiting.append(answer["request_id"])
        assert (await operator.soon("GET", "agents/worker/"))[1]["pending"] == 3

        assert (await operator.soon("POST", "agents/worker/start/"))[0] == 202

        async def delivered() -> bool:
            return all([(await request_row(one)).state == "completed" for one in waiting])

        await until(delivered, 40)
        rows = [await request_row(one) for one in waiting]
        finished = [row.finished_at for row in rows]
        assert finished == sorted(finished), "in the order they came"
        assert [row.attempts for row in rows] == [1, 1, 1]
        status, last = await operator.soon("GET", f"agents/worker/requests/{waiting[2]}/")
        assert (status, last["response_body"]["output"], last["response_status"]) == (200, 4, 200)

        assert (await operator.soon("DELETE", "agents/worker/"))[0] == 204
        assert (await operator.soon("GET", "agents/worker/"))[0] == 404

        async def nothing_left() -> bool:
            return not await runtime.deployed.list_deployed()  # type: ignore[attr-defined]

        await until(nothing_left)


async def test_a_killed_agent_is_started_again(runtime: Runtime, operator: Person) -> None:
    async with controlling(runtime):
        await deployed(operator)
        await until(lambda: is_("worker", "running", "ok"), 40)
        killed = time.monotonic()
        await kill(runtime, "worker")
        await until(lambda: is_("worker", "failed"))
        assert time.monotonic() - killed < 1.5, "its death is noticed at once"
        shown = (await operator.soon("GET", "agents/worker/"))[1]
        assert "killed by signal 9" in shown["problem"]
        assert shown["next_start_at"] is not None
        status, answer = await operator.soon("POST", "agents/worker/invoke", squaring(3))
        assert status == 202
        await until(lambda: is_("worker", "running", "ok"), 40)
        shown = (await operator.soon("GET", "agents/worker/"))[1]
        assert (shown["restarts"], shown["problem"]) == (1, None)

        async def delivered() -> bool:
            return (await request_row(answer["request_id"])).state == "completed"

        await until(delivered)


async def test_without_auto_restart_a_killed_agent_stays_down(runtime: Runtime, operator: Person) -> None:
    async with controlling(runtime):
        await deployed(operator, autoRestart=False)
        await until(lambda: is_("worker", "running", "ok"), 40)
        await kill(runtime, "worker")
        await until(lambda: is_("worker", "failed"))
        await asyncio.sleep(2)
        shown = (await operator.soon("GET", "agents/worker/"))[1]
        assert (shown["state"], shown["restarts"], shown["next_start_at"]) == ("failed", 0, None)
        await operator.soon("POST", "agents/worker/start/")
        await until(lambda: is_("worker", "running", "ok"), 40)


async def test_paused_and_resumed(runtime: Runtime, operator: Person) -> None:
    async with controlling(runtime):
        await deployed(operator)
        await until(lambda: is_("worker", "running", "ok"), 40)
        assert (await operator.soon("POST", "agents/worker/pause/"))[0] == 202
        await until(lambda: is_("worker", "paused"))
        status, answer = await operator.soon("POST", "agents/worker/invoke", squaring(3))
        assert (status, answer["state"]) == (202, "pending")
        assert (await operator.soon("POST", "agents/worker/resume/"))[0] == 202

        async def delivered() -> bool:
            return (await request_row(answer["request_id"])).state == "completed"

        await until(delivered)
        assert (await row_of("worker")).restarts == 0


async def test_restarted(runtime: Runtime, operator: Person) -> None:
    async with controlling(runtime):
        await deployed(operator)
        await until(lambda: is_("worker", "running", "ok"), 40)
        before = await row_of("worker")
        assert (await operator.soon("POST", "agents/worker/restart/"))[0] == 202

        async def again() -> bool:
            row = await row_of("worker")
            later = bool(row.started_at and before.started_at and row.started_at > before.started_at)
            return later and row.health == "ok"

        await until(again, 40)
        row = await row_of("worker")
        assert (row.restarts, row.restart_done) == (0, 1)


async def test_a_controller_that_comes_back_adopts_them(runtime: Runtime, operator: Person) -> None:
    async with controlling(runtime):
        await deployed(operator)
        await until(lambda: is_("worker", "running", "ok"), 40)
    before = await row_of("worker")
    async with controlling(runtime):
        await asyncio.sleep(2.5)
        row = await row_of("worker")
        assert (row.container, row.state, row.restarts) == (before.container, "running", 0)
        status, answer = await operator.soon("POST", "agents/worker/invoke", squaring(5))
        assert (status, answer["output"]) == (200, 25)


async def test_a_new_definition_replaces_the_container(runtime: Runtime, operator: Person) -> None:
    look = "import os\ndef main():\n    return os.environ.get('LEVEL')\n"
    async with controlling(runtime):
        await deployed(operator, env={"LEVEL": "one"})
        await until(lambda: is_("worker", "running", "ok"), 40)
        assert (await operator.soon("POST", "agents/worker/invoke", {"code": look}))[1]["output"] == "one"
        status, _ = await operator.soon("PATCH", "agents/worker/", {"env": {"LEVEL": "two"}})
        assert status == 200

        async def changed() -> bool:
            if not await is_("worker", "running", "ok"):
                return False
            status, answer = await operator.soon("POST", "agents/worker/invoke", {"code": look})
            return status == 200 and answer["output"] == "two"

        await until(changed, 40)


async def test_logs_and_usage(runtime: Runtime, operator: Person) -> None:
    async with controlling(runtime):
        await deployed(operator)
        await until(lambda: is_("worker", "running", "ok"), 40)
        status, log = await operator.soon("GET", "agents/worker/logs/?tail=10")
        assert status == 200
        assert any("listening on" in line for line in log["lines"])
        status, usage = await operator.soon("GET", "agents/worker/metrics/")
        assert (status, usage["running"]) == (200, True)
        assert usage["memory"] > 1_000_000
        assert usage["cpu"] is not None
        await operator.soon("POST", "agents/worker/stop/")
        await until(lambda: is_("worker", "stopped"))
        assert (await operator.soon("GET", "agents/worker/metrics/"))[1] == {"running": False}


async def test_an_image_that_is_not_there(runtime: Runtime, operator: Person) -> None:
    async with controlling(runtime):
        await deployed(operator, image="no-such-image:1")
        await until(lambda: is_("worker", "failed"))
        shown = (await operator.soon("GET", "agents/worker/"))[1]
        assert "no-such-image:1" in shown["problem"]
        assert shown["next_start_at"] is not None


async def test_what_is_replayed(runtime: Runtime, operator: Person) -> None:
    async with controlling(runtime):
        await deployed(operator)
        await until(lambda: is_("worker", "running", "ok"), 40)
        answer = await asyncio.to_thread(alone, operator.ask, "POST", "agents/worker/invoke", squaring(6))
        request_id = answer["X-Agentainer-Request-ID"]
        status, again = await operator.soon("POST", f"agents/worker/requests/{request_id}/replay/")
        assert (status, again["output"]) == (200, 36)
        headers = {"X-Agentainer-Request-ID": request_id, "X-Agentainer-Replay": "true"}
        status, again = await operator.soon("POST", "agents/worker/invoke", {}, headers=headers)
        assert (status, again["output"]) == (200, 36)
        row = await request_row(request_id)
        assert (row.attempts, row.replays, row.state) == (3, 2, "completed")


async def test_a_log_is_followed(runtime: Runtime, operator: Person) -> None:
    """Over HTTP and over a websocket, until the agent ends; the socket goes on with the next one."""
    from channels.testing import WebsocketCommunicator

    from aflow_site.asgi import application

    async with controlling(runtime):
        await deployed(operator)
        await until(lambda: is_("worker", "running", "ok"), 40)
        exchange = Exchange(
            "GET", "/api/v1/agents/worker/logs/?follow=true", {"Authorization": f"Token {operator.token}"}
        )
        await exchange.send()
        pieces = exchange.pieces()
        assert b"listening on" in await anext(pieces)

        socket = WebsocketCommunicator(application, f"/ws/agents/worker/logs/?token={operator.token}")
        assert (await socket.connect())[0]
        assert "listening on" in (await socket.receive_json_from(timeout=10))["text"]
        usage = WebsocketCommunicator(application, f"/ws/agents/worker/metrics/?token={operator.token}")
        assert (await usage.connect())[0]
        assert (await usage.receive_json_from(timeout=10))["memory"] > 1_000_000

        await operator.soon("POST", "agents/worker/stop/")
        async with asyncio.timeout(60):
            async for _ in pieces:  # it ends with the agent
                pass

        async def told(socket: Any, kind: str) -> dict[str, Any]:
            while True:
                message: dict[str, Any] = await socket.receive_json_from(timeout=20)
                if message["type"] == kind:
                    return message

        await told(socket, "ended")
        await told(usage, "ended")
        await operator.soon("POST", "agents/worker/start/")
        assert (await told(usage, "usage"))["running"] is True
        await socket.disconnect()
        await usage.disconnect()


async def test_an_answer_streams_through_the_proxy(runtime: Runtime, operator: Person) -> None:
    """Line by line, as the body prints them: the first has come while the body still waits."""
    import hashlib

    source = "import time\ndef main():\n    print('first', flush=True)\n    time.sleep(3)\n    return 1\n"
    digest = hashlib.sha256(source.encode()).hexdigest()
    body = json.dumps({"input": {}, "runs": {"code": digest}, "source": source}).encode()
    async with controlling(runtime):
        await deployed(operator)
        await until(lambda: is_("worker", "running", "ok"), 40)
        headers = {"Authorization": f"Token {operator.token}", "content-length": str(len(body))}
        exchange = Exchange("POST", "/agent/worker/invoke", headers)
        began = time.monotonic()
        await exchange.send(body)
        pieces = exchange.pieces()
        assert b"first" in await anext(pieces)
        assert time.monotonic() - began < 2.5
        rest = b"".join([piece async for piece in pieces])
        assert json.loads(rest.strip().splitlines()[-1])["output"] == 1
        assert time.monotonic() - began > 2.9


async def test_another_port_and_path(runtime: Runtime, operator: Person) -> None:
    """The health path decides whether it is well; the port is the one that is asked for."""
    async with controlling(runtime):
        check = {"path": "/nothing-here", "interval": "200ms", "startPeriod": "1s", "retries": 1}
        await deployed(operator, "sick", healthCheck=check, autoRestart=False)
        await deployed(operator, "other", port=9123)
        await until(lambda: is_("other", "running", "ok"), 40)
        if runtime.name == "docker":
            assert (await row_of("other")).address.endswith(":9123")
        await until(lambda: is_("sick", "running", "failing"), 40)
        shown = (await operator.soon("GET", "agents/sick/"))[1]
        assert "GET /nothing-here" in shown["problem"]
        status, answer = await operator.soon("POST", "agents/sick/invoke", squaring(1))
        assert (status, answer["state"]) == (202, "pending")
        assert "is not well" in answer["detail"]


async def test_volumes_go_only_when_asked(runtime: Runtime, operator: Person) -> None:
    if runtime.name == "process":
        async with controlling(runtime):
            await deployed(operator, volumes=["data:/data"])
            await until(lambda: is_("worker", "failed"))
            assert "no volumes" in (await operator.soon("GET", "agents/worker/"))[1]["problem"]
        return
    import docker

    def kept() -> list[str]:
        client = docker.from_env()
        found = client.volumes.list(filters={"label": f"agentainer.instance={runtime._instance}"})  # type: ignore[attr-defined]
        client.close()
        return [volume.name for volume in found]

    async def left(number: int) -> bool:
        gone = not await runtime.deployed.list_deployed()  # type: ignore[attr-defined]
        return gone and len(await asyncio.to_thread(kept)) == number

    async with controlling(runtime):
        for query, number in (("", 1), ("?volumes=true", 0)):
            settled = partial(left, number)
            await deployed(operator, volumes=["data:/data"])
            await until(lambda: is_("worker", "running", "ok"), 40)
            assert len(await asyncio.to_thread(kept)) == 1
            await operator.soon("DELETE", f"agents/worker/{query}")
            await until(settled, 40)


async def test_nothing_stays_behind_and_it_comes_back(runtime: Runtime, operator: Person) -> None:
    """The end of the platform takes containers; the next start makes them anew, and counts no death."""
    from pools.facade import api as pools

    async with controlling(runtime):
        await deployed(operator)
        await until(lambda: is_("worker", "running", "ok"), 40)
    assert await pools.shutdown_all() == 1
    assert await runtime.deployed.list_deployed() == []  # type: ignore[attr-defined]
    async with controlling(runtime):
        await until(lambda: is_("worker", "running", "ok"), 40)
        row = await row_of("worker")
        assert (row.restarts, row.deaths) == (0, 0)


async def test_a_request_that_is_broken_off_is_not_sent_again(runtime: Runtime, operator: Person) -> None:
    """Its agent is killed while it works: failed as interrupted, and only a replay sends it again."""
    slow = "import time\ndef main():\n    time.sleep(30)\n"
    async with controlling(runtime):
        await deployed(operator)
        await until(lambda: is_("worker", "running", "ok"), 40)
        asking = asyncio.create_task(
            operator.soon("POST", "agents/worker/invoke", {"input": {}, "code": slow})
        )

        async def on_its_way() -> bool:
            found = (await operator.soon("GET", "agents/worker/requests/?state=processing"))[1]["results"]
            return len(found) == 1

        await until(on_its_way)
        await asyncio.sleep(0.5)
        await kill(runtime, "worker")
        status, problem = await asking
        assert (status, problem["code"]) == (502, "request_interrupted")
        await until(lambda: is_("worker", "running", "ok"), 40)
        await asyncio.sleep(1.5)
        (row,) = (await operator.soon("GET", "agents/worker/requests/"))[1]["results"]
        assert (row["state"], row["reason"], row["attempts"]) == ("failed", "interrupted", 1)
