"""Triggers that a workflow's document names: saving makes, changes and removes them."""

from __future__ import annotations

from typing import Any

import pytest

from teams.facade.contracts import Role
from tests.factories.members import Api, assert_problem, member

pytestmark = pytest.mark.django_db(transaction=True)

PARAMS = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
NIGHTLY = {
    "name": "nightly",
    "kind": "schedule",
    "config": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
    "params": {"n": 1},
}
HOOK = {"name": "hook", "kind": "webhook", "config": {"map": {"n": "${body.count}"}}}
AFTER = {"name": "again", "kind": "event", "config": {"workflow": "w", "states": ["failed"]}}


@pytest.fixture
def api() -> Api:
    return member(Role.EDITOR)


def document(*triggers: dict[str, Any]) -> dict[str, Any]:
    steps = [{"id": "work", "type": "task", "run": {"code": "def main(): ..."}}]
    return {
        "name": "w",
        "params": PARAMS,
        "steps": steps,
        **({"triggers": list(triggers)} if triggers else {}),
    }


def save(api: Api, *triggers: dict[str, Any]) -> Any:
    answer = api("POST", "workflows/", document(*triggers))
    if answer.status_code == 409:
        answer = api("PUT", "workflows/w/", document(*triggers), If_Match="*")
    return answer


def there(api: Api) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in api("GET", "triggers/?workflow=w").json()["results"]}


def test_they_are_made_changed_and_removed_with_the_document(api: Api) -> None:
    assert save(api, NIGHTLY, HOOK, AFTER).status_code == 201
    made = there(api)
    assert {name: (one["kind"], one["declared"], one["enabled"]) for name, one in made.items()} == {
        "nightly": ("schedule", True, True),
        "hook": ("webhook", True, True),
        "again": ("event", True, True),
    }
    assert made["nightly"]["due_at"] is not None
    later = {**NIGHTLY, "config": {**NIGHTLY["config"], "cron": "0 5 * * *"}}  # type: ignore[dict-item]
    assert save(api, later, {**HOOK, "enabled": False}).status_code == 200
    changed = there(api)
    assert changed.keys() == {"nightly", "hook"}
    assert {name: one["id"] for name, one in changed.items()} == {name: made[name]["id"] for name in changed}
    assert changed["nightly"]["config"]["cron"] == "0 5 * * *"
    assert changed["nightly"]["due_at"] != made["nightly"]["due_at"]
    assert changed["hook"]["enabled"] is False
    assert save(api).status_code == 200
    assert there(api) == {}


def test_a_trigger_of_another_kind_is_another_trigger(api: Api) -> None:
    save(api, HOOK)
    before = there(api)["hook"]
    save(api, {**AFTER, "name": "hook"})
    now = there(api)["hook"]
    assert (now["kind"], now["id"] != before["id"]) == ("event", True)


def test_those_made_by_hand_stay_and_keep_their_names(api: Api) -> None:
    save(api)
    by_hand = api("POST", "triggers/", {"workflow": "w", "name": "mine", "kind": "webhook"}).json()
    save(api, NIGHTLY)
    save(api)
    assert there(api)["mine"]["id"] == by_hand["id"]
    refused = save(api, {**HOOK, "name": "mine"})
    problem = assert_problem(refused, 400, "invalid_document")
    assert [fault["path"] for fault in problem["errors"]] == ["triggers[0].name"]


def test_what_somebody_switched_off_stays_off_until_the_document_says_so(api: Api) -> None:
    save(api, NIGHTLY)
    api("PATCH", f"triggers/{there(api)['nightly']['id']}/", {"enabled": False})
    save(api, NIGHTLY, HOOK)
    assert there(api)["nightly"]["enabled"] is False
    save(api, {**NIGHTLY, "enabled": True})
    assert there(api)["nightly"]["enabled"] is True


def test_faults_are_told_with_their_paths_and_nothing_is_saved(api: Api) -> None:
    bad = [
        {**NIGHTLY, "config": {"cron": "30 2 * *"}},
        {**NIGHTLY, "name": "b", "config": {"cron": "0 5 * * *", "timezone": "Europe/Berlim"}},
        {**NIGHTLY, "name": "c", "params": {"n": "one"}},
        {**AFTER, "config": {"workflow": "nobody", "states": ["failed"]}},
        {**HOOK, "config": {"map": {"n": "${bdy.count}"}}},
        HOOK,
    ]
    problem = assert_problem(save(api, *bad), 400, "invalid_document")
    assert {fault["path"] for fault in problem["errors"]} == {
        "triggers[0].config.cron",
        "triggers[1].config.timezone",
        "triggers[2].params.n",
        "triggers[3].config.workflow",
        "triggers[4].config.map.n",
        "triggers[5].name",
    }
    assert api("GET", "workflows/w/").status_code == 404
