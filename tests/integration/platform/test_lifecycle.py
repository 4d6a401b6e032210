"""A platform's life on real processes: up, seen, hurt, seen again, down, and nothing left."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest

from aflow_site.supervision import orphans, supervisor_client
from aflow_site.supervision.layout import Layout
from aflow_site.supervision.supervisor_client import ProcessState
from tests.live_platform import ROOT, LivePlatform

NAMES = {"redis", "web", "executor-0", "executor-1", "controller"}


def eventually(condition: Callable[[], Any], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.2)


def left_behind(live: LivePlatform) -> list[psutil.Process]:
    """Processes of this platform, agents included (their state files lie in its directory)."""
    layout = Layout(live.data_dir)
    agents = [json.loads(file.read_text())["pid"] for file in live.data_dir.glob("agents/*.json")]
    alive = [psutil.Process(pid) for pid in agents if psutil.pid_exists(pid)]
    return [*orphans.find(layout.instance(), layout.redis), *alive]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePlatform]:
    """In a directory whose path has a space, and is too long for a Unix socket."""
    directory = tmp_path_factory.mktemp("a directory with spaces and a long name " + "x" * 60)
    live = LivePlatform(directory)
    live.up("--no-examples", "--runtime", "process")
    try:
        yield live
    finally:
        live.down()


def processes(live: LivePlatform) -> dict[str, ProcessState]:
    return {process.name: process for process in supervisor_client.processes(Layout(live.data_dir))}


def test_status_tells_every_process(live: LivePlatform) -> None:
    status = live.status()
    assert set(status) == {"url", "runtime", "database", "redis", "processes"}
    assert status["url"] == live.url
    assert status["runtime"] == "process"
    assert status["database"].startswith("sqlite:///")
    assert "***" in status["redis"]
    for process in status["processes"]:
        assert set(process) == {"name", "pid", "state", "restarts"}
        assert (process["state"], process["restarts"]) == ("running", 0)
    assert {process["name"] for process in status["processes"]} == NAMES


def test_the_first_start_leaves_a_login_that_works(live: LivePlatform) -> None:
    assert set(live.credentials) == {"url", "username", "password", "token"}
    for name in ("credentials.json", "secret_key", "redis/redis.conf", "run/environment.json"):
        assert stat.S_IMODE((live.data_dir / name).stat().st_mode) == 0o600, name
    assert live.http.get("me/").json()["username"] == live.credentials["username"]
    assert live.http.get("pools/python/").status_code == 200


def test_secrets_are_not_on_any_command_line(live: LivePlatform) -> None:
    password = (live.data_dir / "redis" / "password").read_text().strip()
    for process in processes(live).values():
        assert password not in " ".join(psutil.Process(process.pid).cmdline())


@pytest.mark.parametrize("name", ["web", "executor-0", "controller", "redis"])
def test_a_process_that_dies_is_started_again_and_counted(live: LivePlatform, name: str) -> None:
    before = processes(live)[name]
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: processes(live)[name].restarts == before.restarts + 1)
    eventually(lambda: processes(live)[name].state == "running")
    assert processes(live)[name].pid != before.pid


def test_it_is_ready_again_afterwards(live: LivePlatform) -> None:
    def ready() -> bool:
        try:
            return httpx.get(f"{live.url}/readyz", trust_env=False, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    eventually(ready)


def test_a_second_start_says_that_it_runs(live: LivePlatform) -> None:
    again = live.aflow("up", "--detach", "--port", str(live.port))
    assert (again.returncode, live.url in again.stdout) == (0, True)
    elsewhere = live.aflow("up", "--detach", "--port", str(live.port + 1))
    assert elsewhere.returncode == 1
    assert live.url in elsewhere.stderr


def test_logs_and_doctor(live: LivePlatform) -> None:
    assert "Listening on" in live.aflow("logs", "web", "-n", "1000").stdout
    unknown = live.aflow("logs", "nobody")
    assert unknown.returncode == 1
    assert "executor-0" in unknown.stderr
    told = json.loads(live.aflow("doctor", "--json").stdout)
    by_name = {check["name"]: check for check in told["checks"]}
    assert by_name["Redis"]["ok"]
    assert by_name["Database"]["ok"]
    assert by_name["Port"]["found"].endswith("the platform's own")


def test_down_leaves_nothing_and_a_second_down_is_content(live: LivePlatform) -> None:
    live.down()
    assert left_behind(live) == []
    stopped = live.aflow("status", "--json")
    assert stopped.returncode == 3
    assert json.loads(stopped.stdout)["processes"] == []
    live.down()


def test_the_second_start_keeps_the_login_and_ends_on_a_signal(live: LivePlatform) -> None:
    """The foreground: what Ctrl-C, or a service manager, ends."""
    live.down()
    before = (live.data_dir / "credentials.json").read_text()
    arguments = ["up", "--data-dir", str(live.data_dir), "--port", str(live.port), "--no-examples"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), *arguments, "--runtime", "process"],
        env=live.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Ctrl-C" in line:
            break
    assert (live.data_dir / "credentials.json").read_text() == before
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert left_behind(live) == []


def test_down_cleans_up_after_a_supervisor_that_was_killed(live: LivePlatform) -> None:
    live.up("--no-examples", "--runtime", "process")
    supervisor = int((live.data_dir / "run" / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: processes(live) == {})
    assert left_behind(live) != []
    live.down()
    assert left_behind(live) == []
