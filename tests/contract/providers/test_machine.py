"""The program on each machine, against instance metadata and a platform of this test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pools.providers import machine

TERMINATE = {"action": "terminate", "time": "2026-11-25T22:10:00Z"}


class Cloud(ThreadingHTTPServer):
    """`interruption` is what metadata says; `busy` requests of the platform are refused first. Keeps what
    it was told, by its path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.interruption: dict[str, str] | None = None
        self.busy = 0
        self.told: list[tuple[str, str | None, Any]] = []

    @property
    def settings(self) -> dict[str, str]:
        address = f"http://127.0.0.1:{self.server_address[1]}"
        return {"url": address, "token": "mine", "metadata": address}


class _Handler(BaseHTTPRequestHandler):
    server: Cloud

    def do_PUT(self) -> None:
        assert self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self._answer(200, b"imds-token" if self.path == "/latest/api/token" else b"")

    def do_GET(self) -> None:
        if self.headers["X-aws-ec2-metadata-token"] != "imds-token":
            self._answer(401, b"")
        elif self.path == "/latest/meta-data/spot/instance-action" and self.server.interruption:
            self._answer(200, json.dumps(self.server.interruption).encode())
        else:
            self._answer(404, b"")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.busy:
            self.server.busy -= 1
            self._answer(503, b"")
            return
        self.server.told.append((self.path, self.headers["Authorization"], body))
        invitation = {"address": "10.0.0.1:2377", "token": "SWMTKN-1"}
        self._answer(200, json.dumps(invitation if self.path.endswith("/join/") else {}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return None


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fake_docker(directory: Path, state: str) -> dict[str, str]:
    """An environment with a `docker` that notes how it was called."""
    program = directory / "docker"
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >>{directory}/calls\n'
        'case "$*" in\n'
        f"  *LocalNodeState*) echo {state};;\n"
        "  *NodeID*) echo node1;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"}


def test_a_notice_is_read_as_metadata_wants_and_told(cloud: Cloud) -> None:
    assert machine.look(cloud.settings) is False
    assert cloud.told == []
    cloud.interruption = TERMINATE
    assert machine.look(cloud.settings) is True
    assert cloud.told == [("/api/v1/machines/notice/", "Bearer mine", TERMINATE)]


def test_what_fails_is_tried_again(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "EVERY", 0.01)
    cloud.interruption, cloud.busy = TERMINATE, 2
    machine.until_done(machine.look, cloud.settings)
    assert [path for path, _, _ in cloud.told] == ["/api/v1/machines/notice/"]


@pytest.mark.parametrize(("state", "joins"), [("inactive", True), ("active", False)])
def test_it_joins_once_tells_who_it_is_and_waits_for_a_notice(
    cloud: Cloud, tmp_path: Path, state: str, joins: bool
) -> None:
    """As it runs on a machine: the program alone, with a file of settings."""
    cloud.interruption = TERMINATE
    settings = tmp_path / "machine.json"
    settings.write_text(json.dumps(cloud.settings))
    done = subprocess.run(
        [sys.executable, "-I", str(Path(machine.__file__)), str(settings)],
        env=fake_docker(tmp_path, state),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    paths = [path for path, _, _ in cloud.told]
    asked = ["/api/v1/machines/join/"] if joins else []
    assert paths == [*asked, "/api/v1/machines/joined/", "/api/v1/machines/notice/"]
    assert cloud.told[-2][2] == {"node": "node1"}
    joined = "swarm join --token SWMTKN-1 10.0.0.1:2377" in (tmp_path / "calls").read_text()
    assert joined is joins
