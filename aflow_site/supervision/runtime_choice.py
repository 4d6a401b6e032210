"""Where agents run: `auto` is Docker when its engine answers, else local processes; people are told which."""

from __future__ import annotations

import os

from django.conf import settings

from aflow_site.supervision.troubles import PlatformTrouble
from pools.facade import api as pools

WISHES = ("auto", "docker", "swarm", "process")
ON_DOCKER = ("docker", "swarm")  # those whose agents are containers
NOT_ISOLATED = "local processes: they are not isolated from this machine or from each other"


def _use(name: str) -> None:
    """For this process (its settings were loaded before the question was asked) and for those it starts."""
    os.environ["AFLOW_RUNTIME"] = name
    settings.AFLOW_RUNTIME = name


def _problem_of(runtime: str) -> str | None:
    """Why that runtime cannot be used here, in one sentence, or None; whatever runtime is in use."""
    in_use = settings.AFLOW_RUNTIME
    settings.AFLOW_RUNTIME = runtime
    try:
        return pools.runtime_problem()
    finally:
        settings.AFLOW_RUNTIME = in_use


def docker_problem() -> str | None:
    """Why agents cannot be Docker containers here, in one sentence, or None."""
    return _problem_of("docker")


def choose(wish: str | None) -> str:
    """Sets the runtime and says it in words. `wish` is one of `WISHES`; None: the environment's, or auto.

    Raises: PlatformTrouble when Docker or a swarm was asked for and does not answer.
    """
    wish = wish or os.environ.get("AFLOW_RUNTIME") or "auto"
    if wish not in WISHES:
        raise PlatformTrouble(f"AFLOW_RUNTIME is {wish!r}: it must be auto, docker, swarm or process.")
    if wish == "process":
        _use("process")
        return NOT_ISOLATED
    if wish == "swarm":
        if problem := _problem_of("swarm"):
            raise PlatformTrouble(problem)
        _use("swarm")
        return "Docker containers on the nodes of a swarm"
    problem = docker_problem()
    if problem is None:
        _use("docker")
        return "Docker containers"
    if wish == "docker":
        raise PlatformTrouble(f"{problem} Without Docker: --runtime process.")
    _use("process")
    return f"{NOT_ISOLATED}. {problem}"
