"""Workflows and runs over HTTP: shapes, refusals, who may do what. Nothing executes here."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from teams.facade import api as teams
from teams.facade.contracts import Role
from teams.models import Membership, Team
from tests.factories.members import Api, assert_problem, member
from tests.integration.workflows.harness import intercept_nudges
from workflows.models import Event, Item, LogLine, Run, Step, Workflow

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

DOCUMENT = {
    "name": "hello",
    "description": "Says hello",
    "params": {
        "type": "object",
        "properties": {"name": {"type": "string", "default": "you"}, "times": {"type": "integer"}},
    },
    "steps": [
        {
            "id": "greet",
            "type": "task",
            "run": {"code": "def main(name): return f'Hello {name}'"},
            "input": {"name": "${params.name}"},
        }
    ],
}


@pytest.fixture(autouse=True)
def nudged(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Which runs an executor was told of."""
    told: list[UUID] = []
    intercept_nudges(monkeypatch, told.append)
    return told


@pytest.fixture
def api() -> Api:
    return member(Role.OPERATOR)


# --- definitions -------------------------------------------------------------------------------------


def test_create_read_save_and_versions(api: Api) -> None:
    created = api("POST", "workflows/", DOCUMENT)
    assert created.status_code == 201
    assert created["ETag"] == '"1"'
    assert created.json()["document"] == DOCUMENT
    changed = {**DOCUMENT, "description": "Says more"}
    saved = api("PUT", "workflows/hello/", changed, If_Match='"1"')
    assert (saved.status_code, saved["ETag"], saved.json()["version"]) == (200, '"2"', 2)
    again = api("PUT", "workflows/hello/", changed, If_Match="*")
    assert again.json()["version"] == 2  # nothing changed: no new version
    versions = api("GET", "workflows/hello/versions/").json()["results"]
    assert [version["version"] for version in versions] == [2, 1]
    assert api("GET", "workflows/hello/versions/1/").json()["document"] == DOCUMENT
    listed = api("GET", "workflows/?search=more").json()["results"]
    assert [(row["name"], row["steps"], row["has_params"]) for row in listed] == [("hello", 1, True)]
    assert api("GET", "workflows/?search=nothing").json()["results"] == []


def test_nobody_s_newer_version_is_overwritten(api: Api) -> None:
    api("POST", "workflows/", DOCUMENT)
    api("PUT", "workflows/hello/", {**DOCUMENT, "description": "first"}, If_Match='"1"')
    late = api("PUT", "workflows/hello/", {**DOCUMENT, "description": "second"}, If_Match='"1"')
    assert_problem(late, 412, "precondition_failed")
    assert late["ETag"] == '"2"'
    assert_problem(api("PUT", "workflows/hello/", DOCUMENT), 428, "precondition_required")
    assert api("GET", "workflows/hello/").json()["description"] == "first"


def test_names_are_taken_once_and_free_after_deletion(api: Api) -> None:
    api("POST", "workflows/", DOCUMENT)
    assert_problem(api("POST", "workflows/", DOCUMENT), 409, "conflict")
    assert api("DELETE", "workflows/hello/").status_code == 204
    assert_problem(api("GET", "workflows/hello/"), 404, "not_found")
    assert api("POST", "workflows/", DOCUMENT).status_code == 201


def test_a_document_in_yaml(api: Api) -> None:
    text = b"name: from-yaml\nsteps:\n  - {id: a, type: task, run: {code: 'def main(): return 1'}}\n"
    response = api("POST", "workflows/", text, content_type="application/yaml")
    assert response.status_code == 201
    assert response.json()["document"]["steps"][0]["id"] == "a"
    bad = api("POST", "workflows/", b"name: [", content_type="application/yaml")
    assert "line" in assert_problem(bad, 400, "invalid")["detail"]
    bomb = b"a: &a [x]\nb: [*a, *a]\n"
    assert_problem(api("POST", "workflows/", bomb, content_type="application/yaml"), 400, "invalid")


def test_all_faults_at_once(api: Api) -> None:
    document = {
        "name": "bad",
        "steps": [
            {"id": "a", "type": "task", "needs": ["zz", "c"], "run": {"code": "x = 1"}, "pool": "nowhere"},
            {"id": "b", "type": "task", "run": {}},
            {"id": "c", "type": "task", "needs": ["a"], "run": {"code": "def main(:\n    pass"}},
        ],
    }
    body = assert_problem(api("POST", "workflows/", document), 400, "invalid_document")
    assert {(error["path"], error["step"]) for error in body["errors"]} == {
        ("steps[0].needs[0]", "a"),
        ("steps[0].needs", "a"),  # the loop
        ("steps[0].run.code", "a"),
        ("steps[0].pool", "a"),
        ("steps[1].run", "b"),
        ("steps[2].run.code", "c"),
    }
    checked = api("POST", "workflows/validate/", document).json()
    assert checked == {"valid": False, "errors": body["errors"]}
    assert api("POST", "workflows/validate/", DOCUMENT).json() == {"valid": True, "errors": []}


