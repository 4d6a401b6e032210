"""Pools that workflows count on are not deleted by the way, and go when nobody counts on them any more."""

from __future__ import annotations

from typing import Any

import pytest

from pools.models import Pool
from teams.facade.contracts import Role
from tests.factories.members import Api, assert_problem, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api() -> Api:
    return member(Role.OPERATOR)


def document(name: str, **step: Any) -> dict[str, Any]:
    return {"name": name, "steps": [{"id": "a", "type": "task", "run": {"code": "main = print"}, **step}]}


def alive(name: str) -> bool:
    return Pool.objects.filter(name=name, deleted_at=None).exists()


def test_a_pool_in_use_is_kept_until_somebody_insists(api: Api) -> None:
    api("POST", "pools/", {"name": "mine"})
    api("POST", "workflows/", document("w", pool="mine"))
    body = assert_problem(api("DELETE", "pools/mine/"), 409, "conflict")
    assert "used by w" in body["detail"]
    assert alive("mine")
    saved = api("PUT", "workflows/w/", document("w"), If_Match="*")
    assert saved.status_code == 200
    assert api("DELETE", "pools/mine/").status_code == 204
    assert_problem(api("DELETE", "pools/python/"), 409, "conflict")
    assert api("DELETE", "pools/python/?force=true").status_code == 204


def test_a_workflow_s_own_pools_go_with_their_step_and_with_the_workflow(api: Api) -> None:
    api("POST", "workflows/", document("w", pool={"size": 2}))
    assert alive("w-a")
    api("PUT", "workflows/w/", document("w"), If_Match="*")
    assert not alive("w-a")
    api("PUT", "workflows/w/", document("w", pool={"size": 2}), If_Match="*")
    assert alive("w-a")
    assert api("DELETE", "workflows/w/").status_code == 204
    assert not alive("w-a")
    assert api("DELETE", "pools/python/").status_code == 204, "nobody uses it any more"


def test_commands_need_a_pool_for_commands_of_their_image(api: Api) -> None:
    api("POST", "pools/", {"name": "itself", "image": "tool:1"})
    api("POST", "pools/", {"name": "tools", "image": "tool:1", "commands": True})
    command, image = {"command": ["ls"], "image": "tool:1"}, {"image": "tool:1"}
    for run, pool, sentence in (
        (command, "itself", "Pool itself runs tool:1; this step needs tool:1 for commands."),
        (image, "tools", "Pool tools runs tool:1 for commands; this step needs tool:1."),
        ({"command": ["ls"]}, "tools", "this step needs the built-in Python agent."),
    ):
        body = assert_problem(
            api("POST", "workflows/", document("w", run=run, pool=pool)), 400, "invalid_document"
        )
        (error,) = body["errors"]
        assert error["path"] == "steps[0].pool"
        assert sentence in error["message"]
    assert api("POST", "workflows/", document("w", run=command, pool="tools")).status_code == 201


def test_a_step_that_becomes_a_command_changes_its_own_pool(api: Api) -> None:
    own = {"size": 2}
    api("POST", "workflows/", document("w", run={"image": "tool:1"}, pool=own))
    assert api("GET", "pools/w-a/").json()["commands"] is False
    command = {"command": ["ls"], "image": "tool:1"}
    assert api("PUT", "workflows/w/", document("w", run=command, pool=own), If_Match="*").status_code == 200
    assert api("GET", "pools/w-a/").json()["commands"] is True
    built_in = document("w", run={"command": ["ls"]}, pool=own)
    assert api("PUT", "workflows/w/", built_in, If_Match="*").status_code == 200
    assert api("GET", "pools/w-a/").json()["commands"] is False


def test_the_built_in_image_is_for_commands_as_it_is(api: Api) -> None:
    body = assert_problem(api("POST", "pools/", {"name": "p", "commands": True}), 400, "invalid")
    assert [error["path"] for error in body["errors"]] == ["commands"]


def test_requirements_have_a_pool_of_their_own_that_equal_ones_share(api: Api) -> None:
    code = {"code": "main = print"}
    one = {**code, "requirements": ["requests == 2.32.3", "Idna"]}
    same = {**code, "requirements": ["idna", "requests==2.32.3"]}
    assert api("POST", "workflows/", document("w", run=one)).status_code == 201
    assert api("POST", "workflows/", document("v", run=same)).status_code == 201
    (name,) = Pool.objects.exclude(requirements=[]).values_list("name", flat=True)
    assert name.startswith("python-idna-requests-")
    assert api("GET", f"pools/{name}/").json()["requirements"] == ["idna", "requests==2.32.3"]
    body = assert_problem(api("DELETE", f"pools/{name}/"), 409, "conflict")
    assert "used by v, w" in body["detail"]
    # The default pool is for steps of the built-in agent as it is.
    defaults = {**document("u", run=one), "defaults": {"pool": "python"}}
    assert api("POST", "workflows/", document("t")).status_code == 201
    assert api("POST", "workflows/", defaults).status_code == 201


