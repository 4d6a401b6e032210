"""Comparing, restoring and exporting versions; a save that comes too late."""

from __future__ import annotations

from typing import Any

import pytest

from teams.facade.contracts import Role
from teams.models import AuditEntry
from tests.factories.members import Api, assert_problem, member
from workflows.models import Run, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

CODE = "def main():\n    return 1\n"
STEP = {"id": "a", "type": "task", "run": {"code": CODE}}
FIRST = {"name": "w", "description": "first", "steps": [STEP]}
SECOND = {**FIRST, "description": "second", "steps": [{**STEP, "id": "b"}, {**STEP, "timeout": 9}]}


@pytest.fixture
def api() -> Api:
    """A member with two versions of the workflow `w`."""
    api = member(Role.EDITOR)
    assert api("POST", "workflows/", FIRST).status_code == 201
    assert api("PUT", "workflows/w/", SECOND, If_Match='"1"').status_code == 200
    return api


def test_the_difference_of_two_versions(api: Api) -> None:
    diff = api("GET", "workflows/w/diff/?from=1&to=2").json()
    assert (diff["from"], diff["to"]) == (1, 2)
    assert diff["changes"] == [
        {"path": "description", "kind": "changed", "before": "first", "after": "second"},
        {"path": "steps[a].timeout", "kind": "added", "before": None, "after": 9},
        {"path": "steps[b]", "kind": "added", "before": None, "after": {**STEP, "id": "b"}},
    ]
    assert diff["steps"] == {"added": ["b"], "removed": [], "changed": ["a"]}
    assert "-description: first\n+description: second\n" in diff["text"]
    assert api("GET", "workflows/w/diff/").json() == diff  # the newest against the one before
    back = api("GET", "workflows/w/diff/?from=2&to=1").json()
    assert back["steps"] == {"added": [], "removed": ["b"], "changed": ["a"]}
    same = api("GET", "workflows/w/diff/?from=2&to=2").json()
    assert (same["changes"], same["text"]) == ([], "")


def test_versions_that_are_not_there(api: Api) -> None:
    assert_problem(api("GET", "workflows/w/diff/?from=1&to=9"), 404, "not_found")
    assert_problem(api("GET", "workflows/w/diff/?from=zero"), 400, "invalid")
    assert_problem(api("GET", "workflows/none/diff/"), 404, "not_found")
    assert_problem(api("POST", "workflows/w/versions/9/restore/", If_Match="*"), 404, "not_found")
    assert_problem(api("GET", "workflows/w/export/?version=9"), 404, "not_found")


def test_an_old_version_comes_back_as_a_new_one(api: Api) -> None:
    path = "workflows/w/versions/1/restore/"
    assert_problem(api("POST", path), 428, "precondition_required")
    assert_problem(api("POST", path, If_Match='"1"'), 412, "precondition_failed")
    restored = api("POST", path, If_Match='"2"')
    assert (restored.status_code, restored["ETag"]) == (200, '"3"')
    assert (restored.json()["version"], restored.json()["document"]) == (3, FIRST)
    assert api("GET", "workflows/w/").json()["description"] == "first"
    again = api("POST", path, If_Match="*")
    assert again.json()["version"] == 3  # it is the newest already
    assert_problem(member(Role.VIEWER)("POST", path, If_Match="*"), 403, "not_allowed")


def test_what_cannot_be_saved_today_cannot_be_restored(api: Api) -> None:
    version = Workflow.objects.get().versions.get(number=1)
    version.document = {**FIRST, "steps": [{**STEP, "pool": "gone"}]}
    version.save()
    body = assert_problem(
        api("POST", "workflows/w/versions/1/restore/", If_Match="*"), 400, "invalid_document"
    )
    assert body["errors"][0]["path"] == "steps[0].pool"