def test_pools_of_steps(api: Api) -> None:
    def with_pool(pool: Any, **run: str) -> dict[str, Any]:
        code = run or {"code": "def main(): ..."}
        return {"name": "w", "steps": [{"id": "a", "type": "task", "run": code, "pool": pool}]}

    unknown = assert_problem(api("POST", "workflows/", with_pool("nowhere")), 400, "invalid_document")
    assert "python" in unknown["errors"][0]["message"]
    other = assert_problem(
        api("POST", "workflows/", with_pool("python", image="other:1")), 400, "invalid_document"
    )
    assert other["errors"][0]["path"] == "steps[0].pool"
    own = {"size": 3, "max_uses": 9, "idle_timeout": "2m"}
    assert api("POST", "workflows/", with_pool(own)).status_code == 201
    pool = api("GET", "pools/w-a/").json()
    assert (pool["min_size"], pool["max_size"], pool["max_uses"], pool["idle_timeout"]) == (3, 3, 9, 120)


@pytest.mark.parametrize(
    "body",
    [b"{", b"[1, 2", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b'{"a": 1e999999999999}', b"null", b'"x"'],
)
def test_bodies_that_are_no_documents(api: Api, body: bytes) -> None:
    assert 400 <= api("POST", "workflows/", body).status_code < 500


def test_a_body_too_large_is_refused(api: Api, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert_problem(api("POST", "workflows/", b'{"name": "' + b"x" * 2000 + b'"}'), 413, "too_large")


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (b"123456789012345678901234567890", 201),
        (b'"\\ud800"', 400),
        (b'"\\u0000"', 400),
        (b"1e400", 400),
    ],
)
def test_values_that_few_expect(api: Api, value: bytes, status: int) -> None:
    step = (
        b'{"id": "a", "type": "task", "input": {"x": %s}, "run": {"code": "def main(x): return x"}}' % value
    )
    answer = api("POST", "workflows/", b'{"name": "odd", "steps": [%s]}' % step)
    assert answer.status_code == status, answer.content
    if status == 201:
        assert api("GET", "workflows/odd/").json()["document"]["steps"][0]["input"]["x"] == int(value)


@pytest.mark.parametrize("value", ["!!set {a}", "!!binary aGk=", ".nan", "{1: 2}"])
def test_yaml_that_is_no_json(api: Api, value: str) -> None:
    step = f"{{id: a, type: task, input: {{x: {value}}}, run: {{code: 'main = 1'}}}}"
    text = f"name: odd\nsteps: [{step}]\n"
    assert_problem(api("POST", "workflows/", text.encode(), content_type="text/yaml"), 400, "invalid")
    dated = text.replace(value, "2026-01-01")
    saved = api("POST", "workflows/", dated.encode(), content_type="application/x-yaml")
    assert saved.json()["document"]["steps"][0]["input"] == {"x": "2026-01-01"}


def test_a_params_schema_reaches_nowhere(api: Api) -> None:
    def with_params(schema: dict[str, Any]) -> Any:
        return api("POST", "workflows/", {"name": "p", "steps": [], "params": {"type": "object", **schema}})

    for schema in (
        {"$dynamicRef": "http://192.0.2.1/x"},
        {"properties": {"a": {"$ref": "http://192.0.2.1/x"}}},
        {"$ref": "#/nope"},
        {"allOf": [{"$ref": "#"}]},
    ):
        assert_problem(with_params(schema), 400, "invalid_document")


def test_addresses_that_lead_nowhere(api: Api) -> None:
    for path in ("nosuch/", "runs/xyz/", "runs/xyz/events/"):
        assert_problem(api("GET", path), 404, "not_found")
    assert api("GET", "schema/").status_code == 200


def test_the_schema_is_public_json_schema(api: Api) -> None:
    schema = Api(None)("GET", "schemas/workflow.json").json()
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"name", "steps"} <= schema["properties"].keys()


