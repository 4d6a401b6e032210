"""`/agent/{id}/…` through the whole site, to a real HTTP server in an agent's place."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiohttp import WSMsgType, web
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator

from aflow_site.kernel.errors import Conflict
from pools.domain.requests import FailReason
from pools.models import AgentRequest, DeployedAgent
from pools.services.requests import store
from teams.domain.roles import Role
from tests.factories.pools import make_team
from tests.fakes.asgi import Exchange
from tests.fakes.deployed import Person, request_row
from tests.fakes.pools import until
from tests.fakes.web import web_process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("brief_connections")]


class Server:
    """What an agent might be."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.seen: list[web.Request] = []
        self.left = 0
        self.waiting = 0

    async def echo(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        body = await request.read()
        told = {
            "method": request.method,
            "path": request.raw_path,
            "size": len(body),
            "headers": dict(request.headers),
        }
        headers = {"Set-Cookie": "sessionid=stolen", "X-Own": "1", "Connection": "X-Hop", "X-Hop": "1"}
        return web.json_response(told, headers=headers)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"first\n")
        try:
            await self.go_on.wait()
            await answer.write(b"second\n")
        except asyncio.CancelledError:
            self.left += 1
            raise
        return answer

    async def wait(self, _request: web.Request) -> web.Response:
        self.waiting += 1
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise
        return web.json_response({"output": None})

    async def broken(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse(protocols=("chat",))
        await answer.prepare(request)
        await answer.send_str(f"hello {request.query_string} {request.headers.get('Authorization', '')[:7]}")
        async for message in answer:
            if message.type is WSMsgType.TEXT:
                if message.data == "end":
                    await answer.close(code=4321)
                    break
                await answer.send_str(message.data.upper())
            elif message.type is WSMsgType.BINARY:
                await answer.send_bytes(message.data[::-1])
        return answer


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application(client_max_size=64 * 1024**2)
    app.router.add_get("/stream", made.stream)
    app.router.add_get("/broken", made.broken)
    app.router.add_post("/invoke", made.wait)
    app.router.add_get("/ws", made.socket)
    app.router.add_route("*", "/{path:.*}", made.echo)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.address = f"127.0.0.1:{runner.addresses[0][1]}"  # type: ignore[attr-defined]
    yield made
    await runner.cleanup()


@pytest.fixture
async def editor() -> Person:
    return await sync_to_async(lambda: Person(make_team(), Role.EDITOR))()


@pytest.fixture
async def agent(server: Server, editor: Person) -> DeployedAgent:
    """Running and well, at the server's address."""
    return await database_sync_to_async(DeployedAgent.objects.create)(
        team=editor.team,
        name="site",
        image="x",
        nonce="n",
        state="running",
        health="ok",
        address=server.address,  # type: ignore[attr-defined]
    )


def signed(person: Person, **more: str) -> dict[str, str]:
    return {"Authorization": f"Token {person.token}", **more}


async def asked(
    person: Person, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[Exchange, bytes]:
    exchange = Exchange(method, path, signed(person, **{"content-length": str(len(body)), **headers}))
    await exchange.send(body)
    return exchange, await exchange.body()


async def test_a_request_goes_through_and_is_stored(
    agent: DeployedAgent, editor: Person, server: Server
) -> None:
    headers = {"cookie": "sessionid=secret", "x-mine": "2", "content-type": "text/plain"}
    exchange, body = await asked(editor, "POST", "/agent/site/a%20b/c?x=1&y=%2F", b"hello", **headers)
    told = json.loads(body)
    assert exchange.status == 200
    assert (told["method"], told["path"], told["size"]) == ("POST", "/a%20b/c?x=1&y=%2F", 5)
    passed = {name.lower(): value for name, value in told["headers"].items()}
    assert passed["x-mine"] == "2"
    assert "cookie" not in passed
    assert passed["authorization"].startswith("Bearer ")
    assert editor.token not in passed["authorization"]
    request_id = exchange.headers["x-agentainer-request-id"]
    assert passed["x-agentainer-request-id"] == request_id
    assert "stolen" not in exchange.headers.get("set-cookie", ""), "a session is ours to give"
    assert "x-hop" not in exchange.headers
    assert exchange.headers["x-own"] == "1"
    assert exchange.headers["content-security-policy"].startswith("sandbox")
    row = await request_row(request_id)
    assert (row.state, row.response_status, bytes(row.body)) == ("completed", 200, b"hello")
    assert bytes(row.response_body) == body
    assert "secret" not in json.dumps(row.headers)
    await database_sync_to_async(agent.refresh_from_db)()
    assert agent.uses == 1


async def test_an_answer_comes_as_it_is_made(agent: DeployedAgent, editor: Person, server: Server) -> None:
    exchange = Exchange("GET", f"/agent/{agent.pk}/stream", signed(editor))
    await exchange.send()
    pieces = exchange.pieces()
    assert await anext(pieces) == b"first\n", "before the rest exists"
    server.go_on.set()
    assert b"".join([piece async for piece in pieces]) == b"second\n"


async def test_a_client_that_hangs_up_ends_its_request(
    agent: DeployedAgent, editor: Person, server: Server
) -> None:
    exchange = Exchange("GET", "/agent/site/stream", signed(editor))
    await exchange.send()
    assert await anext(exchange.pieces()) == b"first\n"
    await exchange.hang_up()
    request_id = exchange.headers["x-agentainer-request-id"]

    async def ended() -> bool:
        return (await request_row(request_id)).reason == FailReason.CLIENT_GONE.value

    await until(ended)
    await until(lambda: server.left == 1)


async def test_who_hangs_up_while_the_api_waits_for_an_agent_ends_its_request(
    agent: DeployedAgent, editor: Person, server: Server
) -> None:
    """The view waits in a thread, for what is done on the loop."""
    path = "/api/v1/agents/site/invoke"
    exchange = Exchange("POST", path, signed(editor, **{"content-type": "application/json"}))
    asking = asyncio.create_task(exchange.send(b'{"input": {"wait": true}}'))
    await until(lambda: server.waiting == 1)
    asking.cancel()
    await exchange.hang_up()
    await until(lambda: server.left == 1)
    row = await database_sync_to_async(AgentRequest.objects.get)()
    assert (row.state, row.reason) == ("failed", FailReason.CLIENT_GONE.value)
    again, _ = await asked(editor, "GET", "/api/v1/agents/site/requests/")
    assert again.status == 200, "the thread is of use for others"


async def test_an_answer_leaves_although_the_web_process_is_told_to_end(
    agent: DeployedAgent, editor: Person, server: Server
) -> None:
    async with web_process() as web, httpx.AsyncClient(trust_env=False, timeout=60) as client:
        address = f"http://127.0.0.1:{web.port}"
        asking = asyncio.create_task(
            client.post(f"{address}/api/v1/agents/site/invoke", json={"input": 1}, headers=signed(editor))
        )
        await until(lambda: server.waiting == 1)
        os.kill(web.pid, signal.SIGTERM)
        await asyncio.sleep(1)  # nothing outside tells when it has heard; too short, and this shows less
        server.go_on.set()
        assert (await asking).json() == {"output": None}


async def test_what_follows_on_one_connection_is_a_request_of_its_own(editor: Person) -> None:
    """The second is begun by the end of the first."""
    header = f"Host: 127.0.0.1\r\nAuthorization: Token {editor.token}\r\n"
    paths = ("/api/v1/workflows/", "/agent/nobody/")
    requests = [f"GET {path} HTTP/1.1\r\n{header}\r\n" for path in paths * 20]
    async with web_process() as web:
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        writer.write("".join(requests).encode())
        async with asyncio.timeout(60):
            answers = b""
            while answers.count(b"HTTP/1.1 ") < len(requests):
                answers += await reader.read(65536)
        writer.close()
    assert [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404"] * 20


async def test_a_large_body_passes_through(
    agent: DeployedAgent, editor: Person, server: Server, settings: Any
) -> None:
    settings.AFLOW_REQUEST_BYTES = 100_000
    body = b"x" * 300_000
    exchange, answer = await asked(editor, "PUT", "/agent/site/upload", body)
    assert (exchange.status, json.loads(answer)["size"]) == (200, 300_000)
    request_id = exchange.headers["x-agentainer-request-id"]
    row = await request_row(request_id)
    assert (row.whole, bytes(row.body), row.state) == (False, b"", "completed")
    refused = await editor.soon("POST", f"agents/site/requests/{request_id}/replay/")
    assert refused[0] == 409
    await database_sync_to_async(DeployedAgent.objects.update)(state="stopped")
    exchange, answer = await asked(editor, "PUT", "/agent/site/upload", body)
    assert (exchange.status, json.loads(answer)["code"]) == (413, "too_large")


async def test_an_agent_that_is_down(agent: DeployedAgent, editor: Person, settings: Any) -> None:
    settings.AFLOW_REQUESTS_WAITING = 2
    await database_sync_to_async(DeployedAgent.objects.update)(state="failed")
    for _ in range(2):
        exchange, answer = await asked(editor, "POST", "/agent/site/later", b"1")
        told = json.loads(answer)
        assert (exchange.status, told["state"]) == (202, "pending")
        assert (await request_row(told["request_id"])).state == "pending"
    exchange, answer = await asked(editor, "POST", "/agent/site/later", b"1")
    assert (exchange.status, exchange.headers["retry-after"]) == (503, "5")
    assert "2 requests wait" in json.loads(answer)["detail"]


async def test_no_connection_means_that_it_waits(agent: DeployedAgent, editor: Person) -> None:
    """The row says that it is well, and nobody listens: nothing was sent, so it is delivered later."""
    await database_sync_to_async(DeployedAgent.objects.update)(address="127.0.0.1:1")
    exchange, answer = await asked(editor, "POST", "/agent/site/x", b"1")
    assert exchange.status == 202
    row = await request_row(json.loads(answer)["request_id"])
    assert (row.state, row.attempts) == ("pending", 0)


async def test_a_connection_that_breaks_is_not_tried_again(agent: DeployedAgent, editor: Person) -> None:
    exchange, answer = await asked(editor, "GET", "/agent/site/broken")
    assert (exchange.status, json.loads(answer)["code"]) == (502, "request_interrupted")
    row = await request_row(exchange.headers["x-agentainer-request-id"])
    assert (row.state, row.reason, row.attempts) == ("failed", "interrupted", 1)


async def test_asked_for_later(agent: DeployedAgent, editor: Person) -> None:
    exchange, answer = await asked(editor, "POST", "/agent/site/x", b"1", prefer="respond-async")
    assert exchange.status == 202
    assert "earlier requests first" in json.loads(answer)["detail"]


async def test_who_may(agent: DeployedAgent, editor: Person, server: Server) -> None:
    viewer = await sync_to_async(lambda: Person(editor.team, Role.VIEWER))()
    stranger = await sync_to_async(lambda: Person(make_team(), Role.ADMIN))()
    assert (await asked(viewer, "GET", "/agent/site/x"))[0].status == 200
    exchange, answer = await asked(viewer, "POST", "/agent/site/x", b"1")
    assert (exchange.status, json.loads(answer)["code"]) == (403, "not_allowed")
    assert (await asked(stranger, "GET", f"/agent/{agent.pk}/x"))[0].status == 404
    nobody = Exchange("GET", "/agent/site/x")
    await nobody.send()
    assert (nobody.status, json.loads(await nobody.body())["code"]) == (401, "not_authenticated")
    wrong = Exchange("GET", "/agent/site/x", {"Authorization": "Token nonsense"})
    await wrong.send()
    assert (wrong.status, json.loads(await wrong.body())["code"]) == (401, "not_authenticated")
    assert len(server.seen) == 1


async def test_a_session_needs_the_csrf_token(agent: DeployedAgent, editor: Person) -> None:
    from django.contrib.auth import get_user_model
    from django.test import AsyncClient

    client = AsyncClient(enforce_csrf_checks=True)
    user = await sync_to_async(get_user_model().objects.get)(username=f"editor-{editor.team.slug}")
    await client.aforce_login(user)
    answer = await client.get("/agent/site/x")
    pieces = [piece async for piece in answer]  # type: ignore[attr-defined]
    assert (answer.status_code, pieces != []) == (200, True)
    answer = await client.post("/agent/site/x", b"1", content_type="text/plain")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]


# --- claims ----------------------------------------------------------------------------------------------


def pend(agent: DeployedAgent, number: int = 1) -> list[AgentRequest]:
    from pools.facade.agent_contracts import Arrival

    arrival = Arrival("POST", "/x", [], b"", "me")
    return [store.store(agent, arrival, holder=None, now=datetime.now(UTC)) for _ in range(number)]


async def test_one_delivery_at_a_time(agent: DeployedAgent) -> None:
    """Two queues claim at once, again and again: nobody gets what another has, and the order holds."""
    rows = await database_sync_to_async(pend)(agent, 12)
    got: list[int] = []

    async def queue(name: str) -> None:
        for _ in range(60):
            now = datetime.now(UTC)
            claimed = await database_sync_to_async(store.claim_next)(agent.pk, store.QUEUE + name, now)
            if claimed is None:
                await asyncio.sleep(0.005)
                continue
            got.append(claimed.pk)
            held = await database_sync_to_async(store.claim_next)(agent.pk, store.QUEUE + "third", now)
            assert held is None, "two of one agent at once"
            answer: dict[str, Any] = {"status": 200, "headers": [], "body": b"", "size": 0, "now": now}
            assert await database_sync_to_async(store.complete)(claimed.pk, store.QUEUE + name, **answer)

    await asyncio.gather(queue("one"), queue("two"))
    assert got == [row.pk for row in rows]


def test_a_holder_that_dies_is_fenced() -> None:
    agent = DeployedAgent.objects.create(team=make_team(), name="a", image="x", nonce="n")
    (row,) = pend(agent)
    then = datetime.now(UTC) - timedelta(minutes=5)
    assert store.claim_next(agent.pk, "queue-dead", then)
    assert store.expire(datetime.now(UTC)) == 1
    row.refresh_from_db()
    assert (row.state, row.reason) == ("failed", "interrupted")
    late: dict[str, Any] = {
        "status": 200,
        "headers": [],
        "body": b"late",
        "size": 4,
        "now": datetime.now(UTC),
    }
    assert not store.complete(row.pk, "queue-dead", **late)
    assert not store.renew(row.pk, "queue-dead", datetime.now(UTC))
    again = store.replay(agent, row.id)
    assert (again.state, again.replays, bytes(again.response_body)) == ("pending", 1, b"")
    with pytest.raises(Conflict):
        store.replay(agent, row.id)


def test_ended_requests_are_forgotten_in_pages() -> None:
    agent = DeployedAgent.objects.create(team=make_team(), name="a", image="x", nonce="n")
    now = datetime.now(UTC)
    for row in pend(agent, 5):
        store.claim(row, "me", now)
        store.fail(row.pk, "me", FailReason.TIMEOUT, now - timedelta(days=8))
    pend(agent)
    assert [store.prune(now - timedelta(days=7), limit=3) for _ in range(3)] == [3, 2, 0]
    assert AgentRequest.objects.count() == 1


# --- websockets ------------------------------------------------------------------------------------------


async def dial(path: str, subprotocols: list[str] | None = None) -> tuple[WebsocketCommunicator, Any]:
    from aflow_site.asgi import application

    socket = WebsocketCommunicator(application, path, subprotocols=subprotocols)
    return socket, await socket.connect(timeout=10)


async def test_a_websocket_through_the_proxy(agent: DeployedAgent, editor: Person) -> None:
    socket, (connected, protocol) = await dial(f"/agent/site/ws?token={editor.token}&a=1", ["chat"])
    assert (connected, protocol) == (True, "chat")
    assert await socket.receive_from(timeout=5) == "hello a=1 Bearer "
    await socket.send_to(text_data="ping")
    assert await socket.receive_from(timeout=5) == "PING"
    await socket.send_to(bytes_data=b"abc")
    assert await socket.receive_from(timeout=5) == b"cba"
    await socket.send_to(text_data="end")
    closed = await socket.receive_output(timeout=5)
    assert (closed["type"], closed["code"]) == ("websocket.close", 4321)
    await socket.disconnect()


@pytest.mark.parametrize("case", ["nobody", "stranger", "viewer", "down"])
async def test_websockets_that_are_refused(agent: DeployedAgent, editor: Person, case: str) -> None:
    token, code = "", {"nobody": 4401, "stranger": 4404, "viewer": 4403, "down": 1013}[case]
    if case == "stranger":
        token = (await sync_to_async(lambda: Person(make_team(), Role.ADMIN))()).token
    elif case == "viewer":
        token = (await sync_to_async(lambda: Person(editor.team, Role.VIEWER))()).token
    elif case == "down":
        token = editor.token
        await database_sync_to_async(DeployedAgent.objects.update)(state="stopped")
    socket, _ = await dial(f"/agent/site/ws?token={token}")
    closed = await socket.receive_output(timeout=5)
    assert (closed["type"], closed["code"]) == ("websocket.close", code)
    await socket.disconnect()
