"""Deployed agents over HTTP: what is accepted and refused, who may, what is told. No container runs here."""

from __future__ import annotations

from typing import Any

import pytest

from pools.models import DeployedAgent
from teams.domain.roles import Role
from teams.models import AuditEntry
from tests.factories.pools import make_pool, make_team
from tests.fakes.deployed import Person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("brief_connections")]

YAML = """
apiVersion: agentainer.flow/v1
kind: AgentDeployment
metadata: {name: crew}
spec:
  agents:
    - name: worker
      image: worker:1
      replicas: 2
      env: {LEVEL: "${LEVEL:-info}", KEY: {secret: API_KEY}}
      resources: {cpu: 500m, memory: 512M}
      volumes: ["data:/data"]
      network: egress
      healthCheck: {path: /ready, interval: 30s}
      autoRestart: no
    - {name: cache, image: "cache:${TAG}"}
"""


@pytest.fixture
def operator() -> Person:
    return Person(make_team())


def names(listed: dict[str, Any]) -> list[str]:
    return sorted(agent["name"] for agent in listed["results"])


def test_a_yaml_document(operator: Person) -> None:
    status, problem = operator("POST", "agents/", YAML, content_type="application/yaml")
    assert status == 400
    assert [fault["path"] for fault in problem["errors"]] == ["spec.agents[1].image"]
    assert not DeployedAgent.objects.exists()
    body = {"document": YAML, "variables": {"TAG": "7"}}
    status, made = operator("POST", "agents/", body)
    assert status == 201
    assert names(made) == ["cache", "worker-1", "worker-2"]
    worker = operator("GET", "agents/worker-2/")[1]
    assert (worker["kind"], worker["state"], worker["desired"]) == ("deployed", "created", "running")
    assert worker["definition"] == {
        "name": "worker-2",
        "image": "worker:1",
        "port": 8000,
        "env": {"LEVEL": "info", "KEY": {"secret": "API_KEY"}},
        "resources": {"cpu": 0.5, "memory": 512_000_000},
        "volumes": [{"name": "data", "path": "/data", "readOnly": False}],
        "network": "egress",
        "healthCheck": {
            "path": "/ready",
            "interval": 30.0,
            "timeout": 2.0,
            "retries": 3,
            "startPeriod": 60.0,
        },
        "autoRestart": False,
        "state": "running",
    }
    assert operator("GET", "agents/cache/")[1]["image"] == "cache:7"
    assert operator("GET", f"agents/{worker['id']}/")[1] == worker


def test_taken_names_and_replacing(operator: Person) -> None:
    assert operator("POST", "agents/", {"name": "a", "image": "x:1"})[0] == 201
    both = {"kind": "AgentDeployment", "spec": {"agents": [{"name": "b"}, {"name": "a", "image": "x:2"}]}}
    status, problem = operator("POST", "agents/", both)
    assert (status, problem["code"]) == (409, "conflict")
    assert not DeployedAgent.objects.filter(name="b").exists(), "all or none"
    assert operator("POST", "agents/?replace=true", both)[0] == 201
    row = DeployedAgent.objects.get(name="a")
    assert (row.image, row.generation) == ("x:2", 2)
    assert operator("POST", "agents/?replace=true", both)[0] == 201
    row.refresh_from_db()
    assert row.generation == 2, "nothing changed, nothing is replaced"


def test_both_kinds_are_listed(operator: Person) -> None:
    from datetime import UTC, datetime

    from pools.models import Agent

    pool = make_pool(operator.team)
    Agent.objects.create(
        pool=pool, team=operator.team, pool_name=pool.name, nonce="1", started_at=datetime.now(UTC)
    )
    operator("POST", "agents/", {"name": "mine"})

    def kinds(query: str = "") -> list[tuple[str, Any]]:
        found = operator("GET", f"agents/{query}")[1]["results"]
        return [(agent["kind"], agent["pool"]) for agent in found]

    assert kinds() == [("deployed", None), ("pooled", pool.name)]
    assert kinds("?kind=pooled") == [("pooled", pool.name)]
    assert kinds("?kind=deployed") == [("deployed", None)]
    assert kinds(f"?pool={pool.name}") == [("pooled", pool.name)]
    assert kinds("?state=created") == [("deployed", None)]
    assert kinds("?state=created,starting") == [("deployed", None), ("pooled", pool.name)]
    assert operator("GET", "agents/?kind=other")[0] == 400
    assert operator("GET", "agents/?state=asleep")[0] == 400


def test_the_verbs(operator: Person) -> None:
    operator("POST", "agents/", {"name": "a"})

    def after(verb: str) -> Any:
        status, answer = operator("POST", f"agents/a/{verb}/")
        return answer["desired"] if status == 202 else status

    assert after("stop") == "stopped"
    assert after("start") == "running"
    assert after("restart") == "running"
    assert DeployedAgent.objects.get().restart_asked == 1
    DeployedAgent.objects.update(desired="stopped")
    assert after("resume") == 409
    assert operator("POST", "agents/a/explode/")[0] == 404
    assert operator("POST", "agents/unknown/stop/")[0] == 404


