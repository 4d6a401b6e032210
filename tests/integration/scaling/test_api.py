"""Policies and decisions over HTTP, live, and in the metrics."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client

from aflow_site.asgi import application
from pools.facade import api as pools
from pools.facade.contracts import PoolLoad
from pools.models import Pool, PoolUse
from pools.services.lease_rules import rules_of
from scaling.domain.decisions import Signals
from scaling.domain.policies import Policy
from scaling.domain.scaler import decide
from scaling.models import ScalingDecision, ScalingPolicy
from scaling.services import decisions
from scaling.services.policies import all_policies, effective, for_load, set_for_workflow
from teams.domain.roles import Role
from tests.factories.pools import make_pool, make_team
from tests.fakes.deployed import Person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def load_of(pool: Pool, **values: Any) -> PoolLoad:
    """What the pools' facade tells of it."""
    pools.lease_store().put_pool(pool.pk, rules_of(pool))
    (found,) = [load for load in pools.load() if load.pool_id == pool.pk]
    return replace(found, **values)


def make_decision(pool: Pool, target: int = 5, **signals: Any) -> decisions.Made:
    policy = Policy(max=50)
    seen = Signals(
        **{"at": 1.8e9, "target": target, "ready": 5, "starting": 0, "leased": 9, "waiting": 0, **signals}
    )
    return decisions.Made(load_of(pool), policy, seen, decide(seen, policy))


def test_a_policys_life() -> None:
    team = make_team()
    pool = make_pool(team, min_size=1, max_size=20)
    operator = Person(team)
    status, made = operator("POST", "policies/", {"pool": pool.name, "preset": "aggressive", "cooldown": 30})
    assert (status, made["preset"], made["values"]) == (201, "aggressive", {"cooldown": 30.0})
    counts = effective(for_load(all_policies(), load_of(pool)), load_of(pool))
    assert (counts.target_utilization, counts.cooldown, counts.max) == (0.6, 30, 20)
    address = f"policies/{made['id']}/"
    status, changed = operator("PATCH", address, {"cooldown": None, "max": 12, "mode": "shadow"})
    assert (status, changed["values"], changed["mode"]) == (200, {"max": 12}, "shadow")
    assert operator("POST", "policies/", {"pool": pool.name})[0] == 409
    assert operator("GET", f"policies/?pool={pool.name}")[1]["results"] == [changed]
    assert operator("DELETE", address)[0] == 204
    assert operator("GET", address)[0] == 404
    actions = [entry["action"] for entry in Person(team, Role.ADMIN)("GET", "audit/")[1]["results"]]
    assert actions[:3] == ["policy.deleted", "policy.changed", "policy.created"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "pool"),
        ({"pool": "p", "workflow": "w"}, "pool"),
        ({"workflow": "w", "min": 9, "max": 3}, "max"),
        ({"workflow": "w", "target_utilization": 1.5}, "target_utilization"),
        ({"workflow": "w", "scale_up_threshold": 0.2, "scale_down_threshold": 0.6}, "scale_down_threshold"),
        ({"workflow": "w", "metrics": ["cpu"]}, "metrics[0]"),
        ({"workflow": "w", "preset": "wild"}, "preset"),
        ({"workflow": "w", "cooldown": "soon"}, "cooldown"),
        ({"workflow": "w", "down_window": 1e300}, "down_window"),
        ({"workflow": "w", "cool_down": 3}, "cool_down"),
        ({"workflow": "w", "prediction": "maybe"}, "prediction"),
        ({"workflow": "w", "prediction": 7}, "prediction"),
        ({"workflow": "w", "prediction": []}, "prediction"),
        ({"workflow": "w", "predictor": "oracle"}, "predictor"),
    ],
)
def test_bad_policies_are_refused_by_their_field(body: dict[str, Any], path: str) -> None:
    status, problem = Person(make_team())("POST", "policies/", body)
    assert status == 400
    assert path in {fault["path"] for fault in problem["errors"]}
    assert not ScalingPolicy.objects.exists()


