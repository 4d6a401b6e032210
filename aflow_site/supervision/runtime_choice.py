"""Where agents run: `auto` is Docker when its engine answers, else local processes; people are told which."""

from __future__ import annotations

import os

from django.conf import settings

from aflow_site.supervision.troubles import PlatformTrouble
from pools.facade import api as pools

NOT_ISOLATED = "local processes: they are not isolated from this machine or from each other"


def _use(name: str) -> None:
    """For this process (its settings were loaded before the question was asked) and for those it starts."""
    os.environ["AFLOW_RUNTIME"] = name
    settings.AFLOW_RUNTIME = name


def docker_problem() -> str | None:
    """Why agents cannot be Docker containers here, in one sentence, or None; whatever runtime is in use."""
    in_use = settings.AFLOW_RUNTIME
    settings.AFLOW_RUNTIME = "docker"
    try:
        return pools.runtime_problem()
    finally:
        settings.AFLOW_RUNTIME = in_use


def choose(wish: str | None) -> str:
    """Sets the runtime and says it in words. `wish`: docker, process, auto; None: the environment's, or auto.

    Raises: PlatformTrouble when Docker was asked for and does not answer.
    """
    wish = wish or os.environ.get("AFLOW_RUNTIME") or "auto"
    if wish not in ("auto", "docker", "process"):
        raise PlatformTrouble(f"AFLOW_RUNTIME is {wish!r}: it must be auto, docker or process.")
    if wish == "process":
        _use("process")
        return NOT_ISOLATED
    problem = docker_problem()
    if problem is None:
        _use("docker")
        return "Docker containers"
    if wish == "docker":
        raise PlatformTrouble(f"{problem} Without Docker: --runtime process.")
    _use("process")
    return f"{NOT_ISOLATED}. {problem}"
