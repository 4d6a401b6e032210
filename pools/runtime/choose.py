"""Which runtime this installation uses."""

from __future__ import annotations

from pathlib import Path

from aflow_site.kernel.errors import InvalidInput
from pools.runtime.base import Runtime


def make_runtime(name: str, *, instance: str, data_dir: Path) -> Runtime:
    """Loads that runtime alone: the SDK of Docker costs a process that never asks it 15 MB and 0.2 s."""
    match name:
        case "docker":
            from pools.runtime.docker import DockerRuntime

            return DockerRuntime(instance)
        case "swarm":
            from pools.runtime.swarm import SwarmRuntime

            return SwarmRuntime(instance)
        case "process":
            from pools.runtime.process import ProcessRuntime

            return ProcessRuntime(data_dir / "agents", instance)
        case "memory":
            from pools.runtime.memory import MemoryRuntime

            return MemoryRuntime()
    raise InvalidInput(f"AFLOW_RUNTIME is {name!r}; it must be docker, swarm, process or memory.")
