"""The live view of a run: snapshot, numbered events, resuming, and who may look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model

from aflow_site.asgi import application
from teams.facade import api as teams
from teams.facade.contracts import Role
from teams.models import Membership, Team
from tests.integration.workflows.harness import Harness, make_run, mapping, task
from workflows.models import Run
from workflows.services.nudges import run_group

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@sync_to_async
def a_token(team_slug: str = "t", name: str = "u") -> str:
    team, _ = Team.objects.get_or_create(slug=team_slug, defaults={"name": team_slug})
    user = get_user_model().objects.create_user(name)
    Membership.objects.create(team=team, user=user, role=Role.VIEWER)
    return teams.issue_token(team_id=team.pk, user_id=user.pk, role=Role.VIEWER, name="x")


@pytest.fixture
async def sockets() -> AsyncIterator[Any]:
    """Opens sockets, and closes them at the end."""
    opened: list[WebsocketCommunicator] = []

    async def open_socket(path: str) -> WebsocketCommunicator:
        socket = WebsocketCommunicator(application, path, headers=[(b"host", b"localhost")])
        connected, _ = await socket.connect()
        assert connected
        opened.append(socket)
        return socket

    yield open_socket
    for socket in opened:
        await socket.disconnect()
    layer = get_channel_layer()
    await layer.flush()


async def read_until(socket: WebsocketCommunicator, event: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    while not messages or messages[-1].get("event") != event:
        messages.append(await socket.receive_json_from(timeout=5))
    return messages


async def test_snapshot_then_every_event_and_a_replay_gives_the_fresh_snapshot(sockets: Any) -> None:
    token = await a_token()
    run_id = await sync_to_async(make_run)(mapping("m", over=[1, 2, 3]), task("b", needs=["m"]))
    socket = await sockets(f"/ws/runs/{run_id}/?token={token}")
    snapshot = await socket.receive_json_from(timeout=5)
    assert (snapshot["type"], snapshot["run"]["state"]) == ("snapshot", "pending")
    harness = Harness(lambda value, _: value)
    await harness.drive(run_id)
    await harness.close()
    messages = await read_until(socket, "run.completed")
    seqs = [message["seq"] for message in messages]
    assert seqs == list(range(snapshot["seq"] + 1, snapshot["seq"] + 1 + len(seqs)))

    steps = {step["id"]: step for step in snapshot["steps"]}
    run = snapshot["run"]
    for message in messages:
        if "step" in message["data"]:
            steps[message["data"]["step"]["id"]] = message["data"]["step"]
        run = {**run, **message["data"].get("run", {})}
    fresh_socket = await sockets(f"/ws/runs/{run_id}/?token={token}")
    fresh = await fresh_socket.receive_json_from(timeout=5)
    assert list(steps.values()) == fresh["steps"]
    told = ("id", "state", "error", "started_at", "finished_at", "duration_ms")
    assert {key: run[key] for key in told} == {key: fresh["run"][key] for key in told}


async def test_a_client_that_comes_back_misses_nothing(sockets: Any) -> None:
    token = await a_token()
    run_id = await sync_to_async(make_run)(mapping("m", over=[1, 2, 3]))
    harness = Harness(lambda value, _: value)
    await harness.drive(run_id)
    await harness.close()
    last = (await sync_to_async(Run.objects.get)(pk=run_id)).last_seq
    socket = await sockets(f"/ws/runs/{run_id}/?token={token}&seq=2")
    messages = [await socket.receive_json_from(timeout=5) for _ in range(last - 2)]
    assert [message["seq"] for message in messages] == list(range(3, last + 1))
    assert await socket.receive_nothing(timeout=0.2)
    ahead = await sockets(f"/ws/runs/{run_id}/?token={token}&seq=9999")
    assert (await ahead.receive_json_from(timeout=5))["type"] == "snapshot"


async def test_news_arrive_by_message_and_without_one(sockets: Any) -> None:
    token = await a_token()
    run_id = await sync_to_async(make_run)(task("a"))
    socket = await sockets(f"/ws/runs/{run_id}/?token={token}")
    await socket.receive_json_from(timeout=5)
    harness = Harness(lambda value, _: value)
    await harness.drive(run_id)
    await harness.close()
    await get_channel_layer().group_send(run_group(run_id), {"type": "run.changed", "seq": 1})
    assert (await read_until(socket, "run.completed"))[-1]["event"] == "run.completed"


@pytest.mark.parametrize("query", ["", "?token=wrong"])
async def test_strangers_are_turned_away(sockets: Any, query: str) -> None:
    run_id = await sync_to_async(make_run)(task("a"))
    socket = await sockets(f"/ws/runs/{run_id}/{query}")
    assert await socket.receive_output(timeout=5) == {"type": "websocket.close", "code": 4401}


async def test_a_foreign_page_cannot_open_a_socket_in_somebody_s_name(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]
    for origin, expected in ((b"https://elsewhere.example", False), (b"http://localhost:8000", True)):
        headers = [(b"host", b"localhost"), (b"origin", origin)]
        socket = WebsocketCommunicator(application, f"/ws/runs/{uuid4()}/", headers=headers)
        connected, _ = await socket.connect()
        assert connected is expected
        await socket.disconnect()


async def test_another_team_s_run_does_not_exist(sockets: Any) -> None:
    token = await a_token("others", "o")
    run_id = await sync_to_async(make_run)(task("a"))
    socket = await sockets(f"/ws/runs/{run_id}/?token={token}")
    assert (await socket.receive_output(timeout=5))["code"] == 4404


async def test_a_bad_seq_is_refused(sockets: Any) -> None:
    token = await a_token()
    run_id = await sync_to_async(make_run)(task("a"))
    socket = await sockets(f"/ws/runs/{run_id}/?token={token}&seq=-1")
    assert (await socket.receive_output(timeout=5))["code"] == 4400


async def test_an_address_without_a_socket_is_closed_with_a_reason(sockets: Any) -> None:
    for path in ("/ws/none/", "/ws/runs/nonsense/"):
        socket = await sockets(path)
        assert (await socket.receive_output(timeout=5))["code"] == 4404
