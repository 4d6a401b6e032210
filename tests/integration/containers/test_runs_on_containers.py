"""The main job on a whole platform: real processes, real Redis, real containers, through the API."""

from __future__ import annotations

import os
import signal
import time
from ipaddress import ip_network
from typing import Any

import docker
import pytest

from tests.fakes.outside import outside
from tests.live_platform import ROOT, LivePlatform

pytestmark = pytest.mark.docker

FINAL = ("completed", "failed", "cancelled")


def deploy(platform: LivePlatform, document: dict[str, Any]) -> None:
    answer = platform.http.post("workflows/", json=document)
    if answer.status_code == 409:
        answer = platform.http.put(f"workflows/{document['name']}/", json=document, headers={"If-Match": "*"})
    assert answer.status_code in (200, 201), answer.text


def start(platform: LivePlatform, name: str, **params: Any) -> str:
    answer = platform.http.post(f"workflows/{name}/runs/", json={"params": params})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def get(platform: LivePlatform, path: str) -> Any:
    answer = platform.http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def until(look: Any, seconds: float = 60) -> Any:
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def ended(platform: LivePlatform, run_id: str, seconds: float = 60) -> dict[str, Any]:
    def look() -> Any:
        run = get(platform, f"runs/{run_id}/")
        return run if run["state"] in FINAL else None

    return dict(until(look, seconds))


def map_of(name: str, code: str, count: int, **more: Any) -> dict[str, Any]:
    step = {"id": "m", "type": "map", "over": list(range(count)), "run": {"code": code}, **more}
    return {"name": name, "steps": [step]}


SLOW = "import time\n\ndef main(item):\n    time.sleep(0.1)\n    return item * 2\n"