def test_a_runtime_that_cannot_pause_says_so(operator: Person, settings: Any) -> None:
    operator("POST", "agents/", {"name": "a"})
    settings.AFLOW_RUNTIME = "memory"
    status, problem = operator("POST", "agents/a/pause/")
    assert (status, problem["code"]) == (501, "not_capable")
    assert DeployedAgent.objects.get().desired == "running"
    settings.AFLOW_RUNTIME = "process"
    assert operator("POST", "agents/a/pause/")[0] == 202
    assert operator("POST", "agents/a/start/")[0] == 409
    assert operator("POST", "agents/a/resume/")[0] == 202


def test_changes(operator: Person) -> None:
    operator("POST", "agents/", {"name": "a", "env": {"X": "1"}, "port": 81})
    status, shown = operator("PATCH", "agents/a/", {"autoRestart": False})
    assert (status, shown["definition"]["autoRestart"]) == (200, False)
    assert DeployedAgent.objects.get().generation == 1, "its container may stay"
    status, shown = operator("PATCH", "agents/a/", {"resources": {"cpu": "250m"}})
    assert (shown["definition"]["resources"]["cpu"], shown["definition"]["port"]) == (0.25, 81)
    assert DeployedAgent.objects.get().generation == 2
    assert operator("PATCH", "agents/a/", {"network": "egress"})[1]["definition"]["network"] == "egress"
    assert DeployedAgent.objects.get().generation == 3
    for body, path in (
        ({"name": "b"}, "name"),
        ({"port": 0}, "port"),
        ({"network": "open"}, "network"),
        ({"colour": "red"}, "colour"),
        ({"env": {"1": "2"}}, "env.1"),
    ):
        status, problem = operator("PATCH", "agents/a/", body)
        assert (status, [fault["path"] for fault in problem["errors"]]) == (400, [path])
    refused: list[Any] = [[], 3, {"state": "stopped"}, {"replicas": 2}]
    for wrong in refused:
        assert operator("PATCH", "agents/a/", wrong)[0] == 400


def test_removed_is_gone_at_once(operator: Person) -> None:
    made = operator("POST", "agents/", {"name": "a"})[1]["results"][0]
    assert operator("DELETE", "agents/a/")[0] == 204
    assert operator("GET", f"agents/{made['id']}/")[0] == 404
    assert operator("GET", "agents/")[1]["results"] == []
    assert operator("POST", "agents/a/invoke", {"input": 1})[0] == 404
    assert operator("POST", "agents/", {"name": "a"})[0] == 201, "its name is free again"


def test_backup_and_restore(operator: Person) -> None:
    env = {"PRICE": "$5 ${X}", "KEY": {"secret": "API_KEY"}}
    operator("POST", "agents/", {"name": "a", "env": env, "volumes": ["d:/d:ro"], "healthCheck": None})
    operator(
        "POST", "agents/", {"name": "b", "image": "x:1", "port": 99, "state": "stopped", "network": "egress"}
    )
    status, saved = operator("GET", "agents/backup/")
    assert status == 200
    assert "nonce" not in str(saved)
    other = Person(make_team())
    status, made = other("POST", "agents/restore/", saved)
    assert (status, names(made)) == (201, ["a", "b"])
    assert other("GET", "agents/backup/")[1] == saved
    assert other("POST", "agents/restore/", saved)[0] == 409
    assert other("POST", "agents/restore/?replace=true", saved)[0] == 201
    empty = Person(make_team())
    assert empty("POST", "agents/restore/", empty("GET", "agents/backup/")[1]) == (201, {"results": []})
    refused: list[Any] = [[], {"spec": 3}, {"kind": "X"}, {"spec": {"agents": 3}}]
    for wrong in refused:
        assert other("POST", "agents/restore/", wrong)[0] == 400


def test_roles_and_teams(operator: Person) -> None:
    operator("POST", "agents/", {"name": "a", "env": {"KEY": "hunter2"}})
    agent = operator("GET", "agents/a/")[1]
    viewer, editor = Person(operator.team, Role.VIEWER), Person(operator.team, Role.EDITOR)
    stranger = Person(make_team(), Role.ADMIN)
    assert viewer("GET", "agents/a/")[1]["definition"]["env"] == {"KEY": "•••"}
    assert agent["definition"]["env"] == {"KEY": "hunter2"}
    assert "hunter2" not in str(viewer("GET", "agents/")[1])
    acts = [
        ("POST", "agents/", {"name": "b"}),
        ("PATCH", "agents/a/", {"port": 1}),
        ("DELETE", "agents/a/", None),
        ("POST", "agents/restore/", {}),
        ("GET", "agents/backup/", None),
        *(("POST", f"agents/a/{verb}/", None) for verb in ("start", "stop", "restart", "pause", "resume")),
    ]
    for who in (viewer, editor):
        assert [who(*act)[0] for act in acts] == [403] * len(acts)
    assert viewer("POST", "agents/a/invoke", {"input": 1})[0] == 403
    status, answer = editor("POST", "agents/a/invoke", {"input": 1})
    assert (status, answer["state"]) == (202, "pending")
    request_id = answer["request_id"]
    assert viewer("GET", f"agents/a/requests/{request_id}/")[1]["request_body"] == {"input": 1}
    assert viewer("POST", f"agents/a/requests/{request_id}/replay/")[0] == 403
    for method, path in (
        ("GET", ""),
        ("GET", "logs/"),
        ("GET", "metrics/"),
        ("GET", "requests/"),
        ("GET", f"requests/{request_id}/"),
        ("POST", "invoke"),
        ("POST", "stop/"),
        ("POST", f"requests/{request_id}/replay/"),
        ("DELETE", ""),
    ):
        body = {"input": 1} if path == "invoke" else None
        for ref in ("a", agent["id"]):
            assert stranger(method, f"agents/{ref}/{path}", body)[0] == 404, path