def test_a_late_save_is_told_what_it_would_have_overwritten(api: Api) -> None:
    other = member(Role.EDITOR, name="bob")
    other("PUT", "workflows/w/", {**SECOND, "description": "third"}, If_Match='"2"')
    late = api("PUT", "workflows/w/", {**SECOND, "description": "mine"}, If_Match='"2"')
    body = assert_problem(late, 412, "precondition_failed")
    assert "bob saved version 3" in body["detail"]
    assert (body["current"]["version"], body["current"]["created_by"]) == (3, "bob")
    assert (body["current"]["etag"], late["ETag"]) == ('"3"', '"3"')
    assert body["current"]["document"]["description"] == "third"
    assert body["diff"]["changes"] == [
        {"path": "description", "kind": "changed", "before": "second", "after": "third"}
    ]
    assert (body["diff"]["from"], body["diff"]["to"]) == (2, 3)
    unknown = assert_problem(api("PUT", "workflows/w/", FIRST, If_Match='"x"'), 412, "precondition_failed")
    assert unknown["diff"] is None


def test_true_is_not_one(api: Api) -> None:
    api("PUT", "workflows/w/", {**FIRST, "steps": [{**STEP, "input": {"x": 1}}]}, If_Match="*")
    changed = api("PUT", "workflows/w/", {**FIRST, "steps": [{**STEP, "input": {"x": True}}]}, If_Match="*")
    assert changed.json()["version"] == 4


@pytest.mark.parametrize(("form", "media_type"), [("yaml", "application/yaml"), ("json", "application/json")])
def test_what_goes_out_can_be_taken_in(api: Api, form: str, media_type: str) -> None:
    answer = api("GET", f"workflows/w/export/?format={form}&version=1")
    assert answer["Content-Type"] == f"{media_type}; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="w.v1.{form}"'
    stranger = member(Role.EDITOR, "strangers")
    taken = stranger("POST", "workflows/", answer.content, content_type=media_type)
    assert taken.json()["document"] == FIRST


def test_an_export_is_yaml_of_the_newest_when_nothing_else_is_asked_for(api: Api) -> None:
    text = api("GET", "workflows/w/export/").content.decode()
    first, _, rest = text.partition("\n")
    assert first == "# yaml-language-server: $schema=http://testserver/api/v1/schemas/workflow.json"
    assert rest.startswith("name: w\ndescription: second\n")
    assert "    code: |\n      def main():\n          return 1\n" in text
    assert_problem(api("GET", "workflows/w/export/?format=xml"), 400, "invalid")
    assert_problem(member(Role.ADMIN, "strangers")("GET", "workflows/w/export/"), 404, "not_found")


def entries() -> list[tuple[str, str, dict[str, Any]]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "actor", "details"))


def test_the_audit_log_tells_what_was_done_to_a_workflow(api: Api) -> None:
    api("PUT", "workflows/w/", SECOND, If_Match="*")  # the same again: nothing to tell
    api("POST", "workflows/w/versions/1/restore/", If_Match="*")
    api("DELETE", "workflows/w/")
    assert entries() == [
        ("workflow.created", api.name, {"version": 1}),
        ("workflow.saved", api.name, {"version": 2}),
        ("workflow.restored", api.name, {"version": 3, "restored": 1}),
        ("workflow.archived", api.name, {"version": 3}),
    ]
    assert set(AuditEntry.objects.values_list("target", "via")) == {("workflow/w", "token")}


def test_pools_of_an_archived_workflow_stay_while_it_has_runs(api: Api) -> None:
    own = {"name": "p", "steps": [{**STEP, "pool": {"size": 1}}]}
    api("POST", "workflows/", own)
    workflow = Workflow.objects.get(name="p")
    run = Run.objects.create(team=api.team, workflow=workflow, version=workflow.versions.get())
    api("DELETE", "workflows/p/")
    assert api("GET", "pools/p-a/").status_code == 200
    run.state = "completed"
    run.save()
    api("POST", "workflows/", {**own, "name": "q"})
    api("DELETE", "workflows/q/")
    assert api("GET", "pools/q-a/").status_code == 404
