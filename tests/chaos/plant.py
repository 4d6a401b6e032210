"""A whole platform for chaos: real processes, a Docker Engine of its own, and the rows as its witnesses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import redis

from aflow_site.supervision import supervisor_client
from aflow_site.supervision.layout import Layout
from aflow_site.supervision.supervisor_client import ProcessState
from tests.chaos.clock import Clock
from tests.chaos.engine import DockerEngine
from tests.live_platform import ROOT, LivePlatform

WORKFLOW = "chaos"
ITEMS = 500
POOL = 4

LIST = """
import pathlib
import sysconfig

def main(count):
    root = pathlib.Path(sysconfig.get_path("stdlib"))
    return [str(path) for path in sorted(root.rglob("*.py"))[:count]]
"""
COUNT = """
import re
import time

def main(path):
    time.sleep(0.012)
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    return {"lines": text.count("\\n"), "functions": len(re.findall(r"^\\s*(?:async )?def ", text, re.M))}
"""
TOTAL = """
def main(results):
    return {
        "files": len(results),
        "lines": sum(result["lines"] for result in results),
        "functions": sum(result["functions"] for result in results),
    }
"""
DOCUMENT: dict[str, Any] = {
    "name": WORKFLOW,
    "steps": [
        {"id": "list", "type": "task", "run": {"code": LIST}, "input": {"count": ITEMS}},
        {
            "id": "count",
            "type": "map",
            "needs": ["list"],
            "over": "${steps.list.output}",
            "as": "path",
            "run": {"code": COUNT},
            "pool": {"size": POOL, "warm_up": True, "max_uses": 100_000},
            "timeout": "30s",
        },
        {"id": "total", "type": "reduce", "needs": ["count"], "run": {"code": TOTAL}},
    ],
}


class Plant:
    """`start` and `stop` around everything else. `patience`: seconds in which a run must have ended."""

    patience = 120.0

    def __init__(self, directory: Path, **environment: str) -> None:
        self.engine = DockerEngine(directory / "docker")
        self.clock = Clock(directory)
        environment = {"DOCKER_HOST": self.engine.url, **self.clock.environment, **environment}
        self.platform = LivePlatform(directory, **environment)
        self.expected: Any = None
        self._pids: dict[str, int] = {}

    def start(self) -> None:
        self.engine.start()
        self.platform.up("--no-examples", "--runtime", "docker")
        self.first_run(DOCUMENT)

    def first_run(self, document: dict[str, Any]) -> None:
        """Its output is what every later run is held to."""
        answer = self.platform.http.post("workflows/", json=document)
        assert answer.status_code == 201, answer.text
        self.expected = self.end_of(self.begin())["output"]

    def stop(self) -> None:
        try:
            self.platform.down()
        finally:
            self.engine.stop()

    # --- runs ------------------------------------------------------------------------------------

    def begin(self) -> UUID:
        run: dict[str, Any] = self.patiently(
            lambda: self.platform.http.post(f"workflows/{WORKFLOW}/runs/", json={})
        )
        return UUID(run["id"])

    def end_of(self, run_id: UUID, seconds: float | None = None) -> dict[str, Any]:
        """The run, once it has ended by itself; within its `patience`, unless `seconds` are told."""
        patience = seconds or self.patience
        until = time.monotonic() + patience
        while time.monotonic() < until:
            run: dict[str, Any] = self.get(f"runs/{run_id}/")
            if run["state"] in ("completed", "failed", "cancelled"):
                return run
            time.sleep(0.1)
        raise AssertionError(f"run {run_id} did not end in {patience:g} s: {self.get(f'runs/{run_id}/')}")

    def get(self, path: str) -> Any:
        return self.patiently(lambda: self.platform.http.get(path))

    def patiently(self, ask: Callable[[], Any], seconds: float = 30) -> Any:
        """The web process may be the one that is away."""
        import httpx

        until = time.monotonic() + seconds
        while True:
            try:
                answer = ask()
                if answer.status_code < 500:
                    assert answer.status_code < 400, answer.text
                    return answer.json()
            except httpx.TransportError:
                pass
            assert time.monotonic() < until, "the API did not come back"
            time.sleep(0.1)

    # --- the rows --------------------------------------------------------------------------------

    @property
    def database(self) -> Path:
        return self.platform.data_dir / "db.sqlite3"

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(sql, values).fetchall()

    def completed(self, run_id: UUID) -> int:
        ((count,),) = self.rows(
            "SELECT count(*) FROM workflows_item i JOIN workflows_step s ON s.id = i.step_id "
            "WHERE s.run_id = ? AND i.state = 'completed'",
            run_id.hex,
        )
        return int(count)

    def running(self, run_id: UUID) -> list[int]:
        found = self.rows(
            'SELECT i."index" FROM workflows_item i JOIN workflows_step s ON s.id = i.step_id '
            "WHERE s.run_id = ? AND i.state = 'running'",
            run_id.hex,
        )
        return [int(index) for (index,) in found]

    def driver_of(self, run_id: UUID) -> str | None:
        """The name of the process that drives the run, such as executor-0."""
        found = self.rows(
            "SELECT e.name FROM workflows_run r JOIN workflows_executor e ON e.id = r.claimed_by "
            "WHERE r.id = ?",
            run_id.hex,
        )
        return str(found[0][0]).rpartition(":")[2] if found else None

    # --- the processes ---------------------------------------------------------------------------

    def processes(self) -> list[ProcessState]:
        """As `./aflow status` tells them, without a second for the command."""
        return supervisor_client.processes(Layout(self.platform.data_dir))

    def look_at_processes(self) -> None:
        """Asking takes a second, in which a run may be over: so it is done before one begins."""
        self._pids = {process.name: int(process.pid or 0) for process in self.processes()}

    def pid(self, name: str) -> int:
        return self._pids[name]

    def send(self, name: str, what: signal.Signals) -> None:
        os.kill(self.pid(name), what)

    @property
    def settings(self) -> dict[str, str]:
        """The environment that the platform's processes have."""
        return {
            **self.platform.environment,
            "DJANGO_SETTINGS_MODULE": "aflow_site.settings.prod",
            **json.loads((self.platform.data_dir / "run" / "environment.json").read_text()),
        }

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.settings["REDIS_URL"])

    def in_django(self, code: str) -> None:
        """Runs code in a process of its own with the platform's settings."""
        prelude = "import django; django.setup()\n"
        subprocess.run([sys.executable, "-c", prelude + code], env=self.settings, cwd=ROOT, check=True)


@contextmanager
def running_plant(**environment: str) -> Iterator[Plant]:
    """In a directory that goes at the end."""
    directory = Path(tempfile.mkdtemp(prefix="aflow-chaos-"))
    plant = Plant(directory, **environment)
    try:
        plant.start()
        yield plant
    finally:
        plant.stop()
        shutil.rmtree(directory, ignore_errors=True)
