"""Pools and agents over HTTP, over the websocket, and in the metrics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import LazySettings, settings
from prometheus_client import CollectorRegistry, generate_latest
from redis.backoff import NoBackoff
from redis.retry import Retry

from aflow_site.kernel.errors import InvalidInput
from pools.consumers.routing import websocket_urlpatterns
from pools.domain.agents import AgentState, EndReason
from pools.facade import api as pools
from pools.facade.contracts import AgentKind, LeaseOutcome, PoolSpec
from pools.leases.scripts import prefix_of
from pools.leases.store import Leases
from pools.models import Agent, Pool
from pools.runtime.memory import MemoryRuntime
from pools.services import agents as rows
from pools.services import pools as services
from teams.domain.roles import Role
from teams.facade.contracts import TeamContext
from teams.models import Team
from tests.factories.pools import make_pool, make_team
from tests.fakes.deployed import Person
from tests.fakes.pools import invocation, served, site, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def team() -> Team:
    return make_team()


@pytest.fixture
def operator(team: Team) -> Person:
    return Person(team, Role.OPERATOR)


def test_a_pools_life(operator: Person) -> None:
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
    for verb, body, shown in (
        ("warm", {"size": 4}, {"target_size": 4}),
        ("drain", {"within": 60}, {"drained": True}),
        ("resume", None, {"drained": False}),
        ("recycle", None, {}),
    ):
        status, answer = operator("POST", f"pools/mine/{verb}/", body)
        assert (status, {name: answer[name] for name in shown}) == (200, shown)
    assert operator("POST", "pools/mine/drain/", {"within": -1})[0] == 400
    assert operator("POST", "pools/mine/warm/", {"size": "all"})[0] == 400
    assert operator("DELETE", "pools/mine/")[0] == 204
    assert operator("GET", "pools/mine/")[0] == 404
    assert operator("POST", "pools/", {"name": "mine"})[0] == 201, "its name is free again"


def test_presets_and_shares(operator: Person, team: Team) -> None:
    other = make_team()
    body = {"name": "shared", "preset": "aggressive", "max_uses": 7, "shares": [{"team": other.slug}]}
    status, made = operator("POST", "pools/", body)
    assert (status, made["idle_timeout"], made["max_age"], made["max_uses"]) == (201, 60.0, 3600.0, 7)
    assert made["preset"] is None, "one value is another"
    assert made["shares"] == [{"team": other.slug, "weight": 1.0}]
    _, changed = operator("PATCH", "pools/shared/", {"preset": "performance"})
    assert (changed["preset"], changed["max_uses"], changed["error_threshold"]) == ("performance", 500, 10)
    theirs = Person(other, Role.OPERATOR)
    assert [pool["name"] for pool in theirs("GET", "pools/")[1]["results"]] == ["shared"]
    assert theirs("PATCH", "pools/shared/", {"max_uses": 1})[0] == 404, "it is not theirs to change"
    assert theirs("DELETE", "pools/shared/")[0] == 404
    operator("PATCH", "pools/shared/", {"env": {"KEY": "ours"}})
    seen = theirs("GET", "pools/shared/")[1]
    assert (seen["team"], seen["env"], seen["secrets"], seen["shares"]) == (team.slug, {}, [], [])
    assert operator("GET", "pools/shared/")[1]["env"] == {"KEY": "ours"}
    assert operator("PATCH", "pools/shared/", {"shares": []})[1]["shares"] == []
    assert theirs("GET", "pools/shared/")[0] == 404


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "ok", "min_size": 5, "max_size": 2}, "min_size"),
        ({"name": "ok", "max_size": 0}, "max_size"),
        ({"name": "ok", "max_size": 10**6}, "max_size"),
        ({"name": "ok", "min_size": 10**20}, "min_size"),
        ({"name": "ok", "max_uses": 0}, "max_uses"),
        ({"name": "ok", "max_uses": 10**20}, "max_uses"),
        ({"name": "ok", "idle_timeout": 1e300}, "idle_timeout"),
        ({"name": "ok", "idle_timeout": "nan"}, "idle_timeout"),
        ({"name": "ok", "image": "i" * 256}, "image"),
        ({"name": "GPU.v2"}, "name"),
        ({"name": "a" * 64}, "name"),
        ({"name": "ok", "idle_timeout": -1}, "idle_timeout"),
        ({"name": "ok", "min_size": "many"}, "min_size"),
        ({"name": "ok", "colour": "red"}, "colour"),
        ({"name": "ok", "concurrency": 0}, "concurrency"),
        ({"name": "ok", "max_age": "nan"}, "max_age"),
        ({"name": "ok", "memory_threshold": 1.5}, "memory_threshold"),
        ({"name": "ok", "error_threshold": -1}, "error_threshold"),
        ({"name": "ok", "health_check_interval": 0}, "health_check_interval"),
        ({"name": "ok", "graceful_shutdown": 1e9}, "graceful_shutdown"),
        ({"name": "ok", "assignment": "random"}, "assignment"),
        ({"name": "ok", "scale_down_order": "random"}, "scale_down_order"),
        ({"name": "ok", "cpu": 0}, "cpu"),
        ({"name": "ok", "memory": 10**20}, "memory"),
        ({"name": "ok", "pids": 1}, "pids"),
        ({"name": "ok", "env": {"1A": "x"}}, "env"),
        ({"name": "ok", "env": {"AGENTAINER_TOKEN": "x"}}, "env"),
        ({"name": "ok", "secrets": ["1A"]}, "secrets"),
        ({"name": "ok", "secrets": ["A"], "env": {"A": "x"}}, "secrets"),
        ({"name": "ok", "network": "open"}, "network"),
        ({"name": "ok", "isolation": "none"}, "isolation"),
        ({"name": "ok", "preset": "fast"}, "preset"),
        ({"name": "ok", "weight": 0}, "weight"),
        ({"name": "ok", "price": -1}, "price"),
        ({"name": "ok", "price": "nan"}, "price"),
        ({"name": "ok", "shares": [{"team": "nobody"}]}, "shares.nobody"),
        ({"name": "ok", "max_sise": 5}, "max_sise"),
        ({}, "name"),
    ],
)
def test_bad_settings_are_named(operator: Person, body: dict[str, Any], path: str) -> None:
    status, problem = operator("POST", "pools/", body)
    assert status == 400
    assert path in {fault["path"] for fault in problem["errors"]}
    assert not Pool.objects.exists()


def test_what_the_runtime_cannot_give_is_refused_at_once(operator: Person, settings: LazySettings) -> None:
    """Not when an agent is made, nor to who changes something else of a pool that has it already."""
    needs = {"requirements": ["six==1.17.0"]}
    assert operator("POST", "pools/", {"name": "old", **needs})[0] == 201
    settings.AFLOW_RUNTIME = "process"
    for method, path, body in (("POST", "pools/", {"name": "new", **needs}), ("PATCH", "pools/old/", needs)):
        status, problem = operator(method, path, body)
        assert (status, problem["errors"][0]["path"]) == (400, "requirements")
        assert "use a runtime with containers" in problem["errors"][0]["message"]
    assert operator("PATCH", "pools/old/", {"max_uses": 5})[0] == 200
    assert operator("PATCH", "pools/old/", {"requirements": []})[0] == 200


@pytest.mark.parametrize("runtime", ["docker", "swarm", "process"])
def test_every_runtime_gives_a_way_out(operator: Person, settings: LazySettings, runtime: str) -> None:
    settings.AFLOW_RUNTIME = runtime
    assert operator("POST", "pools/", {"name": "out", "network": "egress"})[0] == 201


@pytest.mark.parametrize(
    "settings_", [{"max_uses": 10**20}, {"min_size": 10**20}, {"max_size": 10**20}, {"idle_timeout": 1e300}]
)
def test_limits_hold_for_every_way_in(team: Team, operator: Person, settings_: dict[str, Any]) -> None:
    """Over HTTP, and through the facade, as a workflow document comes."""
    (setting,) = settings_
    pools.create_pool(team.pk, PoolSpec("mine"))
    status, problem = operator("PATCH", "pools/mine/", settings_)
    assert (status, [fault["path"] for fault in problem["errors"]]) == (400, [setting])
    for change in (
        lambda: pools.ensure_pool(team.pk, PoolSpec("flow-step", **settings_), workflow="flow"),
        lambda: pools.update_pool(team.pk, "mine", settings_),
    ):
        with pytest.raises(InvalidInput) as refused:
            change()
        assert setting in {fault.path for fault in refused.value.faults}


def test_a_bad_name_is_told_what_is_allowed(operator: Person) -> None:
    _, problem = operator("POST", "pools/", {"name": "GPU.v2"})
    assert "1 to 63 lower-case letters, digits, - and _" in problem["errors"][0]["message"]


def test_a_pool_named_by_an_older_rule_goes_on(team: Team, operator: Person) -> None:
    make_pool(team, name="GPU.v2")
    assert operator("PATCH", "pools/GPU.v2/", {"max_uses": 5})[1]["max_uses"] == 5
    assert operator("DELETE", "pools/GPU.v2/")[0] == 204


def test_a_steps_own_pool_may_have_a_long_name(team: Team) -> None:
    name = "f" * 63 + "-" + "s" * 62 + "_"
    assert pools.ensure_pool(team.pk, PoolSpec(name), workflow="f" * 63).name == name


def test_a_taken_name(operator: Person) -> None:
    operator("POST", "pools/", {"name": "mine"})
    assert operator("POST", "pools/", {"name": "mine"})[0] == 409


def test_roles_and_teams(team: Team, operator: Person) -> None:
    operator("POST", "pools/", {"name": "mine"})
    viewer, stranger = Person(team, Role.VIEWER), Person(make_team(), Role.ADMIN)
    assert viewer("GET", "pools/mine/")[0] == 200
    for method, path in (("POST", "pools/"), ("PATCH", "pools/mine/"), ("DELETE", "pools/mine/")):
        assert viewer(method, path, {"name": "x"})[0] == 403
    assert viewer("POST", "pools/mine/resize/", {"min_size": 1, "max_size": 1})[0] == 403
    assert stranger("GET", "pools/mine/")[0] == 404
    assert stranger("GET", "pools/")[1]["results"] == []


def test_agents(team: Team, operator: Person) -> None:
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
    assert Person(make_team(), Role.ADMIN)("GET", f"agents/{gone.pk}/")[0] == 404


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
    assert pools.ensure_shared_pool(team.pk, AgentKind()).max_size == 3
    other = pools.ensure_shared_pool(team.pk, AgentKind("registry/some image:1"))
    assert other.name.startswith("image-registry-some-image-1-")
    assert not other.warm_up


def test_images_that_look_alike_have_pools_of_their_own(team: Team) -> None:
    for _ in range(2):
        shared = [
            pools.ensure_shared_pool(team.pk, AgentKind(image))
            for image in ("acme/x:1", "acme-x-1", "acme-x:1")
        ]
        assert [pool.image for pool in shared] == ["acme/x:1", "acme-x-1", "acme-x:1"]
        assert len({pool.id for pool in shared}) == 3


def test_targets_stay_within_limits(team: Team) -> None:
    pool = pools.ensure_pool(team.pk, PoolSpec("p", min_size=1, max_size=4))
    assert [pools.set_target(pool.id, size) for size in (0, 3, 99)] == [1, 3, 4]
    (load,) = pools.load()
    assert (load.target_size, load.idle, load.waiting) == (4, 0, 0)


def test_what_is_written_counts_though_redis_is_away(team: Team) -> None:
    away = Leases(redis.Redis(port=1, retry=Retry(NoBackoff(), 0)), "p")
    pool = services.create(team.pk, PoolSpec("p", min_size=1, max_size=4), away)
    assert services.update(team.pk, "p", {"image": "other"}, away).image == "other"
    assert services.set_target(pool.pk, 3, away) == 3
    away.client.close()


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
    here = site(MemoryRuntime())
    async with here.running(), here.brokering() as broker:
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
    await here.runtime.close()


async def test_the_live_view_of_a_shared_pool() -> None:
    """Told to those who may lease from it, from the moment that they may until they may no more; to nobody
    else, and without what is the owner's alone. Of agents, each team hears of its own pools'."""
    owner, guest, stranger = [await sync_to_async(make_team)() for _ in range(3)]
    make = database_sync_to_async(make_pool)
    pool = await make(owner, name="same", min_size=1, env={"KEY": "of-the-owner"})
    own = await make(guest, name="same", min_size=0)
    change = database_sync_to_async(pools.update_pool)
    here = site(MemoryRuntime())
    async with here.running(), here.brokering() as broker:
        await until(lambda: served(pool.pk, 1))
        sockets = {team.slug: await socket(team) for team in (owner, guest, stranger)}
        for live in sockets.values():
            await next_of(live, "snapshot")
        await change(owner.pk, "same", {"shares": {guest.slug: 2.0}})
        told = await of_pool(sockets[guest.slug], pool)
        assert (told["team"], told["env"], told["shares"]) == (owner.slug, {}, [])
        mine = await of_pool(sockets[owner.slug], pool, lambda shown: bool(shown["shares"]))
        assert mine["env"] == {"KEY": "of-the-owner"}
        assert mine["shares"] == [{"team": guest.slug, "weight": 2.0}]

        lease = await broker.acquire(pool.pk, holder="g", team_id=guest.pk, timeout=10)
        await of_pool(sockets[guest.slug], pool, lambda shown: shown["states"]["active"] == 1)
        await broker.release(lease, LeaseOutcome.OK)
        again = await socket(guest)
        snapshot = await next_of(again, "snapshot")
        shown = {entry["id"]: entry for entry in snapshot["pools"]}
        assert set(shown) == {str(pool.pk), str(own.pk)}
        assert (shown[str(pool.pk)]["env"], snapshot["agents"]) == ({}, [])
        await again.disconnect()

        await change(owner.pk, "same", {"shares": {}})
        gone = await next_of(sockets[guest.slug], "pool.removed")
        assert (gone["id"], gone["name"]) == (str(pool.pk), "same")
        await change(owner.pk, "same", {"max_uses": 7})
        await of_pool(sockets[owner.slug], pool, lambda shown: shown["max_uses"] == 7)
        for slug in (guest.slug, stranger.slug):
            while not await sockets[slug].receive_nothing(timeout=0.5):
                message = await sockets[slug].receive_json_from()
                assert str(pool.pk) not in str(message), message
                assert "of-the-owner" not in str(message)
        for live in sockets.values():
            await live.disconnect()
    await here.runtime.close()


async def of_pool(
    live: WebsocketCommunicator, pool: Pool, wanted: Callable[[dict[str, Any]], bool] = lambda _: True
) -> dict[str, Any]:
    """The next such change of that pool."""
    while True:
        shown: dict[str, Any] = (await next_of(live, "pool.changed"))["pool"]
        if shown["id"] == str(pool.pk) and wanted(shown):
            return shown


def _metrics() -> str:
    registry = CollectorRegistry()
    registry.register(pools.metrics_collector())
    return generate_latest(registry).decode()


def end_agents(pool: Pool, *reasons: str, lived: float = 10.0) -> None:
    """Agents of this pool that lived for so many seconds, as the controller writes them."""
    now = datetime.now(UTC)
    for reason in reasons:
        agent = Agent.objects.create(
            pool=pool,
            team=pool.team,
            pool_name=pool.name,
            nonce="n",
            started_at=now - timedelta(seconds=lived),
        )
        for _ in range(2):  # writers are called twice
            assert rows.move(agent.pk, AgentState.GONE, now=now, reason=EndReason(reason)).accepted


def test_metrics_of_agents_that_ended(team: Team) -> None:
    end_agents(make_pool(team, name="ended"), "max_uses", "max_uses", "idle_timeout")
    text = _metrics()
    assert 'agentainer_pool_agent_terminations_total{pool="ended",reason="max_uses"} 2.0' in text
    assert 'agentainer_pool_agent_terminations_total{pool="ended",reason="idle_timeout"} 1.0' in text
    assert 'agentainer_pool_agent_lifetime_seconds_count{pool="ended"} 3.0' in text
    assert 'agentainer_pool_agent_lifetime_seconds_sum{pool="ended"} 30.0' in text
    assert 'agentainer_pool_agent_lifetime_seconds{pool="ended",quantile="0.5"} 10.0' in text


def test_counters_of_ended_agents_never_fall(team: Team) -> None:
    """Neither when the rows are pruned, nor when a day is over, nor with the pool."""
    pool = make_pool(team, name="ended")
    end_agents(pool, "max_uses", "errors")
    Agent.objects.update(ended_at=datetime.now(UTC) - timedelta(days=2))
    assert 'agentainer_pool_agent_lifetime_seconds_count{pool="ended"} 2.0' in _metrics()
    assert rows.prune(datetime.now(UTC)) == 2
    pool.delete()
    text = _metrics()
    assert 'agentainer_pool_agent_terminations_total{pool="ended",reason="max_uses"} 1.0' in text
    assert 'agentainer_pool_agent_lifetime_seconds_sum{pool="ended"} 20.0' in text
    end_agents(make_pool(team, name="ended"), "max_uses")
    assert 'agentainer_pool_agent_terminations_total{pool="ended",reason="max_uses"} 2.0' in _metrics()


def test_every_family_names_a_pool_in_the_same_way(team: Team) -> None:
    """By its name alone; by the team's too where two teams have, or had, a pool of that name."""
    other = make_team()
    leases = Leases(redis.Redis.from_url(settings.REDIS_URL), prefix_of(settings.AFLOW_INSTANCE))
    for owner, name in ((team, "python"), (team, "only"), (other, "python"), (other, "gone")):
        pool = make_pool(owner, name=name)
        end_agents(pool, "max_uses")
        leases.client.hincrby(leases.keys.pool(pool.pk, "health_failures"), "timeout", 1)
        leases.client.incrby(leases.keys.pool(pool.pk, "health_checks"), 7)
    Pool.objects.filter(name="gone").update(deleted_at=datetime.now(UTC))
    leases.client.close()
    labels: dict[str, set[str]] = {}
    for family in pools.metrics_collector().collect():
        for sample in family.samples:
            if "pool" in sample.labels:
                labels.setdefault(family.name, set()).add(sample.labels["pool"])
    live = {f"{team.slug}/python", f"{other.slug}/python", "only"}
    ever = {"agentainer_pool_agent_terminations", "agentainer_pool_agent_lifetime_seconds"}
    assert labels.keys() > ever
    for family_name, found in labels.items():
        assert found == (live | {"gone"} if family_name in ever else live), family_name


async def test_a_quiet_socket_stays_open() -> None:
    """Longer than one reading of the stream, and than the Redis library's own time-out."""
    team = await sync_to_async(make_team)()
    live = await socket(team)
    await next_of(live, "snapshot")
    assert await live.receive_nothing(timeout=5.6)
    await live.disconnect()


async def test_a_socket_without_a_team_is_closed() -> None:
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), "/ws/pools/")
    communicator.scope["team"] = None
    await communicator.connect()
    closed = await communicator.receive_output(timeout=5)
    assert (closed["type"], closed["code"]) == ("websocket.close", 4401)
