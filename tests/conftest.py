"""What every test stands on: an embedded Redis, pieces that must be there (`tests.pieces`), and a live
platform on demand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings

from aflow_site.supervision import redis_server
from tests import emptying
from tests.live_platform import LivePlatform, new_database
from tests.pieces import PIECES, browser_path, lack
from tests.swarm.hosts import Swarm, running_swarm

ROOT = Path(__file__).resolve().parent.parent
ON_CONTAINERS = "test_runs_on_containers.py"
# Long, and about processes, Redis and engines rather than about what the database does.
ONCE = {
    "test_advice.py",
    "test_agent_metrics.py",
    "test_alone.py",
    "test_confinement.py",
    "test_crash_points.py",
    "test_creation.py",
    "test_dashboards.py",
    "test_forecasts.py",
    "test_hang_up.py",
    "test_herd.py",
    "test_interruptions.py",
    "test_keeper.py",
    "test_leases_api.py",
    "test_node_groups.py",
    "test_nodes.py",
    "test_overload.py",
    "test_replay.py",
    "test_reserves.py",
    "test_serving.py",
    "test_shortage.py",
    "test_simulations.py",
    "test_spread.py",
    "test_traces.py",
    "test_two_web_processes.py",
    "test_version.py",
    "test_web_process.py",
    "test_wire.py",
}
# How long an example takes says more of the other processes on the machine than of the code. In CI the
# examples are the same each time: a change is judged by what it does, and new examples are for those who work
# on the code.
hypothesis.settings.register_profile("aflow", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("AFLOW_TEST_REQUIRE") else "aflow")
_redis: subprocess.Popen[bytes] | None = None


def pytest_configure(config: pytest.Config) -> None:
    global _redis
    emptying.install()
    port: int | None = getattr(settings, "EMBEDDED_REDIS_PORT", None)
    if port is None or config.option.collectonly:
        return
    _redis = subprocess.Popen(
        [
            redis_server.binary(),
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ],
        cwd=settings.DATA_DIR,
        stdout=subprocess.DEVNULL,
    )
    redis_server.wait(settings.REDIS_URL)


def pytest_unconfigure() -> None:
    if _redis is not None:
        _redis.terminate()
        _redis.wait(timeout=10)
    shutil.rmtree(settings.DATA_DIR, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything under tests/integration is repeated on PostgreSQL, save what brings its own platform, and
    what is about containers: runs on them are, once."""
    for item in items:
        place = item.path.relative_to(ROOT).parts
        of_containers = item.get_closest_marker("docker") is not None and place[-1] != ON_CONTAINERS
        once = of_containers or place[-1] in ONCE
        if place[:2] == ("tests", "integration") and place[2] != "platform" and not once:
            item.add_marker(pytest.mark.database)


# --- pieces that may be missing --------------------------------------------------------------------------


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name, problem_of in PIECES.items():
        if item.get_closest_marker(name) is not None and (problem := problem_of()) is not None:
            lack(name, problem)


# --- fixtures ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """PostgreSQL does not let go of a database with which the threads of the site are still connected."""
    yield
    if (site := sys.modules.get("aflow_site.asgi")) is not None:
        site.threads.close()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser; for tests marked `browser`."""
    path = browser_path()
    assert path is not None
    return path


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """Three Docker hosts and a swarm over them, for the session; for tests marked `swarm`."""
    # Its sockets must have short names.
    directory = Path(tempfile.mkdtemp(prefix="aflow-swarm-"))
    with running_swarm(directory) as swarm:
        yield swarm


@pytest.fixture
def swarm(hosts: Swarm, monkeypatch: pytest.MonkeyPatch) -> Swarm:
    """The same, whole again if a test before left it otherwise, and named by DOCKER_HOST."""
    hosts.restore()
    monkeypatch.setenv("DOCKER_HOST", hosts.manager.engine)
    return hosts


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePlatform]:
    """One running platform for the session, without examples: on Docker where it answers, else processes."""
    live = LivePlatform(tmp_path_factory.mktemp("platform"), database_url=new_database())
    live.up("--no-examples")
    try:
        yield live
    finally:
        live.down()
