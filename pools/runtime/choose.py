"""Which runtime this installation uses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from aflow_site.kernel.errors import InvalidInput
from pools.runtime.base import Runtime

# Why agents of that runtime have no packages of their own; the others can.
NO_REQUIREMENTS: Mapping[str, str] = {
    "process": "Requirements are built into an image, and agents are processes of this machine here: use a "
    "runtime with containers (docker or swarm), or install the packages for this machine's Python and leave "
    "the requirements out.",
}


def make_runtime(
    name: str,
    *,
    instance: str,
    data_dir: Path,
    labels: Mapping[str, str] | None = None,
    beside: Collection[str] = (),
) -> Runtime:
    """Loads that runtime alone: the SDK of Docker costs a process that never asks it 15 MB and 0.2 s.

    `labels` are this machine's, where it is the one node. `beside`: hosts of the platform itself (web,
    database, Redis, broker), from which a swarm's agents are kept. Raises `InvalidInput`.
    """
    labels = dict(labels or {})
    match name:
        case "docker":
            from pools.runtime.docker import DockerRuntime

            return DockerRuntime(instance, labels)
        case "swarm":
            from pools.runtime.swarm import SwarmRuntime

            if labels:
                raise InvalidInput(
                    f"The nodes of a swarm have labels of their own ({', '.join(labels)}): unset "
                    "AFLOW_NODE_CAPACITY and AFLOW_NODE_ZONE, which are for a single machine."
                )
            return SwarmRuntime(instance, beside)
        case "process":
            from pools.runtime.process import ProcessRuntime

            return ProcessRuntime(data_dir / "agents", instance, labels)
        case "memory":
            from pools.runtime.memory import MemoryRuntime

            return MemoryRuntime(labels=labels)
    raise InvalidInput(f"AFLOW_RUNTIME is {name!r}; it must be docker, swarm, process or memory.")
