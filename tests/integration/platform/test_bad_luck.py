"""What people meet when something is wrong around them: a sentence on what to do, and no half start."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_platform import LivePlatform, clean_environment


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LivePlatform]:
    live = LivePlatform(tmp_path)
    yield live
    live.environment = clean_environment()
    assert live.aflow("status").returncode == 3, "something was started all the same"


def refused(live: LivePlatform, *arguments: str, **environment: str) -> str:
    live.environment = clean_environment(**environment)
    done = live.aflow("up", "--detach", "--no-examples", "--runtime", "process", *arguments)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


def test_a_taken_port(live: LivePlatform) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"Port {port} of 127.0.0.1 is taken" in refused(live, "--port", str(port))


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "nonsense"])
def test_a_redis_that_cannot_be_used(live: LivePlatform, url: str) -> None:
    assert "mend REDIS_URL" in refused(live, "--port", str(live.port), REDIS_URL=url)


def test_a_database_that_does_not_answer(live: LivePlatform) -> None:
    told = refused(live, "--port", str(live.port), DATABASE_URL="postgresql://a:geheim@127.0.0.1:1/x")
    assert "mend DATABASE_URL" in told
    assert "geheim" not in told


def test_a_database_url_that_is_none(live: LivePlatform) -> None:
    assert "DATABASE_URL" in refused(live, "--port", str(live.port), DATABASE_URL="nonsense")


def test_docker_that_does_not_answer(live: LivePlatform) -> None:
    told = refused(live, "--port", str(live.port), "--runtime", "docker", DOCKER_HOST="tcp://127.0.0.1:1")
    assert "--runtime process" in told


def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file is in the way")
    live = LivePlatform(tmp_path)
    assert "choose another with --data-dir" in refused(live, "--port", str(live.port))
