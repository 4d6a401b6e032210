"""What a container of this machine uses, out of the kernel's files: at once, where asking the engine takes
600 ms.

A container is named by its id, or by the first twelve digits of it, as engines shorten it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")
# Of cgroup v1, and of v2 with and without systemd as the engine's driver.
_V1 = ("memory/docker/{}", "memory/system.slice/docker-{}.scope")
_V2 = ("docker/{}", "system.slice/docker-{}.scope")
_REF = re.compile(r"^[0-9a-f]{12,64}$")
# The file cache that the kernel takes back when memory is short.
_CACHE = re.compile(r"^(?:total_)?inactive_file (\d+)$", re.MULTILINE)
_USED_MICROSECONDS = re.compile(r"^usage_usec (\d+)$", re.MULTILINE)
NO_LIMIT = 2**60  # v1 tells a number of pages that no machine has


@dataclass(frozen=True, slots=True)
class Use:
    """`cpu_seconds` since its start; bytes. None: not told."""

    memory: int
    memory_limit: int | None
    cpu_seconds: float | None
    processes: int | None
    received: int | None
    sent: int | None


def use_of(container: str, root: Path = ROOT, proc: Path = PROC) -> Use | None:
    """None when the container is not of this machine, or has ended."""
    directory = _directory(container, root)
    if directory is None or (memory := _memory(directory)) is None:
        return None
    newer = (directory / "memory.current").exists()
    processes = directory if newer else _beside(directory, "pids", root)
    traffic = _traffic(directory, proc)
    return Use(
        memory=memory,
        memory_limit=_limit(directory / ("memory.max" if newer else "memory.limit_in_bytes")),
        cpu_seconds=_cpu_seconds(directory if newer else _beside(directory, "cpuacct", root)),
        processes=_number(processes / "pids.current"),
        received=traffic[0] if traffic else None,
        sent=traffic[1] if traffic else None,
    )


def _directory(container: str, root: Path) -> Path | None:
    if not _REF.match(container):
        return None
    whole = len(container) == 64
    for place in (*_V1, *_V2):
        found = root / place.format(container) if whole else _first(root, place.format(f"{container}*"))
        if found is not None and found.is_dir():
            return found
    return None


def _first(root: Path, pattern: str) -> Path | None:
    return next(root.glob(pattern), None)


def _beside(directory: Path, controller: str, root: Path) -> Path:
    """The same container's directory of another controller (v1)."""
    return root / controller / directory.relative_to(root / "memory")


def _memory(directory: Path) -> int | None:
    for name in ("memory.usage_in_bytes", "memory.current"):
        used = _number(directory / name)
        if used is not None:
            caches = [int(size) for size in _CACHE.findall(_text(directory / "memory.stat"))]
            return max(0, used - max(caches, default=0))
    return None


def _limit(file: Path) -> int | None:
    limit = _number(file)
    return None if limit is None or limit >= NO_LIMIT else limit


def _cpu_seconds(directory: Path) -> float | None:
    nanoseconds = _number(directory / "cpuacct.usage")
    if nanoseconds is not None:
        return nanoseconds / 1e9
    told = _USED_MICROSECONDS.search(_text(directory / "cpu.stat"))
    return int(told[1]) / 1e6 if told else None


def _traffic(directory: Path, proc: Path) -> tuple[int, int] | None:
    """Bytes received and sent by the network of its first process."""
    processes = _text(directory / "cgroup.procs").split()
    if not processes:
        return None
    received = sent = 0
    lines = _text(proc / processes[0] / "net/dev").splitlines()[2:]
    for line in lines:
        name, _, figures = line.partition(":")
        if name.strip() != "lo":
            parts = figures.split()
            received, sent = received + int(parts[0]), sent + int(parts[8])
    return (received, sent) if lines else None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdigit() else None