def test_bundles(api: Api) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("flow.py", "def main(): ...")
    first = api("POST", "bundles/", content.getvalue(), content_type="application/zip")
    assert first.status_code == 201
    sha = first.json()["sha256"]
    assert api("POST", "bundles/", content.getvalue(), content_type="application/zip").json()["sha256"] == sha
    assert_problem(api("POST", "bundles/", b"no zip", content_type="application/zip"), 400, "invalid")
    step = {"id": "a", "type": "task", "run": {"handler": "flow:main", "bundle": sha}}
    assert api("POST", "workflows/", {"name": "w", "steps": [step]}).status_code == 201
    step = {"id": "a", "type": "task", "run": {"handler": "flow:main", "bundle": "0" * 64}}
    body = assert_problem(api("POST", "workflows/", {"name": "v", "steps": [step]}), 400, "invalid_document")
    assert body["errors"][0]["path"] == "steps[0].run.bundle"


# --- runs --------------------------------------------------------------------------------------------


def test_starting_a_run(api: Api, nudged: list[UUID]) -> None:
    api("POST", "workflows/", DOCUMENT)
    started = api("POST", "workflows/hello/runs/", {"params": {"times": 2}, "tags": ["a", "b"]})
    assert started.status_code == 201
    run = started.json()
    assert (run["state"], run["workflow"], run["version"]) == ("pending", "hello", 1)
    assert run["params"] == {"times": 2, "name": "you"}
    assert run["tags"] == ["a", "b"]
    assert nudged == [UUID(run["id"])]
    assert api("GET", f"runs/{run['id']}/").json() == run
    assert [
        row["id"] for row in api("GET", "runs/?workflow=hello&state=pending&tag=a").json()["results"]
    ] == [run["id"]]
    for query in ("workflow=other", "state=failed", "tag=c"):
        assert api("GET", f"runs/?{query}").json()["results"] == []
    step = api("GET", f"runs/{run['id']}/steps/").json()["results"][0]
    assert (step["id"], step["type"], step["state"], step["pool"]) == ("greet", "task", "pending", "python")
    assert step["counts"] == {"total": 0, "completed": 0, "failed": 0, "running": 0}
    events = api("GET", f"runs/{run['id']}/events/").json()["results"]
    assert [(event["seq"], event["type"]) for event in events] == [(1, "run.created")]
    assert api("GET", f"runs/{run['id']}/events/?after=1").json()["results"] == []


def test_params_that_do_not_fit(api: Api) -> None:
    api("POST", "workflows/", DOCUMENT)
    bad = api("POST", "workflows/hello/runs/", {"params": {"times": "two", "nmae": "x"}})
    body = assert_problem(bad, 400, "invalid_params")
    assert {error["path"] for error in body["errors"]} == {"params", "params.times"}
    assert_problem(api("POST", "workflows/hello/runs/", {"params": [1]}), 400, "invalid_params")
    unknown = assert_problem(api("POST", "workflows/hello/runs/", {"parms": {}}), 400, "invalid")
    assert unknown["errors"][0]["path"] == "parms"
    assert Run.objects.count() == 0


def test_the_same_request_again_gives_the_same_run(api: Api) -> None:
    api("POST", "workflows/", DOCUMENT)
    first = api("POST", "workflows/hello/runs/", {"params": {"times": 1}}, Idempotency_Key="k1")
    second = api("POST", "workflows/hello/runs/", {"params": {"times": 1}}, Idempotency_Key="k1")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    other = api("POST", "workflows/hello/runs/", {"params": {"times": 2}}, Idempotency_Key="k1")
    assert_problem(other, 409, "conflict")
    assert Run.objects.count() == 1


def test_a_run_pins_its_version(api: Api) -> None:
    api("POST", "workflows/", DOCUMENT)
    run = api("POST", "workflows/hello/runs/", {}).json()
    api("PUT", "workflows/hello/", {**DOCUMENT, "description": "new"}, If_Match="*")
    assert api("GET", f"runs/{run['id']}/").json()["version"] == 1
    assert api("POST", "workflows/hello/runs/", {"version": 1}).json()["version"] == 1
    assert_problem(api("POST", "workflows/hello/runs/", {"version": 9}), 404, "not_found")


def test_cancelling(api: Api, nudged: list[UUID]) -> None:
    api("POST", "workflows/", DOCUMENT)
    run = api("POST", "workflows/hello/runs/", {}).json()
    answer = api("POST", f"runs/{run['id']}/cancel/")
    assert answer.status_code == 202
    assert answer.json()["cancel_requested_at"]
    api("POST", f"runs/{run['id']}/cancel/")
    kinds = list(Event.objects.order_by("seq").values_list("type", flat=True))
    assert kinds == ["run.created", "run.cancel_requested"]
    Run.objects.update(state="completed")
    assert_problem(api("POST", f"runs/{run['id']}/cancel/"), 409, "conflict")


