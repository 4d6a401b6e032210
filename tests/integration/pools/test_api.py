"""Pools and agents over HTTP, over the websocket, and in the metrics."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from prometheus_client import CollectorRegistry, generate_latest

from pools.consumers.routing import websocket_urlpatterns
from pools.facade import api as pools
from pools.facade.contracts import LeaseOutcome, PoolSpec
from pools.leases.scripts import prefix_of
from pools.models import Agent, Pool
from pools.runtime.memory import MemoryRuntime
from teams.domain.roles import Role
from teams.facade import api as teams
from teams.facade.contracts import TeamContext
from teams.models import Membership, Team
from tests.factories.pools import make_pool, make_team
from tests.fakes.pools import Plant, invocation, served, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def team() -> Team:
    return make_team()


class Caller:
    """Speaks for one member of a team."""

    def __init__(self, team: Team, role: Role) -> None:
        user = get_user_model().objects.create(username=f"{role.value}-{team.slug}")
        Membership.objects.create(team=team, user=user, role=role)
        token = teams.issue_token(team_id=team.pk, user_id=user.pk, role=role, name="test")
        self._client = Client(headers={"Authorization": f"Token {token}"})

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = self._client.generic(
            method,
            f"/api/v1/{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
        )
        return answer.status_code, json.loads(answer.content) if answer.content else None


@pytest.fixture
def operator(team: Team) -> Caller:
    return Caller(team, Role.OPERATOR)


def test_a_pools_life(operator: Caller) -> None:
    status, made = operator("POST", "pools/", {"name": "mine", "min_size": 1, "max_size": 4})
    assert status == 201
    assert made["image"] == pools.BUILT_IN_IMAGE
    assert made["states"] == {"starting": 0, "idle": 0, "active": 0, "draining": 0, "unhealthy": 0}
    assert (made["target_size"], made["waiting"], made["utilization"]) == (1, 0, 0.0)
    assert operator("GET", "pools/")[1]["results"] == [made]
    status, changed = operator("PATCH", "pools/mine/", {"idle_timeout": 60, "max_uses": 5})
    assert (status, changed["idle_timeout"], changed["max_uses"]) == (200, 60.0, 5)
    status, resized = operator("POST", "pools/mine/resize/", {"min_size": 2, "max_size": 6})
    assert (status, resized["min_size"], resized["max_size"], resized["target_size"]) == (200, 2, 6, 2)
    assert operator("DELETE", "pools/mine/")[0] == 204
    assert operator("GET", "pools/mine/")[0] == 404
    assert operator("POST", "pools/", {"name": "mine"})[0] == 201, "its name is free again"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "ok", "min_size": 5, "max_size": 2}, "min_size"),
        ({"name": "ok", "max_size": 0}, "max_size"),
        ({"name": "ok", "max_size": 10**6}, "max_size"),
        ({"name": "ok", "max_uses": 0}, "max_uses"),
        ({"name": "ok", "idle_timeout": -1}, "idle_timeout"),
        ({"name": "ok", "min_size": "many"}, "min_size"),
        ({"name": "ok", "colour": "red"}, "colour"),
        ({}, "name"),
    ],
)
def test_bad_settings_are_named(operator: Caller, body: dict[str, Any], path: str) -> None:
    status, problem = operator("POST", "pools/", body)
    assert status == 400
    assert path in {fault["path"] for fault in problem["errors"]}
    assert not Pool.objects.exists()


def test_a_taken_name(operator: Caller) -> None:
    operator("POST", "pools/", {"name": "mine"})
    assert operator("POST", "pools/", {"name": "mine"})[0] == 409


def test_roles_and_teams(team: Team, operator: Caller) -> None:
    operator("POST", "pools/", {"name": "mine"})
    viewer, stranger = Caller(team, Role.VIEWER), Caller(make_team(), Role.ADMIN)
    assert viewer("GET", "pools/mine/")[0] == 200
    for method, path in (("POST", "pools/"), ("PATCH", "pools/mine/"), ("DELETE", "pools/mine/")):
        assert viewer(method, path, {"name": "x"})[0] == 403
    assert viewer("POST", "pools/mine/resize/", {"min_size": 1, "max_size": 1})[0] == 403
    assert stranger("GET", "pools/mine/")[0] == 404
    assert stranger("GET", "pools/")[1]["results"] == []


def test_agents(team: Team, operator: Caller) -> None:
    pool, now = make_pool(team), datetime.now(UTC)
    common: dict[str, Any] = {"pool": pool, "team": team, "pool_name": pool.name, "started_at": now}
    Agent.objects.create(**common, nonce="1", state="warming")
    gone = Agent.objects.create(
        **common, nonce="2", state="gone", ended_at=now, end_reason="max_uses", uses=3
    )
    (live,) = operator("GET", "agents/")[1]["results"]
    assert (live["state"], live["pool"]) == ("starting", pool.name)
    assert operator("GET", "agents/?pool=other")[1]["results"] == []
    (ended,) = operator("GET", "agents/?state=terminated")[1]["results"]
    assert (ended["id"], ended["end_reason"], ended["uses"]) == (str(gone.pk), "max_uses", 3)
    assert operator("GET", f"agents/{gone.pk}/")[1]["state"] == "terminated"
    assert operator("GET", "agents/?state=nonsense")[0] == 400
    assert Caller(make_team(), Role.ADMIN)("GET", f"agents/{gone.pk}/")[0] == 404


def test_ensure_pool_keeps_what_is_left_out(team: Team) -> None:
    first = pools.ensure_pool(team.pk, PoolSpec("flow-step", min_size=2, max_uses=7), workflow="flow")
    assert (first.min_size, first.max_uses, first.workflow) == (2, 7, "flow")
    again = pools.ensure_pool(team.pk, PoolSpec("flow-step", max_size=20), workflow="flow")
    assert (again.id, again.min_size, again.max_size, again.max_uses) == (first.id, 2, 20, 7)
    image = pools.ensure_pool(team.pk, PoolSpec("flow-step", image="mine:1"), workflow="flow")
    assert image.image == "mine:1"


def test_the_default_pool_is_made_once_and_left_alone(team: Team) -> None:
    made = pools.ensure_default_pool(team.pk)
    assert (made.name, made.min_size, made.max_size, made.idle_timeout) == ("python", 2, 10, 300.0)
    pools.resize_pool(team.pk, "python", 1, 3)
    assert pools.ensure_shared_pool(team.pk, None).max_size == 3
    other = pools.ensure_shared_pool(team.pk, "registry/some image:1")
    assert (other.name, other.warm_up) == ("image-registry-some-image-1", False)


def test_targets_stay_within_limits(team: Team) -> None:
    pool = pools.ensure_pool(team.pk, PoolSpec("p", min_size=1, max_size=4))
    assert [pools.set_target(pool.id, size) for size in (0, 3, 99)] == [1, 3, 4]
    (load,) = pools.load([pool.id])
    assert (load.target_size, load.size, load.waiting) == (4, 0, 0)


class Site(Plant):
    """The installation of this site's own settings, as its pages see it."""

    def __init__(self) -> None:
        super().__init__(MemoryRuntime())
        self.instance = settings.AFLOW_INSTANCE
        self.prefix = prefix_of(self.instance)


