"""Talks to the supervisor of one data directory over its Unix socket, and starts it."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import time
import xmlrpc.client
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from aflow_site.supervision.layout import BASE_DIR, Layout
from aflow_site.supervision.troubles import PlatformTrouble

MARKER = "AFLOW_SUPERVISED"  # in the environment of every supervised process: the platform's instance id
UNREACHABLE = (OSError, http.client.HTTPException, xmlrpc.client.Error)
_SPAWNED = re.compile(r"spawned: '([^']+)' with pid \d+")


@dataclass(frozen=True, slots=True)
class ProcessState:
    """`state` is the supervisor's word in lower case: running, starting, backoff, stopped, exited, fatal …"""

    name: str
    pid: int | None
    state: str
    restarts: int


@contextmanager
def _supervisor(layout: Layout) -> Iterator[Any]:
    transport = SupervisorTransport(None, None, f"unix://{layout.supervisor_socket}")
    try:
        yield xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor
    finally:
        transport.close()


def answers(layout: Layout) -> bool:
    if not layout.supervisor_socket.exists():
        return False
    try:
        with _supervisor(layout) as supervisor:
            supervisor.getState()
    except UNREACHABLE:
        return False
    return True


def start(layout: Layout, instance: str, seconds: float = 15.0) -> None:
    """Starts the supervisor in a session of its own, so that Ctrl-C reaches `up` alone, and waits for it.

    Raises: PlatformTrouble when it does not come up.
    """
    for stale in (layout.supervisor_log, layout.stopping):
        stale.unlink(missing_ok=True)  # restarts are counted from the log, so each start begins a new one
    output = (layout.logs / "supervisord.out").open("w")
    with output:
        child = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(layout.supervisor_conf)],
            cwd=BASE_DIR,
            env={**os.environ, MARKER: instance, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + seconds
    while not answers(layout):
        if child.poll() is not None or time.monotonic() > deadline:
            told = (layout.logs / "supervisord.out").read_text().strip().splitlines()
            reason = told[-1] if told else f"exit code {child.returncode}"
            raise PlatformTrouble(f"The supervisor did not start ({reason}): see {layout.supervisor_log}.")
        time.sleep(0.02)


def start_program(layout: Layout, name: str) -> None:
    """Returns at once; whether the program stays up is the supervisor's to see."""
    with _supervisor(layout) as supervisor:
        supervisor.startProcess(name, False)


def restarts(layout: Layout) -> Counter[str]:
    """How often each program was started again, from the supervisor's own log of this start."""
    spawned: Counter[str] = Counter()
    log = layout.supervisor_log
    for file in (log.with_name(f"{log.name}.1"), log):
        if file.exists():
            spawned.update(_SPAWNED.findall(file.read_text(errors="replace")))
    return Counter({name: count - 1 for name, count in spawned.items()})


def processes(layout: Layout) -> list[ProcessState]:
    """Every program, in the order of their start; empty when no supervisor answers."""
    try:
        with _supervisor(layout) as supervisor:
            known = supervisor.getAllProcessInfo()
    except UNREACHABLE:
        return []
    again = restarts(layout)
    return [
        ProcessState(
            name=info["name"],
            pid=info["pid"] or None,
            state=str(info["statename"]).lower(),
            restarts=again[info["name"]],
        )
        for info in known
    ]


def shut_down(layout: Layout) -> bool:
    """Asks the supervisor to stop everything and itself; False when none answers."""
    try:
        with _supervisor(layout) as supervisor:
            supervisor.shutdown()
    except UNREACHABLE:
        return False
    return True
