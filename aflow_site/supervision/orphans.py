"""Finds the processes of a platform by the mark in their environment, also when their supervisor is dead."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from aflow_site.supervision.supervisor_client import MARKER


def find(instance: str, redis_dir: Path) -> list[psutil.Process]:
    """Every live process that a supervisor of this platform started, the supervisor included.

    The embedded Redis writes over its environment (where its title is shown); its directory gives it away.
    """
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(MARKER) == instance or _is_redis_of(process, redis_dir)
            alive = process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or another user's
        if marked and alive and process.pid not in own:
            found.append(process)
    return found


def _is_redis_of(process: psutil.Process, directory: Path) -> bool:
    return process.name().startswith("valkey-server") and Path(process.cwd()) == directory.resolve()


def end(processes: Iterable[psutil.Process], patience: float = 10.0) -> list[psutil.Process]:
    """SIGTERM, then SIGKILL to those that stay. Returns those that live even then."""
    remaining = list(processes)
    for process in remaining:
        _send(process, kill=False)
    _, remaining = psutil.wait_procs(remaining, timeout=patience)
    for process in remaining:
        _send(process, kill=True)
    _, remaining = psutil.wait_procs(remaining, timeout=5)
    return remaining


def _send(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return


def listener(port: int) -> psutil.Process | None:
    """Who listens on this port, when this user may know."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                return psutil.Process(connection.pid) if connection.pid else None
    except (psutil.Error, OSError):
        return None
    return None
