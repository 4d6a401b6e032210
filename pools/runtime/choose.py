"""Which runtime this installation uses."""

from __future__ import annotations

from pathlib import Path

from aflow_site.kernel.errors import InvalidInput
from pools.runtime.base import Runtime
from pools.runtime.docker import DockerRuntime
from pools.runtime.memory import MemoryRuntime
from pools.runtime.process import ProcessRuntime


def make_runtime(name: str, *, instance: str, data_dir: Path) -> Runtime:
    match name:
        case "docker":
            return DockerRuntime(instance)
        case "process":
            return ProcessRuntime(data_dir / "agents", instance)
        case "memory":
            return MemoryRuntime()
    raise InvalidInput(f"AFLOW_RUNTIME is {name!r}; it must be docker, process or memory.")
