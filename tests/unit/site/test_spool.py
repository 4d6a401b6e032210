"""Many bytes, laid by until they are read."""

from __future__ import annotations

import io
import tempfile
import tracemalloc
from typing import Any

import pytest

from aflow_site.kernel.spool import AT_ONCE, Spool

PARTS = [bytes([number]) * 1000 for number in range(200)]


def filled() -> Spool:
    spool = Spool()
    for part in PARTS:
        spool.write(part)
    return spool


def test_what_was_written_is_read_as_often_as_one_likes() -> None:
    spool = filled()
    assert spool.size == 200_000
    for _ in range(2):
        assert spool.rewind().read() == b"".join(PARTS)


def test_nothing_was_written() -> None:
    assert Spool().rewind().read() == b""


def test_it_does_not_hold_what_it_has() -> None:
    tracemalloc.start()
    try:
        spool = Spool()
        for _ in range(5000):
            spool.write(b"x" * 1000)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spool.size == 5_000_000
    assert peak < 4 * AT_ONCE


def test_without_a_file_it_holds_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_file(**_: Any) -> None:
        raise OSError("no temporary directory")

    monkeypatch.setattr(tempfile, "TemporaryFile", no_file)
    assert filled().rewind().read() == b"".join(PARTS)
    assert "no temporary directory" in caplog.text


class Full(io.FileIO):
    """Takes so many bytes, the last of them in part, and then no more."""

    room = 100_000

    def write(self, content: Any) -> int:
        fits = bytes(content)[: self.room - self.tell()]
        if not fits:
            raise OSError("no space left")
        return super().write(fits)


def test_a_disk_that_fills_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full(tmp_path / "file", "w+"))
    assert filled().rewind().read() == b"".join(PARTS)
