"""What `./aflow doctor` looks at: each dependency, whether it will do, and how to mend it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from aflow_site.supervision import (
    environment,
    node,
    redis_server,
    runtime_choice,
    starting,
    supervisor_client,
    web_assets,
)
from aflow_site.supervision.layout import BASE_DIR, NEEDED_BYTES, Layout
from aflow_site.supervision.troubles import PlatformTrouble
from pools.facade import nodes as pools


@dataclass(frozen=True, slots=True)
class Finding:
    """`needed`: the platform cannot run while this is not ok. `mend` is empty when there is nothing to do."""

    name: str
    ok: bool
    needed: bool
    found: str
    mend: str = ""


def _python(layout: Layout) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), True, version, "Install Python 3.11 or newer.")


def _virtual_environment(layout: Layout) -> Finding:
    venv = BASE_DIR / ".venv"
    locked = BASE_DIR / "requirements.lock"
    installed = venv / ".installed-requirements.lock"
    current = installed.exists() and installed.read_bytes() == locked.read_bytes()
    found = f"{venv}, {'as locked' if current else 'not as requirements.lock says'}"
    return Finding("Virtual environment", current, True, found, "Run ./aflow up: it installs what is locked.")


def _web_assets(layout: Layout) -> Finding:
    if web_assets.are_current():
        return Finding("Web assets", True, False, "built")
    found = node.find()
    if found is not None:
        return Finding("Web assets", True, False, f"to be built with Node {found.version} {found.source}")
    return Finding(
        "Web assets", True, False, "to be built with Node out of a wheel, which ./aflow up fetches"
    )


def _disk(layout: Layout) -> Finding:
    place = layout.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    writable = os.access(place, os.W_OK)
    found = f"{free / 2**30:.1f} GB free{'' if writable else ', not writable'} at {place}"
    mend = f"Free at least {NEEDED_BYTES // 2**20} MB and make it writable, or choose another --data-dir."
    return Finding("Disk", writable and free >= NEEDED_BYTES, True, found, mend)


def _redis(layout: Layout) -> Finding:
    outside = bool(os.environ.get("REDIS_URL")) and environment.embedded_redis_port(os.environ) is None
    if not outside and not supervisor_client.answers(layout):
        try:
            return Finding("Redis", True, True, f"embedded: {redis_server.binary()}")
        except PlatformTrouble as exc:
            return Finding("Redis", False, True, "no embedded server", exc.detail)
    problem = redis_server.problem(settings.REDIS_URL)
    where = environment.without_password(settings.REDIS_URL)
    mend = "Start that server or mend REDIS_URL; unset it to use the embedded one."
    return Finding("Redis", problem is None, True, f"{where}: {problem or 'answers'}", mend)


def _database(layout: Layout) -> Finding:
    where = environment.shown_database(os.environ, layout)
    if connection.vendor == "sqlite" and not layout.data_dir.exists():
        return Finding("Database", True, True, f"{where}: made by ./aflow up")
    try:
        connection.ensure_connection()
    except DatabaseError as exc:
        told = str(exc).strip().splitlines()
        mend = "Start that server or mend DATABASE_URL; unset it to use SQLite."
        return Finding("Database", False, True, f"{where}: {told[0] if told else 'no answer'}", mend)
    return Finding("Database", True, True, f"{where}: answers")


def _docker(layout: Layout) -> Finding:
    wanted = os.environ.get("AFLOW_RUNTIME") in runtime_choice.ON_DOCKER
    problem = runtime_choice.docker_problem()
    mend = "Install Docker (Debian, Ubuntu: sudo apt-get install docker.io), start it, join the group docker."
    return Finding("Docker", problem is None, wanted, problem or "answers", mend)


def _node_provider(layout: Layout) -> Finding:
    name = settings.AFLOW_NODE_PROVIDER
    if name == "none":
        return Finding("Node provider", True, False, "none: nodes are what the container engine has")
    problem = pools.provider_problem()
    mend = "Install boto3 and set AWS_REGION and credentials, or set AFLOW_NODE_PROVIDER=none."
    return Finding("Node provider", problem is None, False, problem or f"{name}: answers", mend)


def _port(layout: Layout) -> Finding:
    host = os.environ.get("AFLOW_HOST", environment.DEFAULT_HOST)
    port = int(os.environ.get("AFLOW_PORT", environment.DEFAULT_PORT))
    if supervisor_client.answers(layout):
        return Finding("Port", True, True, f"{port} of {host}: the platform's own")
    try:
        starting.check_port(host, port)
    except PlatformTrouble as exc:
        return Finding("Port", False, True, f"{port} of {host}: taken", exc.detail)
    return Finding("Port", True, True, f"{port} of {host}: free")


CHECKS: tuple[Callable[[Layout], Finding], ...] = (
    _python,
    _virtual_environment,
    _web_assets,
    _disk,
    _redis,
    _database,
    _docker,
    _node_provider,
    _port,
)


def all_findings(layout: Layout) -> list[Finding]:
    return [check(layout) for check in CHECKS]
