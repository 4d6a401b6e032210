"""Memory in use of containers, out of the kernel's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pools.runtime.cgroups import Use, use_of

REF = "0627126773a8739a9bfe487d2b259a7e9ee192828b6f090928c9ffc1433360e7"


@pytest.mark.parametrize(
    ("place", "name", "cache"),
    [
        (f"memory/docker/{REF}", "memory.usage_in_bytes", "inactive_file 100\ntotal_inactive_file 300\n"),
        (f"docker/{REF}", "memory.current", "anon 7\ninactive_file 300\n"),
        (f"system.slice/docker-{REF}.scope", "memory.current", "inactive_file 300\n"),
    ],
)
def test_every_layout_of_cgroups(tmp_path: Path, place: str, name: str, cache: str) -> None:
    directory = tmp_path / place
    directory.mkdir(parents=True)
    (directory / name).write_text("1000\n")
    (directory / "memory.stat").write_text(cache)
    for ref in (REF, REF[:12]):  # as engines shorten it
        used = use_of(ref, tmp_path)
        assert used is not None
        assert used.memory == 700


@pytest.mark.parametrize("ref", [REF, "../../etc", "", "memory-1"])
def test_what_is_not_here(tmp_path: Path, ref: str) -> None:
    assert use_of(ref, tmp_path) is None


NET = """\
Inter-|   Receive                            |  Transmit
 face |bytes packets errs drop fifo fra comp mul|bytes packets errs drop fifo colls car comp
    lo:  900       1    0    0    0   0    0   0   900       1    0    0    0     0   0    0
  eth0: 1000       3    0    0    0   0    0   0    20       2    0    0    0     0   0    0
  eth1:  500       3    0    0    0   0    0   0     1       2    0    0    0     0   0    0
"""


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_everything_of_the_older_layout(tmp_path: Path) -> None:
    memory = {"usage_in_bytes": "1000\n", "limit_in_bytes": "5000\n", "stat": "total_inactive_file 100\n"}
    write(tmp_path, {f"memory/docker/{REF}/memory.{name}": text for name, text in memory.items()})
    write(
        tmp_path,
        {
            f"memory/docker/{REF}/cgroup.procs": "77\n78\n",
            f"cpuacct/docker/{REF}/cpuacct.usage": "2500000000\n",
            f"pids/docker/{REF}/pids.current": "4\n",
            "proc/77/net/dev": NET,
        },
    )
    wanted = Use(900, 5000, 2.5, 4, received=1500, sent=21)
    assert use_of(REF[:12], tmp_path, tmp_path / "proc") == wanted


def test_everything_of_the_newer_layout(tmp_path: Path) -> None:
    place = f"system.slice/docker-{REF}.scope"
    write(
        tmp_path,
        {
            f"{place}/memory.current": "1000\n",
            f"{place}/memory.max": "max\n",
            f"{place}/memory.stat": "inactive_file 1\n",
            f"{place}/cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
            f"{place}/pids.current": "2\n",
        },
    )
    assert use_of(REF, tmp_path, tmp_path / "proc") == Use(999, None, 1.5, 2, received=None, sent=None)


def test_no_limit_is_none(tmp_path: Path) -> None:
    memory = {"usage_in_bytes": "1000\n", "limit_in_bytes": "9223372036854771712\n"}
    write(tmp_path, {f"memory/docker/{REF}/memory.{name}": text for name, text in memory.items()})
    found = use_of(REF, tmp_path)
    assert found is not None
    assert (found.memory_limit, found.cpu_seconds, found.processes) == (None, None, None)
