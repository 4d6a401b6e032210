"""Documents of deployments: what they say, and every fault at once, each at its path."""

from __future__ import annotations

from typing import Any

import pytest

from aflow_site.kernel.errors import InvalidInput
from pools.domain.deployment_documents import read_document
from pools.domain.deployment_forms import SecretRef


def document(*agents: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "AgentDeployment", "metadata": {"name": "crew"}, "spec": {"agents": list(agents)}, **more}


def faults(data: Any, *args: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        read_document(data, *args)
    return {fault.path: fault.message for fault in refused.value.faults}


def test_everything_that_can_be_said() -> None:
    worker = {
        "name": "worker",
        "image": "worker:1",
        "replicas": "${COUNT}",
        "port": 9000,
        "env": {
            "LEVEL": "${LEVEL:-info}",
            "PRICE": "$$5",
            "DEBUG": True,
            "N": 3,
            "KEY": {"secret": "API_KEY"},
        },
        "resources": {"cpu": "500m", "memory": "1Gi"},
        "volumes": ["data:/data", "models:/models:ro", {"tmpfs": "64Mi", "container": "/fast"}],
        "healthCheck": {"endpoint": "/ready", "interval": "30s", "timeout": 5, "retries": 2},
        "network": "egress",
        "autoRestart": False,
        "state": "stopped",
    }
    first, second = read_document(document(worker), {"COUNT": "2"})
    assert (first.name, second.name) == ("worker-1", "worker-2")
    assert first.env == {
        "LEVEL": "info",
        "PRICE": "$5",
        "DEBUG": "true",
        "N": "3",
        "KEY": SecretRef(secret="API_KEY"),
    }
    assert (first.resources.cpu, first.resources.memory) == (0.5, 1024**3)
    assert [volume.path for volume in first.volumes] == ["/data", "/models", "/fast"]
    assert [volume.read_only for volume in first.volumes] == [False, True, False]
    check = first.health_check
    assert check is not None
    assert (check.path, check.interval, check.timeout, check.retries) == ("/ready", 30.0, 5.0, 2)
    assert (first.port, first.auto_restart, first.state) == (9000, False, "stopped")
    assert (first.network, read_document({"name": "a"})[0].network) == ("egress", "isolated")


def test_what_is_left_out() -> None:
    (agent,) = read_document({"name": "a"})
    assert (agent.image, agent.port, agent.auto_restart, agent.state) == (None, 8000, True, "running")
    assert (agent.resources.cpu, agent.resources.memory) == (1.0, 512 * 1024**2)
    assert agent.health_check is not None
    assert agent.health_check.path == "/health"


def test_one_agent_as_the_spec_itself() -> None:
    data = {"kind": "AgentDeployment", "metadata": {"name": "alone"}, "spec": {"image": "x:1"}}
    (agent,) = read_document(data)
    assert (agent.name, agent.image) == ("alone", "x:1")


def test_one_replica_is_numbered_and_none_is_not() -> None:
    found = read_document(document({"name": "a", "replicas": 1}, {"name": "b"}))
    assert [agent.name for agent in found] == ["a-1", "b"]


def test_a_health_check_can_be_left_away() -> None:
    for nothing in (None, False):
        (agent,) = read_document({"name": "a", "healthCheck": nothing})
        assert agent.health_check is None


def test_a_flat_object_knows_no_variables() -> None:
    (agent,) = read_document({"name": "a", "env": {"X": "${Y}"}})
    assert agent.env == {"X": "${Y}"}


def test_every_fault_at_once() -> None:
    worst = {
        "name": "Worker!",
        "cpu": 1,
        "replicas": 0,
        "resources": {"cpu": "much", "memory": "5q"},
        "env": {"1st": "x", "AGENTAINER_TOKEN": "mine", "B": "${NO}", "K": {"secret": "!"}},
        "volumes": [
            "/etc:/etc",
            {"name": "a", "tmpfs": "1Mi", "path": "/b"},
            "x",
            {"name": "a", "path": "/proc"},
        ],
        "healthCheck": {"interval": "soon", "retries": 0},
        "autoRestart": "maybe",
        "port": 99999,
    }
    found = faults(document(worst, 3, {"image": "ok"}, {"name": "a"}, {"name": "a"}, extra=1))
    start = "spec.agents[0]"
    assert {path.removeprefix(start) for path in found if path.startswith(start)} == {
        ".name",
        ".cpu",
        ".replicas",
        ".resources.cpu",
        ".resources.memory",
        ".env.1st",
        ".env.AGENTAINER_TOKEN",
        ".env.B",
        ".env.K.secret",
        ".volumes[0]",
        ".volumes[1]",
        ".volumes[2]",
        ".volumes[3].path",
        ".healthCheck.interval",
        ".healthCheck.retries",
        ".autoRestart",
        ".port",
    }
    assert {path for path in found if not path.startswith(start)} == {
        "extra",
        "spec.agents[1]",
        "spec.agents[2].name",
        "spec.agents[4].name",
    }
    assert all(message.endswith(".") for message in found.values())
    assert "${NO:-default}" in found["spec.agents[0].env.B"]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"kind": "Deployment", "spec": {"agents": [{"name": "a"}]}}, "kind"),
        (document(), "spec.agents"),
        ({"kind": "AgentDeployment"}, "spec"),
        ({"kind": "AgentDeployment", "spec": {"agents": {}}}, "spec.agents"),
        ({"kind": "AgentDeployment", "spec": {"agents": [{"name": "a"}], "image": "x"}}, "spec.image"),
        (document({"name": "a"}, apiVersion="v9"), "apiVersion"),
        (document({"name": "a", "replicas": 2}, {"name": "a-1"}), "spec.agents[1].name"),
        (document(*({"name": f"a{number}", "replicas": 100} for number in range(3))), "spec.agents"),
        ({"name": "backup"}, "name"),
        ({"name": "0192aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"}, "name"),
        ({"name": "a", "image": "a b"}, "image"),
        ({"name": "n" * 62, "replicas": 10}, "$"),
        ({"name": "a", "volumes": ["x:/d", "y:/d"]}, "$"),
        ({"name": "a", "env": []}, "env"),
        ({"name": "a", "resources": {"cpu": 10**400}}, "resources.cpu"),
    ],
)
def test_single_faults(data: Any, path: str) -> None:
    assert path in faults(data)


@pytest.mark.parametrize("data", [None, [], "text", 3, {"spec": [[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]}])
def test_what_is_no_document(data: Any) -> None:
    with pytest.raises(InvalidInput):
        read_document(data)


def test_directories_of_the_machine() -> None:
    def wants(host: str) -> dict[str, Any]:
        return {"name": "a", "volumes": [{"host": host, "path": "/d"}]}

    (agent,) = read_document(wants("/srv/data/x"), None, ["/srv/data"])
    assert agent.volumes[0].host == "/srv/data/x"
    for outside in ("/srv/database", "/srv", "/etc", "/srv/data/../x", "data", "./data"):
        assert "volumes[0].host" in faults(wants(outside), None, ["/srv/data"])
    assert "AFLOW_VOLUME_DIRS" in faults(wants("/srv/data"))["volumes[0].host"]
