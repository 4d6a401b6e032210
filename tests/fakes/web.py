"""A web process of its own, as the platform starts it, on the tests' database and Redis."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
from django.conf import settings
from django.db import connection

from aflow_site.supervision.redis_server import free_port
from tests.live_platform import ROOT, clean_environment

STOP_SECONDS = 8


def _environment() -> dict[str, str]:
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        who = f"{database['USER']}:{database['PASSWORD']}@" if database["USER"] else ""
        url = f"postgres://{who}{database['HOST']}:{database['PORT'] or 5432}/{database['NAME']}"
    return clean_environment(
        DATABASE_URL=url,
        REDIS_URL=settings.REDIS_URL,
        SECRET_KEY=settings.SECRET_KEY,
        AFLOW_INSTANCE=settings.AFLOW_INSTANCE,
        AFLOW_DATA_DIR=str(settings.DATA_DIR),
        AFLOW_RUNTIME=settings.AFLOW_RUNTIME,
        PATH=os.environ["PATH"],
    )


@dataclass(frozen=True, slots=True)
class WebProcess:
    port: int
    pid: int


@contextlib.asynccontextmanager
async def web_process() -> AsyncIterator[WebProcess]:
    """One that answers."""
    port = free_port()
    command = (sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port))
    process = await asyncio.create_subprocess_exec(
        *command, "aflow_site.asgi:application", cwd=ROOT, env=_environment()
    )
    try:
        async with asyncio.timeout(120), httpx.AsyncClient(trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200:
                        break
                await asyncio.sleep(0.1)
        yield WebProcess(port, process.pid)
    finally:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()  # as the supervisor does: a request was under way
            await process.wait()
