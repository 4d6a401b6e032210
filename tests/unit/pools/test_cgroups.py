"""Memory in use of containers, out of the kernel's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pools.runtime.cgroups import memory_in_use

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
    assert memory_in_use(REF, tmp_path) == 700


@pytest.mark.parametrize("ref", [REF, "../../etc", "", "memory-1"])
def test_what_is_not_here(tmp_path: Path, ref: str) -> None:
    assert memory_in_use(ref, tmp_path) is None
