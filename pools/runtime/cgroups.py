"""Memory in use of a container on this machine, out of the kernel's files: 0.1 ms, where asking the engine
takes 600 ms."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
# Of cgroup v1, and of v2 with and without systemd as the engine's driver: directory, file of what is in use.
_PLACES = (
    ("memory/docker/{}", "memory.usage_in_bytes"),
    ("docker/{}", "memory.current"),
    ("system.slice/docker-{}.scope", "memory.current"),
)
_REF = re.compile(r"^[0-9a-f]{12,64}$")
# The file cache that the kernel takes back when memory is short.
_CACHE = re.compile(r"^(?:total_)?inactive_file (\d+)$", re.MULTILINE)


def memory_in_use(container: str, root: Path = ROOT) -> int | None:
    """Bytes, without file cache that could go; None when the container is not of this machine."""
    if not _REF.match(container):
        return None
    for place, name in _PLACES:
        directory = root / place.format(container)
        try:
            used, statistics = int((directory / name).read_text()), (directory / "memory.stat").read_text()
        except (OSError, ValueError):
            continue
        caches = [int(size) for size in _CACHE.findall(statistics)]
        return max(0, used - max(caches, default=0))
    return None