def test_who_may_do_what() -> None:
    team = make_team()
    pool = make_pool(team)
    row = ScalingPolicy.objects.create(team=team, pool=pool.name)
    decisions.record([make_decision(pool)])
    decision = ScalingDecision.objects.get()
    assert Client().get("/api/v1/policies/").status_code == 401
    editor, stranger = Person(team, Role.EDITOR), Person(make_team(), Role.ADMIN)
    assert editor("POST", "policies/", {"pool": pool.name})[0] == 403
    assert editor("PATCH", f"policies/{row.pk}/", {"max": 3})[0] == 403
    assert editor("GET", f"decisions/{decision.pk}/")[0] == 200
    assert editor("POST", f"decisions/{decision.pk}/replay/")[0] == 200
    for method, path in (
        ("GET", f"policies/{row.pk}/"),
        ("DELETE", f"policies/{row.pk}/"),
        ("GET", f"decisions/{decision.pk}/"),
        ("POST", f"decisions/{decision.pk}/replay/"),
    ):
        assert stranger(method, path)[0] == 404
    assert stranger("GET", "decisions/")[1]["results"] == []
    assert stranger("POST", "policies/", {"pool": pool.name})[0] == 404


def test_decisions_are_listed_filtered_and_made_again() -> None:
    team = make_team()
    first, second = make_pool(team), make_pool(team, workflow="nightly")
    decisions.record(
        [make_decision(first), make_decision(second, target=50), make_decision(second, waiting=30)]
    )
    person = Person(team)
    found = person("GET", "decisions/")[1]["results"]
    assert [row["pool"] for row in found] == [second.name, second.name, first.name]
    assert [
        row["action"] for row in person("GET", "decisions/?action=scale_up&workflow=nightly")[1]["results"]
    ] == ["scale_up"]
    assert len(person("GET", f"decisions/?pool={first.name}&limit=1")[1]["results"]) == 1
    both = person("GET", "decisions/?action=scale_up,scale_down")[1]["results"]
    assert {row["action"] for row in both} == {row["action"] for row in found} - {"hold"}
    assert person("GET", "decisions/?action=hold,jump")[0] == 400
    for row in found:
        status, again = person("POST", f"decisions/{row['id']}/replay/")
        assert (status, again["same"], again["target_size"]) == (200, True, row["target_size"])
    ScalingDecision.objects.filter(pk=found[0]["id"]).update(target_size=1)
    assert person("POST", f"decisions/{found[0]['id']}/replay/")[1]["same"] is False


def test_decisions_of_a_stretch_of_time() -> None:
    pool = make_pool()
    decisions.record([make_decision(pool, at=1.8e9 + offset) for offset in (0, 60, 120)])
    person = Person(pool.team)
    start = datetime.fromtimestamp(1.8e9 + 60, UTC)
    found = person("GET", f"decisions/?from={start:%Y-%m-%dT%H:%M:%SZ}")[1]["results"]
    assert [row["signals"]["at"] for row in found] == [1.8e9 + 120, 1.8e9 + 60]
    found = person("GET", f"decisions/?to={start:%Y-%m-%dT%H:%M:%SZ}")[1]["results"]
    assert [row["signals"]["at"] for row in found] == [1.8e9]
    assert person("GET", "decisions/?from=yesterday")[0] == 400


def test_what_counts_for_each_pool_is_told() -> None:
    team = make_team()
    plain = make_pool(team, name="a-plain", min_size=1, max_size=4)
    cold = make_pool(team, name="b-cold", warm_up=False)
    made = make_pool(team, name="c-made", workflow="nightly")
    own = make_pool(team, name="d-own", max_size=20)
    make_pool(make_team(), name="e-theirs")
    person = Person(team)
    set_for_workflow(team.pk, "nightly", {"preset": "conservative"})
    person("POST", "policies/", {"pool": own.name, "mode": "shadow", "max": 9})
    status, told = person("GET", "policies/in-force/")
    assert status == 200
    found = {one["pool"]: one for one in told["results"]}
    assert list(found) == [plain.name, cold.name, made.name, own.name]
    assert (found[plain.name]["policy"], found[plain.name]["steered"]) == (None, True)
    assert (found[plain.name]["values"]["min"], found[plain.name]["values"]["max"]) == (1, 4)
    assert (found[cold.name]["policy"], found[cold.name]["steered"]) == (None, False)
    assert found[made.name]["policy"]["workflow"] == "nightly"
    assert found[made.name]["values"]["target_utilization"] == 0.8
    assert (found[own.name]["mode"], found[own.name]["values"]["max"]) == ("shadow", 9)


