"""The data directory: what keeps it from being made is told in one sentence."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from aflow_site.supervision.layout import Layout, make_data_dir
from aflow_site.supervision.troubles import PlatformTrouble

Usage = namedtuple("Usage", "total used free")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12, 150 * 2**20))
    with pytest.raises(PlatformTrouble, match=r"150 MB.*200 MB.*--data-dir"):
        make_data_dir(Layout(tmp_path / "data"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 0, 10**12))
    make_data_dir(Layout(tmp_path / "data"))
    assert (tmp_path / "data").is_dir()
