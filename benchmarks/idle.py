"""The time from `./aflow up` to ready, and the memory of a platform that has nothing to do.

    ./aflow bench idle [--repeat N] [--runtime docker|process]

Starts a platform of its own in a temporary directory (the first start is not measured), stops and starts it
again, then lets it rest. Memory is the proportional set size (PSS) of the supervisor and all its processes,
which counts a shared page once; the agents of the pool `python` are told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from aflow_site.supervision.redis_server import free_port
from benchmarks.platform import report

ROOT = Path(__file__).resolve().parent.parent
OWN_SETTINGS = ("AFLOW_", "REDIS_URL", "DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "DJANGO_")


class Throwaway:
    """A platform in a directory of its own, beside whatever else runs."""

    def __init__(self, directory: str, runtime: str) -> None:
        self._options = ("--data-dir", directory)
        self._start = ("--detach", "--no-examples", "--port", str(free_port()), "--runtime", runtime)
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(OWN_SETTINGS)
        }

    def aflow(self, verb: str, *arguments: str) -> str:
        command = (sys.executable, str(ROOT / "manage.py"), verb, *self._options, *arguments)
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"aflow {verb} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def up(self) -> float:
        """Seconds until `./aflow up --detach` returned: /readyz answers then."""
        begun = time.perf_counter()
        self.aflow("up", *self._start)
        return time.perf_counter() - begun

    def memory_mb(self) -> dict[str, float]:
        """MB by process, and of the supervisor above them."""
        pids = self.processes()
        pids["supervisor"] = psutil.Process(pids["web"]).ppid()
        return {name: psutil.Process(pid).memory_full_info().pss / 1e6 for name, pid in pids.items()}

    def processes(self) -> dict[str, int]:
        """Their pids, by name."""
        status: dict[str, Any] = json.loads(self.aflow("status", "--json"))
        return {process["name"]: process["pid"] for process in status["processes"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--runtime", default="docker", choices=("docker", "process"))
    parser.add_argument("--rest", type=float, default=15.0, help="seconds of quiet before memory is read")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aflow-idle-") as directory:
        platform = Throwaway(directory, options.runtime)
        platform.up()
        starts = []
        try:
            for _ in range(options.repeat):
                platform.aflow("down")
                starts.append(platform.up())
            time.sleep(options.rest)
            memory = platform.memory_mb()
        finally:
            platform.aflow("down")
    report("start", "second start until ready", starts, "s")
    parts = {name: round(value, 1) for name, value in sorted(memory.items())}
    report("memory", "the whole platform, idle", [sum(memory.values())], "MB", parts=parts)


if __name__ == "__main__":
    main()
