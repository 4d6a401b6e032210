"""Deployed agents on a whole platform, whose processes are killed at the worst moments."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.live_platform import LivePlatform

SLOW = "import time\ndef main(seconds):\n    time.sleep(seconds)\n    return seconds\n"


@pytest.fixture
def worker(platform: LivePlatform) -> Iterator[str]:
    """A deployed agent that is well."""
    made = platform.http.post("agents/", json={"name": "worker", "healthCheck": {"interval": "1s"}})
    assert made.status_code == 201, made.text
    until(lambda: platform.http.get("agents/worker/").json()["health"] == "ok")
    yield "agents/worker/"
    assert platform.http.delete("agents/worker/").status_code == 204


def until(condition: Callable[[], Any], patience: float = 120.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.1)


def pid_of(platform: LivePlatform, name: str) -> int:
    """Of the process of that name, which the supervisor starts again. Asking takes seconds, in which the work
    it is to be killed in the middle of may end: so it is done before."""
    told = json.loads(platform.aflow("status", "--json").stdout)
    (pid,) = (process["pid"] for process in told["processes"] if process["name"] == name)
    return int(pid)


def states(platform: LivePlatform, agent: str) -> list[tuple[str, str | None, int]]:
    """Of its requests, the oldest first."""
    found = platform.http.get(f"{agent}requests/").json()["results"]
    return [(row["state"], row["reason"], row["attempts"]) for row in reversed(found)]


def test_the_controller_is_killed_in_the_middle_of_a_delivery(platform: LivePlatform, worker: str) -> None:
    """What was on its way is interrupted and told so; what waited is delivered, once."""
    controller = pid_of(platform, "controller")
    for seconds in (6, 0, 0):
        body = {"input": {"seconds": seconds}, "code": SLOW}
        answer = platform.http.post(f"{worker}invoke", json=body, headers={"Prefer": "respond-async"})
        assert answer.status_code == 202
    until(lambda: states(platform, worker)[0][0] == "processing")
    os.kill(controller, signal.SIGKILL)
    until(lambda: all(state in ("completed", "failed") for state, _, _ in states(platform, worker)))
    assert states(platform, worker) == [
        ("failed", "interrupted", 1),
        ("completed", None, 1),
        ("completed", None, 1),
    ]


def test_the_web_process_is_killed_while_somebody_waits(platform: LivePlatform, worker: str) -> None:
    def ask() -> None:
        with pytest.raises(httpx.HTTPError):
            platform.http.post(f"{worker}invoke", json={"input": {"seconds": 6}, "code": SLOW})

    web = pid_of(platform, "web")
    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: states(platform, worker) == [("processing", None, 1)])
    os.kill(web, signal.SIGKILL)
    asking.join(60)
    until(lambda: _answers(platform))
    until(lambda: states(platform, worker) == [("failed", "interrupted", 1)])
    request = platform.http.get(f"{worker}requests/").json()["results"][0]["id"]
    again = platform.http.post(f"{worker}requests/{request}/replay/", timeout=90)
    assert (again.status_code, again.json()["output"]) == (200, 6)
    assert states(platform, worker) == [("completed", None, 2)]


def _answers(platform: LivePlatform) -> bool:
    try:
        httpx.get(f"{platform.url}/healthz", timeout=2)
    except httpx.HTTPError:
        return False
    return True