def test_presets_are_told() -> None:
    status, told = Person(make_team(), Role.VIEWER)("GET", "policies/presets/")
    assert status == 200
    values = {one["name"]: one["values"] for one in told["results"]}
    assert list(values) == ["aggressive", "balanced", "conservative", "reactive"]
    assert values["balanced"] == {
        **values["balanced"],
        "target_utilization": 0.7,
        "down_window": 60.0,
        "min": None,
    }


def test_the_pools_own_policy_goes_before_its_workflows() -> None:
    team = make_team()
    pool = make_pool(team, workflow="nightly", max_size=20)
    set_for_workflow(team.pk, "nightly", {"preset": "conservative", "max": 7})
    load = load_of(pool)
    assert effective(for_load(all_policies(), load), load).max == 7
    ScalingPolicy.objects.create(team=team, pool=pool.name, preset="aggressive")
    assert effective(for_load(all_policies(), load), load).max == 20
    set_for_workflow(team.pk, "nightly", None)
    assert ScalingPolicy.objects.count() == 1


def test_old_decisions_are_forgotten() -> None:
    pool = make_pool()
    decisions.record([make_decision(pool), make_decision(pool)])
    now = datetime.now(UTC)
    ScalingDecision.objects.update(at=now)
    ScalingDecision.objects.filter(pk=ScalingDecision.objects.earliest("pk").pk).update(
        at=now - timedelta(days=31)
    )
    decisions.forget(now)
    assert ScalingDecision.objects.count() == 1


def test_metrics_are_true() -> None:
    """Held against what was counted here."""
    team = make_team()
    own, shared = make_pool(team, workflow="nightly", target_size=3), make_pool(team, target_size=2)
    PoolUse.objects.create(team=team, pool=shared.name, workflow="nightly")
    PoolUse.objects.create(team=team, pool=shared.name, workflow="other")
    load_of(own), load_of(shared)
    made = [make_decision(own).decision, make_decision(own).decision, make_decision(own, target=50).decision]
    decisions.count(made)
    text = Client().get("/metrics").content.decode()
    for action in {one.action for one in made}:
        number = sum(one.action == action for one in made)
        assert f'agentainer_scaling_decisions_total{{action="{action}",reason="' in text
        assert any(
            line.startswith(f'agentainer_scaling_decisions_total{{action="{action}"')
            and line.endswith(f" {number}.0")
            for line in text.splitlines()
        )
    assert 'agentainer_scaling_target_size{workflow="nightly"} 5.0' in text
    assert 'agentainer_scaling_target_size{workflow="other"} 2.0' in text
    assert 'agentainer_scaling_current_size{workflow="nightly"} 0.0' in text


async def test_decisions_come_live_to_their_team_alone() -> None:
    prepare = database_sync_to_async(lambda: (make_pool(), make_pool()))
    mine, theirs = await prepare()
    token = (await database_sync_to_async(Person)(mine.team)).token
    record = database_sync_to_async(lambda pool: decisions.record([make_decision(pool)]))
    await record(mine)
    await record(theirs)
    socket = WebsocketCommunicator(
        application, f"/ws/scaling/?token={token}", headers=[(b"host", b"localhost")]
    )
    assert (await socket.connect())[0]
    snapshot = await socket.receive_json_from(60)
    assert (snapshot["type"], len(snapshot["decisions"])) == ("snapshot", 1)
    await record(theirs)
    await record(mine)
    change = await socket.receive_json_from(60)
    assert (change["type"], change["decision"]["pool"]) == ("decision", mine.name)
    await socket.disconnect()
    again = WebsocketCommunicator(
        application, f"/ws/scaling/?token={token}&seq={snapshot['seq']}", headers=[(b"host", b"localhost")]
    )
    await again.connect()
    assert (await again.receive_json_from(60))["seq"] == change["seq"]
    await again.disconnect()


@pytest.mark.parametrize(("query", "code"), [("", 4401), ("seq=x", 4400)])
async def test_sockets_that_are_refused_say_why(query: str, code: int) -> None:
    if query:
        token = await database_sync_to_async(lambda: Person(make_team()).token)()
        query += f"&token={token}"
    socket = WebsocketCommunicator(application, f"/ws/scaling/?{query}", headers=[(b"host", b"localhost")])
    await socket.connect()
    assert await socket.receive_output(60) == {"type": "websocket.close", "code": code}