def test_requests_are_listed(operator: Person) -> None:
    operator("POST", "agents/", {"name": "a"})
    ids = [operator("POST", "agents/a/invoke/", {"input": n})[1]["request_id"] for n in range(3)]
    listed = operator("GET", "agents/a/requests/?limit=2")[1]
    assert [row["id"] for row in listed["results"]] == [ids[2], ids[1]]
    assert listed["next"]
    assert operator("GET", "agents/a/requests/?state=completed")[1]["results"] == []
    assert operator("GET", "agents/a/requests/?state=odd")[0] == 400
    assert operator("GET", "agents/a/requests/none/")[0] == 404
    status, problem = operator("POST", f"agents/a/requests/{ids[0]}/replay/")
    assert (status, problem["code"]) == (409, "conflict")
    assert "waits" in problem["detail"]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        3,
        "text",
        {"name": 3},
        {"name": "a", "env": {"X": {"secret": 3}}},
        {"name": "a", "volumes": [{"name": {}, "path": []}]},
        {"name": "a", "volumes": "x:/y"},
        {"name": "a", "resources": {"memory": "9" * 39 + "T"}},
        {"name": "a", "resources": []},
        {"name": "a", "healthCheck": 3},
        {"name": "a", "replicas": 10**30},
        {"document": "a: [", "variables": {}},
        {"document": {"name": "a"}, "variables": {"X": 3}},
        {"document": 3},
        {"kind": "AgentDeployment", "metadata": 3, "spec": {"agents": [{"name": "a"}]}},
        {"kind": "AgentDeployment", "spec": {"agents": [[]]}},
        {"kind": {}, "spec": None},
    ],
)
def test_bad_input_is_no_fault_of_ours(operator: Person, body: Any) -> None:
    status, problem = operator("POST", "agents/", body)
    assert status == 400, problem
    assert problem["detail"].endswith(".")
    assert not DeployedAgent.objects.exists()


@pytest.mark.parametrize("body", [[], 3, {"code": 3}, {"code": "x", "runs": {}}])
def test_bad_requests_to_an_agent(operator: Person, body: Any) -> None:
    operator("POST", "agents/", {"name": "a"})
    assert operator("POST", "agents/a/invoke", body)[0] == 400


def test_a_request_that_is_too_large_to_be_stored(operator: Person, settings: Any) -> None:
    settings.AFLOW_REQUEST_BYTES = 1000
    operator("POST", "agents/", {"name": "a"})
    status, problem = operator("POST", "agents/a/invoke", {"input": "x" * 1000})
    assert (status, problem["code"]) == (413, "too_large")
    assert operator("POST", "agents/a/invoke", {"input": "x" * 900})[0] == 202


def test_who_did_what(operator: Person) -> None:
    operator("POST", "agents/", {"name": "a", "env": {"KEY": "hunter2"}})
    operator("PATCH", "agents/a/", {"env": {"KEY": "hunter3"}})
    operator("POST", "agents/a/stop/")
    operator("DELETE", "agents/a/")
    told = list(AuditEntry.objects.order_by("pk").values_list("action", "target", "via"))
    assert told == [
        (f"agent.{verb}", "agent/a", "token") for verb in ("deployed", "changed", "stopped", "removed")
    ]
    assert "hunter" not in str(list(AuditEntry.objects.values_list("details", flat=True)))


def test_a_team_has_a_limit(operator: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from pools.services.deployments import definitions

    monkeypatch.setattr(definitions, "MOST_OF_A_TEAM", 2)
    assert operator("POST", "agents/", {"name": "a", "replicas": 2})[0] == 201
    assert operator("POST", "agents/", {"name": "b"})[0] == 409
    assert DeployedAgent.objects.count() == 2


def test_the_schema_tells_of_all_this(operator: Person) -> None:
    import yaml

    answer = operator.ask("GET", "schema/")
    paths = yaml.safe_load(answer.content)["paths"]
    for path in ("backup/", "restore/", "{ref}/invoke", "{ref}/stop/", "{ref}/requests/{request_id}/replay/"):
        assert f"/api/v1/agents/{path}" in paths
