"""Commands on a whole platform, in an image that knows nothing of agents: what they give, and bad luck."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest

from tests.fakes.images import SHELL, make_images, remove_images
from tests.integration.containers.test_runs_on_containers import (
    deploy,
    ended,
    get,
    items_of,
    start,
    until,
)
from tests.live_platform import LivePlatform

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    make_images(client)
    yield client
    client.close()


@pytest.fixture(scope="module", autouse=True)
def images(engine: docker.DockerClient, platform: LivePlatform) -> Iterator[None]:
    yield
    for pool in get(platform, "pools/")["results"]:
        if pool["image"] == SHELL:
            platform.http.delete(f"pools/{pool['name']}/?force=true")
    label = f"agentainer.commands-of={SHELL}"
    until(lambda: not engine.api.containers(all=True, filters={"label": label}))
    remove_images(engine)


def command(name: str, script: str, **more: Any) -> dict[str, Any]:
    run = {"command": script, "image": SHELL}
    return {"name": name, "steps": [{"id": "m", "type": "task", "run": run, "pool": {"size": 1}, **more}]}


def agent_of(platform: LivePlatform, pool: str) -> str:
    def idle() -> Any:
        agents = get(platform, f"agents/?pool={pool}")["results"]
        return [agent["id"] for agent in agents if agent["state"] == "idle"]

    return str(until(idle)[0])


def test_an_image_without_python_does_a_step(platform: LivePlatform) -> None:
    deploy(platform, command("tools", "echo working >&2; sort", input=7))
    run = ended(platform, start(platform, "tools"))
    assert (run["state"], run["output"]) == ("completed", 7), run["error"]
    pool = get(platform, "pools/tools-m/")
    assert (pool["image"], pool["commands"]) == (SHELL, True)
    lines = get(platform, f"runs/{run['id']}/logs/")["results"]
    assert [(line["stream"], line["text"]) for line in lines] == [("stderr", "working")]


def test_a_failure_is_told_with_its_last_words(platform: LivePlatform) -> None:
    deploy(platform, command("failing", "echo no such table >&2; exit 3"))
    run = ended(platform, start(platform, "failing"))
    assert (run["state"], run["error"]["type"]) == ("failed", "command_failed")
    assert "exit code 3. It last wrote: no such table" in run["error"]["message"]


def test_past_its_time_it_is_stopped_and_its_agent_serves_on(platform: LivePlatform) -> None:
    script = 'read -r input; case $input in *hang*) sleep 600;; esac; echo "$input"'
    document = command("hanging", script, timeout="2s", input="${params.what}")
    deploy(platform, {**document, "params": {"type": "object", "properties": {"what": {"type": "string"}}}})
    before = agent_of(platform, "hanging-m")
    run = ended(platform, start(platform, "hanging", what="hang"))
    assert (run["state"], run["error"]["type"]) == ("failed", "timeout")
    assert ended(platform, start(platform, "hanging", what="go"))["output"] == "go"
    assert agent_of(platform, "hanging-m") == before


def test_a_cancelled_command_gives_its_lease_back(platform: LivePlatform) -> None:
    deploy(platform, command("stopped-command", "sleep 600"))
    run_id = start(platform, "stopped-command")
    until(lambda: get(platform, f"runs/{run_id}/steps/m/")["state"] == "running")
    assert platform.http.post(f"runs/{run_id}/cancel/").status_code == 202
    assert ended(platform, run_id)["state"] == "cancelled"
    until(lambda: get(platform, "pools/stopped-command-m/")["leases"] == 0)
    agent_of(platform, "stopped-command-m")


def test_a_container_killed_under_its_command_costs_nothing(
    platform: LivePlatform, engine: docker.DockerClient
) -> None:
    step = {
        "id": "m",
        "type": "map",
        "over": list(range(40)),
        "input": "${item}",
        "run": {"command": "read -r n; sleep 0.2; echo $((n * 2))", "image": SHELL},
        "pool": {"size": 2, "max_uses": 1000},
    }
    deploy(platform, {"name": "killed-command", "steps": [step]})
    run_id = start(platform, "killed-command")
    until(lambda: get(platform, f"runs/{run_id}/steps/m/")["counts"]["completed"] > 3)

    def at_work() -> Any:
        agents = get(platform, "agents/?pool=killed-command-m")["results"]
        return [agent for agent in agents if agent["state"] == "active"]

    engine.containers.get(until(at_work)[0]["container"]).kill()
    run = ended(platform, run_id, 120)
    assert (run["state"], run["output"]) == ("completed", [n * 2 for n in range(40)])
    assert {item["state"] for item in items_of(platform, run_id)} == {"completed"}


def test_an_image_that_is_not_there_is_told(platform: LivePlatform) -> None:
    step = {"id": "a", "type": "task", "run": {"command": "ls", "image": "af-test/nothing:1"}}
    deploy(platform, {"name": "imageless", "steps": [{**step, "pool": {"size": 1}}]})
    problem = until(lambda: get(platform, "pools/imageless-a/")["problem"])
    assert "The image af-test/nothing:1 is not on this machine" in problem