async def socket(team: Team, query: str = "") -> WebsocketCommunicator:
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/pools/{query}")
    communicator.scope["team"] = TeamContext(team.pk, team.slug, team.name, Role.VIEWER, 1, "u")
    connected, _ = await communicator.connect()
    assert connected
    return communicator


async def next_of(live: WebsocketCommunicator, kind: str) -> dict[str, Any]:
    for _ in range(100):
        message: dict[str, Any] = await live.receive_json_from(timeout=10)
        if message["type"] == kind:
            return message
    raise AssertionError(f"no {kind}")


async def test_the_live_view_and_the_metrics() -> None:
    team, other = await sync_to_async(make_team)(), await sync_to_async(make_team)()
    pool = await database_sync_to_async(make_pool)(team, name="live", min_size=1)
    site = Site()
    async with site.running(), site.brokering() as broker:
        await until(lambda: served(pool.pk, 1))
        live, elsewhere = await socket(team), await socket(other)
        snapshot = await next_of(live, "snapshot")
        assert [shown["name"] for shown in snapshot["pools"]] == ["live"]
        assert (await next_of(elsewhere, "snapshot"))["pools"] == []

        lease = await broker.acquire(pool.pk, holder="h", team_id=team.pk, timeout=10)
        await broker.invoke(lease, invocation({"x": 2}))
        seen: list[int] = []
        while True:
            change = await live.receive_json_from(timeout=10)
            seen.append(change["seq"])
            if change["type"] == "pool.changed" and change["pool"]["states"]["active"] == 1:
                break
        assert seen == sorted(set(seen))
        assert all(seq > snapshot["seq"] for seq in seen)
        assert change["pool"]["utilization"] == 1.0
        await live.disconnect()

        # Who comes back with its number gets what it missed, and no snapshot.
        await broker.release(lease, LeaseOutcome.OK)
        back = await socket(team, f"?seq={change['seq']}&epoch={snapshot['epoch']}")
        missed = await back.receive_json_from(timeout=10)
        assert missed["type"] != "snapshot"
        assert missed["seq"] > change["seq"]
        await back.disconnect()

        text = await database_sync_to_async(_metrics)()
        assert 'agentainer_pool_size{pool="live",state="idle"} 1.0' in text
        assert 'agentainer_pool_wait_time_seconds{pool="live",quantile="0.99"}' in text
        assert 'agentainer_pool_wait_time_seconds_count{pool="live"} 1.0' in text
        assert 'agentainer_pool_utilization{pool="live"} 0.0' in text
        assert 'agentainer_task_startup_time_seconds{mode="cold"}' in text

        assert await elsewhere.receive_nothing()
        await elsewhere.disconnect()
    await site.runtime.close()


def _metrics() -> str:
    registry = CollectorRegistry()
    registry.register(pools.metrics_collector())
    return generate_latest(registry).decode()


def test_metrics_of_agents_that_ended(team: Team) -> None:
    pool, now = make_pool(team, name="ended"), datetime.now(UTC)
    for nonce, reason in (("1", "max_uses"), ("2", "max_uses"), ("3", "idle_timeout")):
        Agent.objects.create(
            pool=pool,
            team=team,
            pool_name=pool.name,
            nonce=nonce,
            state="gone",
            started_at=now,
            ended_at=now,
            end_reason=reason,
        )
    text = _metrics()
    assert 'agentainer_pool_agent_terminations_total{pool="ended",reason="max_uses"} 2.0' in text
    assert 'agentainer_pool_agent_terminations_total{pool="ended",reason="idle_timeout"} 1.0' in text
    assert 'agentainer_pool_agent_lifetime_seconds_count{pool="ended"} 3.0' in text


async def test_a_socket_without_a_team_is_closed() -> None:
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), "/ws/pools/")
    communicator.scope["team"] = None
    await communicator.connect()
    closed = await communicator.receive_output(timeout=5)
    assert (closed["type"], closed["code"]) == ("websocket.close", 4401)
