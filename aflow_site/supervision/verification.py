"""Computes an example twice, on the platform and as a plain script beside an agent, and compares.

The plain script runs in what the agents run in: the same image, or this interpreter for the process runtime.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from aflow_site.supervision.examples import DIRECTORY
from aflow_site.supervision.runtime_choice import ON_DOCKER
from aflow_site.supervision.troubles import PlatformTrouble
from pools.facade import api as pools

PLAIN_SECONDS = 300


def names() -> list[str]:
    """The examples that have a plain twin: `NAME_plain.py` beside `NAME.yaml`, dashes as underscores."""
    return [file.stem for file in sorted(DIRECTORY.glob("*.yaml")) if _script(file.stem).exists()]


def _script(name: str) -> Path:
    return DIRECTORY / f"{name.replace('-', '_')}_plain.py"


def plain(name: str, runtime: str) -> dict[str, Any]:
    """What the plain script prints. Raises: PlatformTrouble when it fails."""
    script = _script(name)
    if not script.exists():
        raise PlatformTrouble(
            f"{name} has no plain script to compare with: choose from {', '.join(names())}."
        )
    printed = _in_container(script.read_text()) if runtime in ON_DOCKER else _here(script)
    try:
        report: dict[str, Any] = json.loads(printed)
    except ValueError as exc:
        raise PlatformTrouble(f"{script} did not print JSON: {exc}.") from exc
    return report


def _here(script: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-I", str(script)],
        capture_output=True,
        text=True,
        timeout=PLAIN_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise PlatformTrouble(f"{script} failed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def _in_container(source: str) -> str:
    import docker
    from docker.errors import DockerException

    image = pools.prepare_runtime()
    try:
        client = docker.from_env(timeout=PLAIN_SECONDS)
        try:
            output: bytes = client.containers.run(
                image,
                entrypoint=["python3", "-I", "-c", source],
                command=[],
                remove=True,
                network_mode="none",
            )
        finally:
            client.close()
    except DockerException as exc:
        raise PlatformTrouble(f"The plain script failed in {image}: {exc}.") from exc
    return output.decode()


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The names under which the two reports differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
