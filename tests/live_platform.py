"""A platform of its own for tests: real processes, a data directory and a port of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from aflow_site.supervision.redis_server import free_port

ROOT = Path(__file__).resolve().parent.parent
UP_SECONDS = 300
# The tests' own settings must not reach the platform that they start.
FOREIGN = ("AFLOW_", "REDIS_URL", "DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE", "SECRET_KEY")


def clean_environment(**more: str) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**mine, **more}


def new_database() -> str | None:
    """An empty database on the PostgreSQL server that the tests use; None when they use SQLite."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        return None
    import psycopg

    name = f"platform_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


class LivePlatform:
    """`aflow(...)` runs a verb on it; `http` is a client of its API with the first start's token."""

    def __init__(self, directory: Path, *, database_url: str | None = None, **environment: str) -> None:
        self.data_dir = directory / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        if database_url is not None:
            environment["DATABASE_URL"] = database_url
        self.environment = clean_environment(**environment)

    def aflow(self, verb: str, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Does not raise: look at `returncode`, `stdout`, `stderr`."""
        return subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), verb, "--data-dir", str(self.data_dir), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def up(self, *arguments: str) -> str:
        """Starts it in the background and returns what it printed."""
        done = self.aflow("up", "--detach", "--port", str(self.port), *arguments, timeout=UP_SECONDS)
        assert done.returncode == 0, f"./aflow up failed:\n{done.stdout}\n{done.stderr}\n{self.log_tails()}"
        return done.stdout

    def down(self) -> str:
        """Stops it and returns what it printed; its client is closed."""
        if "http" in self.__dict__:
            self.__dict__.pop("http").close()
        done = self.aflow("down")
        assert done.returncode == 0, f"./aflow down failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.aflow("status", "--json").stdout)
        return status

    def log_tails(self) -> str:
        logs = sorted((self.data_dir / "logs").glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)

    @cached_property
    def credentials(self) -> dict[str, str]:
        """url, username, password, token."""
        found: dict[str, str] = json.loads((self.data_dir / "credentials.json").read_text())
        return found

    @cached_property
    def http(self) -> httpx.Client:
        headers = {"Authorization": f"Token {self.credentials['token']}"}
        return httpx.Client(base_url=f"{self.url}/api/v1/", headers=headers, timeout=30, trust_env=False)
