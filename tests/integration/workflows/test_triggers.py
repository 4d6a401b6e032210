"""Triggers over HTTP: what they look like, who may change them, and what is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from teams.facade.contracts import Role
from teams.models import AuditEntry
from tests.factories.members import Api, assert_problem, member
from tests.factories.workflows import make_workflow
from workflows.models import Firing, Run, Trigger, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

NIGHTLY = {
    "workflow": "w",
    "name": "nightly",
    "kind": "schedule",
    "config": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
    "params": {"n": 1},
}
HOOK = {"workflow": "w", "name": "hook", "kind": "webhook"}
AFTER = {
    "workflow": "w",
    "name": "after",
    "kind": "event",
    "config": {"workflow": "v", "states": ["completed"], "map": {"x": "${run.output}"}},
}


@pytest.fixture
def api() -> Api:
    api = member(Role.EDITOR)
    make_workflow(api.team, "w")
    make_workflow(api.team, "v")
    return api


def create(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    answer = api("POST", "triggers/", body)
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def test_a_schedule(api: Api) -> None:
    made = create(api, NIGHTLY)
    assert (made["workflow"], made["kind"], made["enabled"], made["params"]) == (
        "w",
        "schedule",
        True,
        {"n": 1},
    )
    assert "secret" not in made
    assert (made["hook"], made["last_firing"], made["created_by"]) == (None, None, api.name)
    assert datetime.fromisoformat(made["due_at"]) > timezone.now()
    assert api("GET", f"triggers/{made['id']}/").json() == made
    upcoming = api("GET", f"triggers/{made['id']}/upcoming/").json()["results"]
    assert len(upcoming) == 10
    assert datetime.fromisoformat(upcoming[0]) == datetime.fromisoformat(made["due_at"])
    assert {moment[11:16] for moment in upcoming} <= {"02:30", "03:00"}
    assert len(api("GET", f"triggers/{made['id']}/upcoming/?count=3").json()["results"]) == 3
    assert_problem(api("GET", f"triggers/{made['id']}/upcoming/?count=1000"), 400, "invalid")


def test_a_list_with_filters(api: Api) -> None:
    for body in (NIGHTLY, {**HOOK, "enabled": False}, AFTER, {**HOOK, "workflow": "v"}):
        create(api, body)
    for query, names in {
        "": ["hook", "after", "hook", "nightly"],
        "workflow=v": ["hook"],
        "kind=event": ["after"],
        "enabled=false": ["hook"],
        "kind=webhook&enabled=true&workflow=w": [],
    }.items():
        found = api("GET", f"triggers/?{query}").json()["results"]
        assert [trigger["name"] for trigger in found] == names, query
        assert not any("secret" in trigger for trigger in found)
    assert_problem(api("GET", "triggers/?kind=other"), 400, "invalid")


def test_a_secret_is_shown_once(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    made = create(api, HOOK)
    secret, path = made["secret"], f"triggers/{made['id']}/"
    assert len(secret) > 40
    assert made["hook"] == f"/api/v1/hooks/{made['id']}/"
    rotated = api("POST", f"{path}rotate-secret/").json()
    assert rotated["secret"] != secret
    shown = [api("GET", path), api("GET", "triggers/"), api("PATCH", path, {"enabled": False})]
    told = str([answer.content for answer in shown]) + caplog.text + str(AuditEntry.objects.values())
    assert secret not in told
    assert rotated["secret"] not in told
    schedule = create(api, NIGHTLY)
    assert_problem(api("POST", f"triggers/{schedule['id']}/rotate-secret/"), 409, "wrong_kind")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({**NIGHTLY, "config": {"cron": "0 0 30 2 *"}}, "config.cron"),
        ({**NIGHTLY, "config": {"cron": "* * * * *", "timezone": "Mars/Base"}}, "config.timezone"),
        ({**NIGHTLY, "config": None}, "config"),
        ({**NIGHTLY, "config": "x"}, "config"),
        ({**NIGHTLY, "params": [1]}, "params"),
        ({**AFTER, "config": {"workflow": "vv", "states": ["completed"]}}, "config.workflow"),
        ({**HOOK, "config": {"map": {"x": "${body.(}"}}}, "config.map.x"),
    ],
)
def test_faults_of_the_settings(api: Api, body: dict[str, Any], path: str) -> None:
    answer = api("POST", "triggers/", body)
    assert answer.status_code == 400, answer.content
    assert [error["path"] for error in answer.json()["errors"]] == [path]
    assert not Trigger.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "schedule"},
        {**NIGHTLY, "kind": "cron"},
        {**NIGHTLY, "name": "Not A Name"},
        {**NIGHTLY, "name": ""},
        {**NIGHTLY, "secret": "mine"},
        {**NIGHTLY, "enabled": "maybe"},
        [],
    ],
)
def test_bodies_that_are_no_triggers(api: Api, body: Any) -> None:
    assert_problem(api("POST", "triggers/", body), 400, "invalid")


def test_a_schedule_s_params_have_to_fit(api: Api) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    make_workflow(api.team, "strict", params=schema)
    body = {**NIGHTLY, "workflow": "strict", "params": {"n": "many"}}
    assert assert_problem(api("POST", "triggers/", body), 400, "invalid_trigger")["errors"][0]["path"] == (
        "params.n"
    )
    made = create(api, {**body, "params": {"n": 1}})
    changed = api("PATCH", f"triggers/{made['id']}/", {"params": {}})
    assert_problem(changed, 400, "invalid_trigger")
    # The payload brings the rest of a webhook's.
    assert create(api, {**HOOK, "workflow": "strict"})


def test_names_are_taken_once_per_workflow(api: Api) -> None:
    create(api, NIGHTLY)
    assert_problem(api("POST", "triggers/", NIGHTLY), 409, "conflict")
    other = create(api, {**NIGHTLY, "workflow": "v"})
    second = create(api, {**NIGHTLY, "name": "other"})
    assert_problem(api("PATCH", f"triggers/{second['id']}/", {"name": "nightly"}), 409, "conflict")
    assert api("PATCH", f"triggers/{other['id']}/", {"name": "renamed"}).json()["name"] == "renamed"


def test_changing(api: Api) -> None:
    made = create(api, NIGHTLY)
    path = f"triggers/{made['id']}/"
    off = api("PATCH", path, {"enabled": False}).json()
    assert (off["enabled"], off["due_at"]) == (False, None)
    on = api("PATCH", path, {"enabled": True, "config": {"cron": "0 0 1 1 *"}}).json()
    assert on["due_at"].endswith("-01-01T00:00:00Z")
    assert_problem(api("PATCH", path, {"config": {"cron": "x"}}), 400, "invalid_trigger")
    assert_problem(api("PATCH", path, {"kind": "event"}), 400, "invalid")
    assert api("PATCH", path, {}).json()["config"] == {"cron": "0 0 1 1 *"}
    assert api("DELETE", path).status_code == 204
    assert_problem(api("GET", path), 404, "not_found")
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["trigger.created", "trigger.changed", "trigger.changed", "trigger.deleted"]


def test_firing_by_hand(api: Api) -> None:
    made = create(api, {**NIGHTLY, "enabled": False})
    path = f"triggers/{made['id']}/"
    first = api("POST", f"{path}fire/")
    assert (first.status_code, first.json()["outcome"]) == (201, "started")
    api("POST", f"{path}fire/", {"params": {"n": 2}})
    runs = list(Run.objects.order_by("created_at"))
    assert [run.params for run in runs] == [{"n": 1}, {"n": 2}]
    assert {(run.created_by, str(run.trigger_id)) for run in runs} == {(api.name, made["id"])}
    firings = api("GET", f"{path}firings/").json()["results"]
    assert [firing["run"]["id"] for firing in firings] == [str(run.pk) for run in reversed(runs)]
    assert api("GET", path).json()["last_firing"]["id"] == firings[0]["id"]
    assert api("GET", f"{path}firings/?outcome=failed").json()["results"] == []
    assert_problem(api("POST", f"{path}fire/", {"params": [1]}), 400, "invalid_params")
    assert Firing.objects.count() == 2


def test_upcoming_is_for_schedules(api: Api) -> None:
    made = create(api, HOOK)
    assert_problem(api("GET", f"triggers/{made['id']}/upcoming/"), 409, "wrong_kind")


def test_triggers_go_with_their_workflow(api: Api) -> None:
    made = create(api, NIGHTLY)
    api("DELETE", "workflows/w/")
    assert api("GET", "triggers/").json()["results"] == []
    assert_problem(api("GET", f"triggers/{made['id']}/"), 404, "not_found")
    trigger = Trigger.objects.get()
    assert (trigger.enabled, trigger.due_at) == (False, None)
    assert_problem(api("POST", "triggers/", NIGHTLY), 404, "not_found")


def test_who_may(api: Api) -> None:
    made = create(api, NIGHTLY)
    path = f"triggers/{made['id']}/"
    viewer = member(Role.VIEWER)
    for place in (path, "triggers/", f"{path}firings/", f"{path}upcoming/"):
        assert viewer("GET", place).status_code == 200
    for method, place in [
        ("POST", "triggers/"),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", f"{path}fire/"),
        ("POST", f"{path}rotate-secret/"),
    ]:
        assert_problem(viewer(method, place, {}), 403, "not_allowed")
    stranger = member(Role.ADMIN, "strangers")
    assert stranger("GET", "triggers/").json()["results"] == []
    for method, place in [
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", f"{path}fire/"),
        ("POST", f"{path}rotate-secret/"),
        ("GET", f"{path}firings/"),
        ("GET", f"{path}upcoming/"),
        ("GET", f"triggers/{uuid4()}/"),
    ]:
        assert_problem(stranger(method, place, {} if method != "GET" else None), 404, "not_found")
    assert_problem(stranger("POST", "triggers/", NIGHTLY), 404, "not_found")
    assert Workflow.objects.get(name="w").triggers.count() == 1