def test_steps_page(api: Api) -> None:
    """In the document's order, then what loops are in."""
    names = [f"s{number:03}" for number in range(120)]
    inner = [{"id": "work", "type": "task", "run": {"code": "def main(): pass"}}]
    loop = {"id": "again", "type": "loop", "steps": inner, "until": "${true}", "max_iterations": 3}
    tasks = [{"id": name, "type": "task", "run": {"code": "def main(): pass"}} for name in names]
    children = [{"id": f"c{number}", "type": "workflow", "workflow": "hello"} for number in range(3)]
    api("POST", "workflows/", DOCUMENT)
    made = api("POST", "workflows/", {"name": "many", "steps": [*tasks, loop, *children]})
    assert made.status_code == 201, made.json()
    run_id = api("POST", "workflows/many/runs/", {}).json()["id"]
    run = Run.objects.get(pk=run_id)
    Step.objects.filter(run=run, key="again").update(state="running", completed=1)
    for number in range(2):
        Step.objects.create(run=run, key=f"again.{number}.work", position=120, type="task")
    for parent in Step.objects.filter(run=run, type="workflow"):
        child = api("POST", "workflows/hello/runs/", {}).json()["id"]
        Run.objects.filter(pk=child).update(parent_step=parent, parent_attempt=1)
    expected = [*names, "again", "c0", "c1", "c2", "again.1.work"]
    whole = api("GET", f"runs/{run_id}/steps/").json()
    assert [step["id"] for step in whole["results"]] == expected
    assert (whole["next"], whole["previous"]) == (None, None)
    assert all(step["child_run"] for step in whole["results"] if step["type"] == "workflow")
    path, seen = f"runs/{run_id}/steps/?limit=50", []
    while path:
        page = api("GET", path).json()
        assert len(page["results"]) <= 50
        seen += [step["id"] for step in page["results"]]
        path = page["next"].split("/api/v1/")[1] if page["next"] else ""
    assert seen == expected
    first = api("GET", f"runs/{run_id}/steps/?iteration=again.0").json()["results"]
    assert [step["id"] for step in first] == ["again.0.work"]
    for wrong in ("limit=0", "limit=501", "cursor=x", "cursor=cD1h"):
        assert_problem(api("GET", f"runs/{run_id}/steps/?{wrong}"), 400, "invalid")


def test_items_and_logs_page_and_filter(api: Api) -> None:
    api("POST", "workflows/", DOCUMENT)
    run_id = api("POST", "workflows/hello/runs/", {}).json()["id"]
    step = Step.objects.get(run_id=run_id)
    for index in range(120):
        state = "failed" if index % 40 == 0 else "completed"
        Item.objects.create(step=step, index=index, state=state, output={"i": index})
    path, seen = f"runs/{run_id}/steps/greet/items/", []
    while path:
        page = api("GET", path).json()
        seen += [item["index"] for item in page["results"]]
        path = page["next"].split("/api/v1/")[1] if page["next"] else ""
    assert seen == list(range(120))
    failed = api("GET", f"runs/{run_id}/steps/greet/items/?state=failed").json()["results"]
    assert [item["index"] for item in failed] == [0, 40, 80]
    assert_problem(api("GET", f"runs/{run_id}/steps/greet/items/?state=odd"), 400, "invalid")
    assert_problem(api("GET", f"runs/{run_id}/steps/nope/items/"), 404, "not_found")
    run = Run.objects.get(pk=run_id)
    for item in (None, 1, 2):
        LogLine.objects.create(
            run=run, step="greet", item=item, attempt=1, at=run.created_at, stream="stdout", text=str(item)
        )
    assert len(api("GET", f"runs/{run_id}/logs/").json()["results"]) == 3
    assert [line["text"] for line in api("GET", f"runs/{run_id}/logs/?item=2").json()["results"]] == ["2"]
    assert api("GET", f"runs/{run_id}/logs/?step=other").json()["results"] == []
    assert len(api("GET", f"runs/{run_id}/logs/?stream=stdout").json()["results"]) == 3
    assert api("GET", f"runs/{run_id}/logs/?stream=stderr").json()["results"] == []
    assert_problem(api("GET", f"runs/{run_id}/logs/?item=x"), 400, "invalid")