DOCUMENT: dict[str, Any] = {
    "name": "nightly",
    "steps": [
        {
            "id": "m",
            "type": "map",
            "over": [1, 2],
            "run": {"code": "def main(item):\n    return item\n"},
            "pool": {"warm_up": True},
        }
    ],
    "scaling": {"enabled": True, "min": 2, "max": 40, "metrics": ["queue_depth"], "policy": "aggressive"},
}


def saved(person: Person, scaling: dict[str, Any] | None) -> tuple[int, Any]:
    document = {name: value for name, value in DOCUMENT.items() if name != "scaling"}
    if scaling is not None:
        document["scaling"] = scaling
    return person("PUT", "workflows/nightly/", document, headers={"If-Match": "*"})


def test_a_document_says_how_its_workflows_pools_are_scaled() -> None:
    person = Person(make_team(), Role.EDITOR)
    assert person("POST", "workflows/", DOCUMENT)[0] == 201
    pool = Pool.objects.get(team=person.team, name="nightly-m")
    assert (pool.min_size, pool.max_size) == (2, 40)
    load = load_of(pool)
    counts = effective(for_load(all_policies(), load), load)
    assert (counts.target_utilization, counts.metrics, counts.max) == (0.6, ("queue_depth",), 40)
    assert saved(person, {"enabled": False})[0] == 200
    assert ScalingPolicy.objects.get().mode == "off"
    assert saved(person, None)[0] == 200
    assert not ScalingPolicy.objects.exists()
    assert saved(person, DOCUMENT["scaling"])[0] == 200
    assert person("DELETE", "workflows/nightly/")[0] == 204
    assert not ScalingPolicy.objects.exists()


@pytest.mark.parametrize(
    ("scaling", "path"),
    [
        ({"min": 9, "max": 3}, "scaling.max"),
        ({"policy": "wild"}, "scaling.policy"),
        ({"metrics": ["cpu"]}, "scaling.metrics[0]"),
        ({"scale_up_threshold": 0.2}, "scaling.scale_down_threshold"),
        ({"speed": 3}, "scaling.speed"),
        ({"prediction": "maybe"}, "scaling.prediction"),
        ({"predictor": "oracle"}, "scaling.predictor"),
    ],
)
def test_bad_scaling_is_refused_at_its_place(scaling: dict[str, Any], path: str) -> None:
    person = Person(make_team(), Role.EDITOR)
    status, problem = person("POST", "workflows/", {**DOCUMENT, "scaling": scaling})
    assert status == 400
    assert path in {fault["path"] for fault in problem["errors"]}


@pytest.mark.parametrize(("said", "on"), [("on", True), (True, True), ("off", False), (False, False)])
def test_prediction_is_said_in_words_or_as_yaml_reads_them(said: Any, on: bool) -> None:
    person = Person(make_team())
    pool = make_pool(person.team)
    body = {"pool": pool.name, "prediction": said, "predictor": "ml-based"}
    status, made = person("POST", "policies/", body)
    assert (status, made["values"]) == (201, {"prediction": "on" if on else "off", "predictor": "ml-based"})
    counts = effective(for_load(all_policies(), load_of(pool)), load_of(pool))
    assert (counts.prediction, counts.predictor) == (on, "ml-based")
    scaling = {"prediction": said, "predictor": "ml-based"}
    assert person("POST", "workflows/", {**DOCUMENT, "scaling": scaling})[0] == 201
    row = ScalingPolicy.objects.get(workflow="nightly")
    assert row.values == made["values"]
    status, changed = person("PATCH", f"policies/{made['id']}/", {"prediction": None, "predictor": None})
    assert (status, changed["values"]) == (200, {})


def test_shared_pools_follow_the_most_generous_of_those_who_count_on_them() -> None:
    team = make_team()
    pool = make_pool(team)
    for workflow, preset in (("a", "conservative"), ("b", "aggressive"), ("c", None)):
        PoolUse.objects.create(team=team, pool=pool.name, workflow=workflow)
        if preset:
            set_for_workflow(team.pk, workflow, {"preset": preset})
    row = for_load(all_policies(), load_of(pool))
    assert row is not None
    assert row.workflow == "b"