def test_a_step_s_own_pool_gets_its_requirements(api: Api) -> None:
    run = {"code": "main = print", "requirements": ["requests"]}
    assert api("POST", "workflows/", document("w", run=run, pool={"size": 2})).status_code == 201
    assert api("GET", "pools/w-a/").json()["requirements"] == ["requests"]
    assert api("PUT", "workflows/w/", document("w", pool={"size": 2}), If_Match="*").status_code == 200
    assert api("GET", "pools/w-a/").json()["requirements"] == []


def test_requirements_that_are_too_long_in_full_are_refused_where_they_are_written(api: Api) -> None:
    growing = "a;" + " or ".join(['python_version<"3"'] * 9)
    run = {"code": "main = print", "requirements": [growing]}
    body = assert_problem(api("POST", "workflows/", document("w", run=run)), 400, "invalid_document")
    assert [error["path"] for error in body["errors"]] == ["steps[0].run.requirements[0]"]


def test_requirements_need_a_pool_that_has_them(api: Api) -> None:
    api("POST", "pools/", {"name": "plain"})
    api("POST", "pools/", {"name": "more", "requirements": ["Requests", "idna"]})
    run = {"code": "main = print", "requirements": ["requests"]}
    body = assert_problem(
        api("POST", "workflows/", document("w", run=run, pool="plain")), 400, "invalid_document"
    )
    (error,) = body["errors"]
    assert error["path"] == "steps[0].pool"
    assert error["message"] == (
        "Pool plain runs agentainer/python-agent; this step needs the built-in Python agent with requests. "
        "Leave pool out, or give plain these requirements."
    )
    assert api("POST", "workflows/", document("w", run=run, pool="more")).status_code == 201
    assert api("POST", "workflows/", document("v", pool="more")).status_code == 201, "they may have more"


@pytest.mark.parametrize("pool", [None, {"size": 2}])
def test_where_agents_are_processes_requirements_are_refused_in_words(
    api: Api, settings: Any, pool: Any
) -> None:
    settings.AFLOW_RUNTIME = "process"
    run = {"code": "main = print", "requirements": ["requests"]}
    body = assert_problem(
        api("POST", "workflows/", document("w", run=run, pool=pool)), 400, "invalid_document"
    )
    (error,) = body["errors"]
    assert error["path"].endswith("requirements")
    assert "a runtime with containers" in error["message"]
    body = assert_problem(api("POST", "pools/", {"name": "p", "requirements": ["requests"]}), 400, "invalid")
    assert [error["path"] for error in body["errors"]] == ["requirements"]


@pytest.mark.parametrize(
    "values",
    [
        {"requirements": ["-e ."]},
        {"requirements": ["a\nb"]},
        {"requirements": ["a @ http://elsewhere/a.whl"]},
        {"requirements": [["a"]]},
        {"requirements": "a"},
        {"requirements": [f"a{number}" for number in range(51)]},
        {"requirements": ["requests"], "image": "tool:1"},
    ],
)
def test_requirements_of_a_pool_are_checked(api: Api, values: dict[str, Any]) -> None:
    body = assert_problem(api("POST", "pools/", {"name": "p", **values}), 400, "invalid")
    assert {error["path"].partition(".")[0].partition("[")[0] for error in body["errors"]} == {"requirements"}
    assert not alive("p")
    api("POST", "pools/", {"name": "p"})
    assert api("PATCH", "pools/p/", values).status_code == 400


def test_a_document_whose_pool_cannot_be_made_is_not_saved(api: Api) -> None:
    for pool in ({"size": 2, "idle_timeout": 0}, {"size": 2, "max_uses": 10**20}):
        body = assert_problem(api("POST", "workflows/", document("w", pool=pool)), 400, "invalid_document")
        assert body["errors"][0]["path"].startswith("steps[0].pool")
    api("POST", "pools/", {"name": "w-a"})
    body = assert_problem(api("POST", "workflows/", document("w", pool={"size": 2})), 400, "invalid_document")
    assert "was not made by a workflow" in body["errors"][0]["message"]
    assert api("POST", "workflows/", document("w")).status_code == 201, "the name is still free"


def test_a_document_says_where_its_pools_agents_run(api: Api) -> None:
    place = {"capacity_type": "spot", "zone": "north"}
    assert api("POST", "workflows/", document("w", pool={"size": 1, **place})).status_code == 201
    assert {name: api("GET", "pools/w-a/").json()[name] for name in place} == place
    for path, bad in (("capacity_type", "cheap"), ("zone", "a b"), ("zone", 3)):
        body = assert_problem(
            api("POST", "workflows/", document("v", pool={"size": 1, path: bad})), 400, "invalid_document"
        )
        assert f"steps[0].pool.{path}" in {fault["path"] for fault in body["errors"]}