# --- who may -----------------------------------------------------------------------------------------


def test_nobody_gets_anything_without_a_token() -> None:
    for path in ("me/", "workflows/", "runs/", "pools/", "agents/", f"runs/{uuid4()}/events/"):
        assert_problem(Api(None)("GET", path), 401, "not_authenticated")
        assert_problem(Api("wrong")("GET", path), 401, "not_authenticated")


def test_other_teams_see_nothing_of_ours(api: Api) -> None:
    api("POST", "workflows/", DOCUMENT)
    run = api("POST", "workflows/hello/runs/", {}).json()["id"]
    stranger = member(Role.ADMIN, "strangers")
    assert stranger("GET", "workflows/").json()["results"] == []
    assert stranger("GET", "runs/").json()["results"] == []
    paths = [
        "workflows/hello/",
        f"runs/{run}/",
        f"runs/{run}/steps/",
        f"runs/{run}/events/",
        f"runs/{run}/logs/",
    ]
    for path in paths:
        assert_problem(stranger("GET", path), 404, "not_found")
    assert_problem(stranger("POST", f"runs/{run}/cancel/"), 404, "not_found")
    assert_problem(stranger("POST", "workflows/hello/runs/", {}), 404, "not_found")
    assert stranger("POST", "workflows/", DOCUMENT).status_code == 201  # names are per team
    assert Workflow.objects.filter(name="hello").count() == 2


def test_viewers_look_and_do_not_touch(api: Api) -> None:
    api("POST", "workflows/", DOCUMENT)
    viewer = member(Role.VIEWER)
    assert viewer("GET", "workflows/hello/").status_code == 200
    assert viewer("POST", "workflows/validate/", DOCUMENT).status_code == 200
    assert_problem(viewer("POST", "workflows/", DOCUMENT), 403, "not_allowed")
    assert_problem(viewer("PUT", "workflows/hello/", DOCUMENT, If_Match="*"), 403, "not_allowed")
    assert_problem(viewer("DELETE", "workflows/hello/"), 403, "not_allowed")
    assert_problem(viewer("POST", "workflows/hello/runs/", {}), 403, "not_allowed")


def test_editors_cancel_their_own_runs_and_operators_all(api: Api) -> None:
    api("POST", "workflows/", DOCUMENT)
    run = api("POST", "workflows/hello/runs/", {}).json()["id"]
    editor = member(Role.EDITOR)
    assert_problem(editor("POST", f"runs/{run}/cancel/"), 403, "not_allowed")
    own = editor("POST", "workflows/hello/runs/", {}).json()["id"]
    assert editor("POST", f"runs/{own}/cancel/").status_code == 202
    assert api("POST", f"runs/{run}/cancel/").status_code == 202


def test_a_token_has_no_more_rights_than_its_owner_today() -> None:
    team = Team.objects.create(slug="t", name="T")
    user = get_user_model().objects.create_user("u")
    membership = Membership.objects.create(team=team, user=user, role=Role.ADMIN)
    api = Api(teams.issue_token(team_id=team.pk, user_id=user.pk, role=Role.ADMIN, name="x"))
    assert api("POST", "workflows/", DOCUMENT).status_code == 201
    membership.role = Role.VIEWER
    membership.save()
    assert_problem(api("DELETE", "workflows/hello/"), 403, "not_allowed")
    membership.delete()
    assert_problem(api("GET", "workflows/"), 401, "not_authenticated")


def test_sessions_need_the_csrf_token() -> None:
    team = Team.objects.create(slug="t", name="T")
    user = get_user_model().objects.create_user("u", password="secret-word-1")
    Membership.objects.create(team=team, user=user, role=Role.EDITOR)
    browser = Client(enforce_csrf_checks=True)
    browser.login(username="u", password="secret-word-1")
    assert browser.get("/api/v1/me/").json()["team"] == {"slug": "t", "name": "T", "role": "editor"}
    refused = browser.post("/api/v1/workflows/", json.dumps(DOCUMENT), content_type="application/json")
    assert_problem(refused, 403, "not_allowed")
    assert_problem(browser.get("/api/v1/me/", headers={"X-Team": "other"}), 403, "not_allowed")


def test_a_broker_that_is_away_does_not_fail_the_request(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from kombu.exceptions import OperationalError

    def away(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr("workflows.services.nudges.current_app.send_task", away)
    api("POST", "workflows/", DOCUMENT)
    assert api("POST", "workflows/hello/runs/", {}).status_code == 201
