"""Takes a platform down, whatever is left of it, and makes sure that nothing is."""

from __future__ import annotations

import io
import shutil
import time

import psutil
from django.core.management import CommandError, call_command

from aflow_site.supervision import orphans, supervisor_client
from aflow_site.supervision.console import Voice
from aflow_site.supervision.layout import Layout
from aflow_site.supervision.troubles import PlatformTrouble

SUPERVISOR_SECONDS = 45.0


def _wait_for_supervisor(layout: Layout, pid: int | None) -> None:
    """Until it is gone or its time is up: what outlives it is ended by pid afterwards."""
    deadline = time.monotonic() + SUPERVISOR_SECONDS
    while time.monotonic() < deadline:
        if not (_lives(pid) if pid is not None else supervisor_client.answers(layout)):
            return
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _supervisor_pid(layout: Layout) -> int | None:
    try:
        return int(layout.supervisor_pid.read_text())
    except (OSError, ValueError):
        return None


def stop_processes(layout: Layout, instance: str) -> int:
    """Ends the supervisor and everything it started; returns how many processes there were.

    Raises: PlatformTrouble when one of them lives on.
    """
    before = orphans.find(instance, layout.redis)
    layout.run.mkdir(parents=True, exist_ok=True)
    layout.stopping.touch()
    pid = _supervisor_pid(layout)
    if supervisor_client.shut_down(layout):
        _wait_for_supervisor(layout, pid)
    alive = orphans.end(orphans.find(instance, layout.redis))
    if alive:
        pids = ", ".join(str(process.pid) for process in alive)
        raise PlatformTrouble(f"These processes cannot be ended: {pids}; end them as their owner.")
    for file in (layout.supervisor_pid, layout.supervisor_socket):
        file.unlink(missing_ok=True)
    if layout.supervisor_socket.parent != layout.run:
        shutil.rmtree(layout.supervisor_socket.parent, ignore_errors=True)
    return len(before)


def remove_agents() -> str:
    """Every agent of this platform, known to its database or not; says how many. Raises: PlatformTrouble."""
    told = io.StringIO()
    try:
        call_command("remove_agents", stdout=told)
    except CommandError as exc:
        raise PlatformTrouble(f"Agents are left behind: {exc} Then run ./aflow down again.") from exc
    return told.getvalue().strip()


def stop(layout: Layout, instance: str, voice: Voice) -> None:
    """Raises: PlatformTrouble, or what the runtime says when agents cannot be removed."""
    with voice.step("Processes") as step:
        count = stop_processes(layout, instance)
        step.note(f"{count} stopped" if count else "none were running")
    with voice.step("Agents") as step:
        step.note(remove_agents())
