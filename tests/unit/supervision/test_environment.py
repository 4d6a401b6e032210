"""What a start resolves, what it keeps, and what it never shows."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from aflow_site.supervision import environment
from aflow_site.supervision.layout import BASE_DIR, Layout, make_data_dir
from aflow_site.supervision.troubles import PlatformTrouble


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A data directory, and an environment without anything of the platform."""
    for name in list(os.environ):
        if name.startswith("AFLOW_") or name in environment.KEPT:
            monkeypatch.delenv(name)
    layout = Layout(tmp_path / "data")
    make_data_dir(layout)
    return layout


def test_a_start_uses_the_embedded_redis_unless_told(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AFLOW_HOST", "AFLOW_PORT", "AFLOW_URL", "AFLOW_INSTANCE", "REDIS_URL", "AFLOW_REDIS_PORT"):
        monkeypatch.setenv(name, "")  # put back after the test
        monkeypatch.delenv(name)
    environment.resolve(layout, port=8123)
    assert os.environ["AFLOW_URL"] == "http://127.0.0.1:8123"
    assert os.environ["AFLOW_INSTANCE"] == layout.instance()
    port = environment.embedded_redis_port(os.environ)
    assert os.environ["REDIS_URL"].endswith(f"@127.0.0.1:{port}/0")


def test_an_outside_redis_is_left_alone(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AFLOW_HOST", "AFLOW_PORT", "AFLOW_URL", "AFLOW_INSTANCE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/0")
    environment.resolve(layout, port=None)
    assert os.environ["REDIS_URL"] == "redis://elsewhere/0"
    assert environment.embedded_redis_port(os.environ) is None


def test_a_port_that_is_none_is_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFLOW_HOST", "127.0.0.1")
    monkeypatch.setenv("AFLOW_PORT", "http")
    with pytest.raises(PlatformTrouble, match="AFLOW_PORT"):
        environment.resolve(layout, port=None)


def test_what_is_kept_is_private_and_no_more_than_needed(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@host/db")
    monkeypatch.setenv("AFLOW_RUNTIME", "process")
    monkeypatch.setenv("SOMEBODY_ELSES_PASSWORD", "x")
    environment.save(layout)
    assert stat.S_IMODE(layout.environment.stat().st_mode) == 0o600
    kept = environment.load(layout)
    assert kept["DATABASE_URL"] == "postgresql://u:p@host/db"
    assert kept["AFLOW_RUNTIME"] == "process"
    assert "SOMEBODY_ELSES_PASSWORD" not in json.dumps(kept)
    assert environment.shown_database(kept, layout) == "postgresql://u:***@host/db"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("postgresql://u:a%40b@host:1/db?x=1", "postgresql://u:***@host:1/db?x=1"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert environment.without_password(url) == shown


def test_the_instance_survives_a_move_of_its_directory(layout: Layout, tmp_path: Path) -> None:
    before = layout.instance()
    layout.data_dir.rename(tmp_path / "moved")
    assert Layout(tmp_path / "moved").instance() == before
    assert Layout(tmp_path / "another").instance() != before


def test_a_socket_path_is_never_too_long(tmp_path: Path) -> None:
    deep = Layout(tmp_path / ("x" * 120))
    assert len(os.fsencode(deep.supervisor_socket)) < 100
    assert Layout(Path("/srv/aflow")).supervisor_socket == Path("/srv/aflow/run/supervisor.sock")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("AFLOW_LOG_LEVEL", "loud", "DEBUG, INFO"),
        ("AFLOW_EXECUTORS", "0", "greater than or equal to 1"),
        ("AFLOW_EXECUTORS", "two", "integer"),
    ],
)
def test_a_setting_that_cannot_be_is_one_sentence(tmp_path: Path, name: str, value: str, told: str) -> None:
    command = [sys.executable, str(BASE_DIR / "manage.py"), "status"]
    env = {
        **os.environ,
        "AFLOW_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "aflow_site.settings.prod",
        name: value,
    }
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert name in ended.stderr
    assert told in ended.stderr
