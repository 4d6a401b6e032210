"""Where workers come from: a small process, forked before the agent opens anything, that forks each of them.

It leads a session of its own, so signals to the agent's group pass it by; when the agent is gone, however it
went, it kills what is left and ends. On Linux it adopts orphans of bodies, hence no process that a body
started outlives its worker.
Does not: read what workers say, or decide when one must end.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import NoReturn

from agentainer_flow.agent.processes import adopt_orphans, die_with_parent, end_children, kill_group

# To the spawner: SPAWN (the worker's socket, stdout and stderr attached) or KILL, and the worker's number.
SPAWN, KILL = b"S", b"K"
ORDER = struct.Struct(">cI")
# From the spawner: the number of a worker that ended with all its processes, and its exit code or -signal.
REPORT = struct.Struct(">Ii")
NO_FORK = -1000  # instead of the exit code, when no process could be started

Work = Callable[[socket.socket], None]


def start(work: Work) -> tuple[socket.socket, int]:
    """Forks the spawner; returns the socket to it and its process id. Each worker runs `work(its socket)`."""
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        theirs.close()
        return ours, pid
    status = 1
    try:
        ours.close()
        _Spawner(theirs, work).run()
        status = 0
    finally:
        os._exit(status)


class _Spawner:
    def __init__(self, control: socket.socket, work: Work) -> None:
        self._control = control
        self._work = work
        self._pids: dict[int, int] = {}  # process id -> the worker's number
        self._wake, self._woken = os.pipe()

    def run(self) -> None:
        """Until the agent closes its end."""
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        adopt_orphans(True)
        gc.freeze()  # what workers share with us stays shared
        try:
            while self._step():
                pass
        except OSError:
            pass  # the agent is gone
        finally:
            self._kill_all()

    def _step(self) -> bool:
        control = self._control.fileno()
        readable, _, _ = select.select([control, self._wake], [], [])
        if self._wake in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)
            self._reap()
        return control not in readable or self._obey()

    def _obey(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._control, ORDER.size, 3)
        if len(data) < ORDER.size:
            return False
        kind, worker = ORDER.unpack(data)
        if kind == KILL:
            for pid, number in self._pids.items():
                if number == worker:
                    os.kill(pid, signal.SIGKILL)  # not reaped yet, so the id is still its own
            return True
        spawner = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            self._report(worker, NO_FORK)
        else:
            if pid == 0:
                self._become_worker(fds, spawner)
            self._pids[pid] = worker
        for fd in fds:
            os.close(fd)
        return True

    def _become_worker(self, fds: list[int], spawner: int) -> NoReturn:
        status = 1
        try:
            os.setsid()
            die_with_parent()
            if os.getppid() != spawner:
                os._exit(status)  # it went before the line above could see it
            _be_the_first_to_go()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._control.close()
            os.close(self._wake)
            os.close(self._woken)
            channel, out, err = fds
            null = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((null, 0), (out, 1), (err, 2)):
                os.dup2(source, target)
                os.close(source)
            self._work(socket.socket(fileno=channel))
            status = 0
        finally:
            os._exit(status)

    def _reap(self) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            worker = self._pids.get(ended.si_pid)
            if worker is not None:
                # Before the worker is reaped, while the number of its group cannot belong to anybody else.
                kill_group(ended.si_pid)
            _, status = os.waitpid(ended.si_pid, 0)
            if worker is not None:
                del self._pids[ended.si_pid]
                end_children(self._pids)  # what was adopted
                self._report(worker, os.waitstatus_to_exitcode(status))

    def _report(self, worker: int, code: int) -> None:
        self._control.sendall(REPORT.pack(worker, code))

    def _kill_all(self) -> None:
        signal.set_wakeup_fd(-1)
        for pid in self._pids:
            kill_group(pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self._pids.clear()
        end_children()


def _be_the_first_to_go() -> None:
    """When memory runs out the worker shall die, not the agent that reports it."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("900")
