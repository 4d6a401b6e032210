"""Ending the processes that bodies leave behind, by what Linux tells of them.

Does not: decide who must end; it ends all of this process's children but those that are to stay.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Collection

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
ROUNDS = 1000  # of looking for children: theirs come to us when they end


def adopt_orphans(wanted: bool) -> None:
    """Whether children of our children become ours when their parent ends, instead of init's."""
    _prctl(_PR_SET_CHILD_SUBREAPER, int(wanted))


def die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(leader, signal.SIGKILL)  # it may not have made its group yet


def end_children(keep: Collection[int] = ()) -> None:
    """Kills and collects every child that is not to be kept, with all it has started, where we adopt."""
    spared = {os.getpgrp(), *keep}
    for _ in range(ROUNDS):
        found = [pid for pid in children() if pid not in keep]
        if not found:
            return
        for pid in found:
            _end(pid, spared)


def _end(pid: int, spared: Collection[int]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        group = os.getpgid(pid)
        if group not in spared:
            os.killpg(group, signal.SIGKILL)  # all at once: one by one, they could fork faster than they end
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def children() -> list[int]:
    """Our children by /proc; none where there is no /proc (orphans are not adopted there either)."""
    me = str(os.getpid())
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    found = []
    for name in names:
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields[1].decode() == me:
            found.append(int(name))
    return found


def _prctl(option: int, value: int) -> None:
    """Linux alone has it; elsewhere orphans of bodies are left to the system."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return
