"""Real processes beside the test's own, with its database, Redis and keys: web processes, and an executor."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.db import connection

from aflow_site.supervision.redis_server import free_port
from tests.live_platform import ROOT, clean_environment

PATIENCE = 120  # seconds


def database_url() -> str:
    """Of the database that the tests made."""
    if connection.vendor == "sqlite":
        return f"sqlite:///{connection.settings_dict['NAME']}"
    start, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    return f"{start}/{connection.settings_dict['NAME']}"


def environment(directory: Path, **more: str) -> dict[str, str]:
    """For a process that is to be one of this installation's."""
    return clean_environment(
        DJANGO_SETTINGS_MODULE="aflow_site.settings.prod",
        DATABASE_URL=database_url(),
        REDIS_URL=settings.REDIS_URL,
        SECRET_KEY=settings.SECRET_KEY,
        AFLOW_INSTANCE=settings.AFLOW_INSTANCE,
        AFLOW_DATA_DIR=str(directory),
        AFLOW_RUNTIME="process",
        **more,
    )


@contextmanager
def web_process(directory: Path, **more: str) -> Iterator[str]:
    """Its URL, once it answers."""
    (directory / "static").mkdir(exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "daphne", "-v", "0", "-p", str(port), "aflow_site.asgi:application"]
    log = directory / f"web-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(directory, **more), stdout=output, stderr=output
        )
    try:
        _wait(url, process, log)
        yield url
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """As the supervisor does it: one that does not end by itself is killed."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/healthz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"no web process answers at {url}: {log.read_text()}")


@contextmanager
def web_processes(count: int, directory: Path, **more: str) -> Iterator[list[str]]:
    with ExitStack() as stack:
        yield [stack.enter_context(web_process(directory, **more)) for _ in range(count)]


def api(url: str, token: str) -> httpx.Client:
    headers = {"Authorization": f"Token {token}"}
    return httpx.Client(base_url=f"{url}/api/v1/", headers=headers, timeout=60, trust_env=False)


def answer(response: httpx.Response, *expected: int) -> Any:
    assert response.status_code in (expected or (200, 201)), response.text
    return response.json() if response.content else None


@contextmanager
def executor_process(directory: Path, **more: str) -> Iterator[None]:
    """It takes up runs from the moment that it is ready."""
    command = [sys.executable, "-m", "celery", "-A", "aflow_site", "--skip-checks", "worker"]
    command += ["--pool=solo", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    with (directory / "executor.log").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(directory, **more), stdout=output, stderr=output
        )
    try:
        yield
    finally:
        _end(process)