def items_of(platform: LivePlatform, run_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = get(platform, f"runs/{run_id}/steps/m/items/?limit=500")["results"]
    return rows


def test_the_census_equals_a_plain_script_in_the_same_image(platform: LivePlatform) -> None:
    platform.http.post(
        "workflows/",
        content=(ROOT / "examples" / "code-census.yaml").read_bytes(),
        headers={"Content-Type": "application/yaml"},
    )
    done = platform.aflow("verify", "code-census", timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_container_killed_under_its_item_costs_nothing(platform: LivePlatform) -> None:
    deploy(platform, map_of("killed", SLOW, 60, pool={"size": 3, "max_uses": 1000}))
    run_id = start(platform, "killed")
    until(lambda: get(platform, f"runs/{run_id}/steps/")["results"][0]["counts"]["completed"] > 5)
    agents = get(platform, "agents/?pool=killed-m")["results"]
    victim = next(agent for agent in agents if agent["state"] == "active")
    engine = docker.from_env()
    engine.containers.get(victim["container"]).kill()
    engine.close()
    run = ended(platform, run_id)
    assert (run["state"], run["output"]) == ("completed", [i * 2 for i in range(60)])
    items = items_of(platform, run_id)
    assert [item["index"] for item in items] == list(range(60))
    assert {item["state"] for item in items} == {"completed"}
    assert max(item["attempts"] for item in items) == 2  # somebody was struck in the middle
    until(lambda: get(platform, "pools/killed-m/")["states"]["idle"] == 3)


def test_an_executor_killed_in_the_middle_costs_seconds(platform: LivePlatform) -> None:
    deploy(platform, map_of("orphaned", SLOW, 80, pool={"size": 3, "max_uses": 1000}))
    run_id = start(platform, "orphaned")
    until(lambda: get(platform, f"runs/{run_id}/steps/")["results"][0]["counts"]["completed"] > 5)
    executors = [p for p in platform.status()["processes"] if p["name"].startswith("executor")]
    for executor in executors:
        os.kill(executor["pid"], signal.SIGKILL)
    run = ended(platform, run_id, 90)
    assert (run["state"], run["output"]) == ("completed", [i * 2 for i in range(80)])
    items = items_of(platform, run_id)
    assert [item["index"] for item in items] == list(range(80))
    assert {item["state"] for item in items} == {"completed"}
    log = get(platform, f"runs/{run_id}/events/?limit=500")["results"]
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
    until(lambda: get(platform, "pools/orphaned-m/")["leases"] == 0)


def test_a_mapper_that_raises_shows_its_traceback(platform: LivePlatform) -> None:
    code = "def main(item):\n    values = [1, 2, 3]\n    print('looking at', item)\n    return values[item]\n"
    deploy(platform, map_of("raising", code, 5, error_strategy="continue"))
    run = ended(platform, start(platform, "raising"))
    assert (run["state"], run["output"]) == ("completed", [1, 2, 3, None, None])
    item = items_of(platform, run["id"])[4]
    assert (item["state"], item["error"]["type"]) == ("failed", "IndexError")
    assert "return values[item]" in item["error"]["traceback"]
    lines = get(platform, f"runs/{run['id']}/logs/?item=4")["results"]
    assert [(line["stream"], line["text"]) for line in lines] == [("stdout", "looking at 4")]
    deploy(platform, map_of("raising", code, 5, error_strategy="fail_fast"))
    run = ended(platform, start(platform, "raising"))
    assert run["state"] == "failed"
    assert "list index out of range" in run["error"]["message"]


def test_a_step_that_runs_too_long_is_stopped(platform: LivePlatform) -> None:
    code = "import time\n\ndef main():\n    time.sleep(60)\n"
    step = {"id": "a", "type": "task", "run": {"code": code}, "timeout": "1s"}
    deploy(platform, {"name": "too-long", "steps": [step]})
    run = ended(platform, start(platform, "too-long"), 30)
    assert (run["state"], run["error"]["type"]) == ("failed", "timeout")


def test_cancelling_stops_the_bodies(platform: LivePlatform) -> None:
    code = "import time\n\ndef main(item):\n    time.sleep(60)\n"
    deploy(platform, map_of("stopped", code, 6, pool={"size": 2}))
    run_id = start(platform, "stopped")
    until(lambda: get(platform, f"runs/{run_id}/steps/")["results"][0]["counts"]["running"] > 0)
    assert platform.http.post(f"runs/{run_id}/cancel/").status_code == 202
    run = ended(platform, run_id, 15)
    assert run["state"] == "cancelled"
    assert {item["state"] for item in items_of(platform, run_id)} == {"cancelled"}
    until(lambda: get(platform, "pools/stopped-m/")["leases"] == 0)


def test_step_code_cannot_reach_out_of_its_container(platform: LivePlatform) -> None:
    code = """
import os, socket

def attempt(function):
    try:
        function()
        return "reached"
    except OSError as error:
        return type(error).__name__

def connect(address, port):
    return lambda: socket.create_connection((address, port), timeout=2).close()

def main(gateway, host, port):
    return {
        "uid": os.getuid(),
        "write": attempt(lambda: open("/etc/x", "w")),
        "scratch": attempt(lambda: open("/tmp/x", "w").close()),
        "docker": os.path.exists("/var/run/docker.sock"),
        "itself": attempt(connect("127.0.0.1", 8000)),
        "outside": attempt(connect(host, port)),
        "platform": attempt(connect(gateway, PORT)),
    }
""".replace("PORT", str(platform.port))
    engine = docker.from_env()
    agents = until(lambda: get(platform, "agents/?pool=python")["results"])
    container = engine.containers.get(agents[0]["container"])
    (network,) = container.attrs["NetworkSettings"]["Networks"].values()
    subnet = ip_network(f"{network['IPAddress']}/{network['IPPrefixLen']}", strict=False)
    with outside(engine, container.attrs["Image"]) as (host, port):
        values = {"gateway": str(subnet[1]), "host": host, "port": port}
        step = {"id": "a", "type": "task", "run": {"code": code}, "input": values}
        deploy(platform, {"name": "reaching", "steps": [step]})
        run = ended(platform, start(platform, "reaching"))
    engine.close()
    assert run["state"] == "completed", run["error"]
    found = run["output"]
    assert found["itself"] == "reached"
    assert found["uid"] == 10001
    assert found["scratch"] == "reached"
    assert found["docker"] is False
    assert "reached" not in (found["write"], found["outside"], found["platform"])
