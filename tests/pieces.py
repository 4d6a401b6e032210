"""Pieces that tests need and a machine may lack.

One that is missing skips its tests and says why; where AFLOW_TEST_REQUIRE names it, as in CI, they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from typing import NoReturn

import pytest

from tests.chaos import clock
from tests.chaos.apart import MARK
from tests.swarm.hosts import PROGRAMS


def lack(name: str, problem: str) -> NoReturn:
    """Ends the test that needs the piece of that name."""
    required = {part.strip() for part in os.environ.get("AFLOW_TEST_REQUIRE", "").split(",")}
    if REQUIRED_WITH.get(name, name) in required:
        pytest.fail(f"{name} is required here, and {problem}", pytrace=False)
    pytest.skip(problem)


def browser_path() -> str | None:
    named = os.environ.get("AFLOW_TEST_BROWSER")
    return named or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


def _browser_problem() -> str | None:
    return None if browser_path() else "no Chromium is installed (Debian: apt-get install chromium)"


@cache
def _docker_problem() -> str | None:
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=5)
        client.ping()
        client.close()
    except DockerException as exc:
        return f"no Docker Engine answers ({exc})"
    return None


def _missing(programs: tuple[str, ...]) -> str | None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        return f"Docker hosts of the tests' own need root, and {', '.join(missing or programs)}"
    return None


def _chaos_problem() -> str | None:
    return _missing(("dockerd", clock.COMPILER))


def _swarm_problem() -> str | None:
    alone = "they want a network of their own: python tests/chaos/apart.py python -m pytest -m swarm …"
    return _missing(PROGRAMS) or (None if MARK in os.environ else alone)


PIECES: dict[str, Callable[[], str | None]] = {
    "docker": _docker_problem,
    "chaos": _chaos_problem,
    "swarm": _swarm_problem,
    "browser": _browser_problem,
}
# They make Docker Engines of their own: who requires Docker means them too.
REQUIRED_WITH = {"chaos": "docker", "swarm": "docker"}
