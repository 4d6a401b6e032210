"""A real agent in a process of its own, and a client that speaks to it over a real socket."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import orjson

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "a-token-of-this-test"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    headers: dict[str, str]
    raw: bytes

    @property
    def lines(self) -> list[Any]:
        return [orjson.loads(line) for line in self.raw.split(b"\n") if line]

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [line["log"] for line in self.lines if "log" in line]

    @property
    def json(self) -> Any:
        """The answer object (the last line of a streamed answer), without the time its bodies took."""
        answer = self.lines[-1]
        if isinstance(answer, dict):
            answer.pop("seconds", None)
        return answer

    @property
    def seconds(self) -> float:
        return float(self.lines[-1]["seconds"])

    @property
    def error(self) -> Any:
        return self.json["error"]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, dedent(text))
    return buffer.getvalue()


def until(true: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


class RunningAgent:
    """`script` is the program of a custom agent; without one it is the built-in agent."""

    def __init__(self, scratch: Path, script: str = "", *, own_group: bool = False, **env: str) -> None:
        self.scratch = scratch
        port_file = scratch / "port"
        program = ["-c", dedent(script)] if script else ["-m", "agentainer_flow.agent"]
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", *program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=scratch,
            start_new_session=own_group,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "TMPDIR": str(scratch),
                "AGENTAINER_HOST": "127.0.0.1",
                "AGENTAINER_PORT": "0",
                "AGENTAINER_PORT_FILE": str(port_file),
                "AGENTAINER_TOKEN": TOKEN,
                "AGENTAINER_AGENT_ID": "agent-1",
                "AGENTAINER_POOL": "python",
                **env,
            },
        )
        assert self.process.stdout is not None
        self.printed: list[str] = []  # up to the line that tells where it listens
        while not self.printed or not self.printed[-1].startswith("listening on "):
            self.printed.append(self.process.stdout.readline().decode())
            if not self.printed[-1]:
                raise AssertionError(self.process.communicate()[1].decode())
        self.port = int(port_file.read_text())

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def send(
        self, method: str, path: str, body: bytes = b"", token: str | None = TOKEN, **headers: str
    ) -> Answer:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(client):
            client.request(method, path, body, headers)
            response = client.getresponse()
            raw = response.read()
            kind = response.headers.get("Content-Type", "")
            return Answer(response.status, kind, dict(response.headers), raw)

    def post(self, path: str, value: Any) -> Answer:
        return self.send("POST", path, json.dumps(value).encode())

    def run(self, source: str, value: Any = None, **more: Any) -> Answer:
        """One request of a code step; `context` may be given, or `inputs` instead of the input."""
        source = dedent(source)
        request = {"runs": {"code": sha256(source.encode())}, "source": source, **more}
        if "inputs" not in more:
            request["input"] = value
        return self.post("/invoke", request)

    def output(self, source: str, value: Any = None, **more: Any) -> Any:
        answer = self.run(source, value, **more)
        assert answer.status == 200, answer
        assert "output" in answer.json, answer.json
        return answer.json["output"]

    def command(self, words: list[str], value: Any = None, **more: Any) -> Answer:
        """One request of a command step; `context` may be given, or `inputs` instead of the input."""
        request = {"runs": {"command": words}, **more}
        if "inputs" not in more:
            request["input"] = value
        return self.post("/invoke", request)

    def shell(self, script: str, value: Any = None, **more: Any) -> Answer:
        return self.command(["/bin/sh", "-c", dedent(script)], value, **more)

    def put(self, bundle: bytes, sha: str | None = None) -> Answer:
        return self.send("PUT", f"/bundles/{sha or sha256(bundle)}", bundle)

    def handler(self, bundle: bytes, target: str, value: Any = None, **more: Any) -> Answer:
        runs = {"handler": target, "bundle": sha256(bundle)}
        return self.post("/invoke", {"runs": runs, "input": value, **more})

    def started(self, source: str, extra: dict[str, Any] | None = None, **more: Any) -> Background:
        """The request runs in a thread; returns when its body has begun. `extra` is added to its input."""
        return Background(self, source, extra or {}, more)

    def children(self) -> list[int]:
        """All processes below the agent's."""
        found, waiting = [], [self.process.pid]
        while waiting:
            listing = Path(f"/proc/{waiting.pop()}/task").glob("*/children")
            below = [int(pid) for path in listing for pid in path.read_text().split()]
            found += below
            waiting += below
        return found

    def end(self) -> int:
        """The exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        return self.process.returncode


class Background:
    """A request whose answer comes later. Its body tells that it runs by making the file `begun`."""

    def __init__(self, agent: RunningAgent, source: str, extra: dict[str, Any], more: dict[str, Any]) -> None:
        self.answer: Answer | None = None
        self._mark = agent.scratch / f"begun-{time.monotonic_ns()}"
        self._thread = threading.Thread(target=self._run, args=(agent, source, extra, more), daemon=True)
        self._thread.start()
        until(self._mark.exists)

    def _run(self, agent: RunningAgent, source: str, extra: dict[str, Any], more: dict[str, Any]) -> None:
        self.answer = agent.run(source, {"begun": str(self._mark), **extra}, **more)

    def wait(self) -> Answer:
        self._thread.join(20)
        assert self.answer is not None
        return self.answer


SLEEPER = """
    import pathlib, time
    def main(begun, seconds=60):
        pathlib.Path(begun).touch()
        time.sleep(seconds)
        return "slept"
"""


@contextlib.contextmanager
def agent_in(
    scratch: Path, script: str = "", *, own_group: bool = False, **env: str
) -> Iterator[RunningAgent]:
    running = RunningAgent(scratch, script, own_group=own_group, **env)
    try:
        yield running
    finally:
        running.end()
