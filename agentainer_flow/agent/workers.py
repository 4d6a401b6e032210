"""The agent's side of its worker: has it started, talks with it, ends it, and learns of its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import Callable

from agentainer_flow.agent.frames import BrokenFrame, Decoder
from agentainer_flow.agent.spawner import KILL, NO_FORK, ORDER, REPORT, SPAWN

CHUNK = 262144


class Worker:
    """One worker process. `on_frame(kind, payload)` and `on_print(stream, data)` hear of what it says."""

    def __init__(self, number: int, on_frame: Callable[[Worker, bytes, bytes], None]) -> None:
        self.number = number
        self.alive = True
        self._on_frame = on_frame
        self._loop = asyncio.get_running_loop()
        self._sock, self._theirs = socket.socketpair()
        self._sock.setblocking(False)
        self._decoder = Decoder()
        self._unsent: deque[memoryview] = deque()
        pipes = os.pipe(), os.pipe()
        self._prints = {"stdout": pipes[0][0], "stderr": pipes[1][0]}
        self._writers = pipes[0][1], pipes[1][1]
        for descriptor in self._prints.values():
            os.set_blocking(descriptor, False)
        self.on_print: Callable[[str, bytes], None] = lambda _stream, _data: None
        self.on_silence: Callable[[], None] = lambda: None
        self._loop.add_reader(self._sock, self._readable)
        for stream in self._prints:
            self._loop.add_reader(self._prints[stream], self._printed, stream)

    def hand_over(self, control: socket.socket) -> None:
        """Sends the other ends to the spawner, and closes them here."""
        try:
            order = ORDER.pack(SPAWN, self.number)
            socket.send_fds(control, [order], [self._theirs.fileno(), *self._writers])
        finally:
            self._theirs.close()
            for descriptor in self._writers:
                os.close(descriptor)

    def send(self, data: bytes) -> None:
        if self._unsent:
            self._unsent.append(memoryview(data))
            return
        sent = self._send_some(data)
        if sent < len(data):
            self._unsent.append(memoryview(data)[sent:])
            self._loop.add_writer(self._sock, self._writable)

    def _send_some(self, data: bytes | memoryview) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # it is gone; the end of the stream tells

    def _writable(self) -> None:
        while self._unsent:
            part = self._unsent[0]
            sent = self._send_some(part)
            if sent < len(part):
                self._unsent[0] = part[sent:]
                return
            self._unsent.popleft()
        self._loop.remove_writer(self._sock)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            frames = self._decoder.feed(data) if data else []
        except BrokenFrame:
            data, frames = b"", []
        for kind, payload in frames:
            self._on_frame(self, kind, payload)
        if not data:
            self._hang_up()
            self.on_silence()

    def _hang_up(self) -> None:
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._unsent.clear()

    def read_prints(self) -> None:
        """What was written to the descriptors 1 and 2 until now."""
        for stream in self._prints:
            self._printed(stream)

    def _printed(self, stream: str) -> None:
        # A bound, so that a program that never stops printing does not stop the agent.
        for _ in range(16):
            try:
                data = os.read(self._prints[stream], CHUNK)
            except BlockingIOError:
                return
            if not data:
                self._loop.remove_reader(self._prints[stream])
                return
            self.on_print(stream, data)

    def close(self) -> None:
        """After its end: reads what it left, and lets go of everything."""
        self.alive = False
        self._readable_to_the_end()
        self.read_prints()
        self._hang_up()
        self._sock.close()
        for descriptor in self._prints.values():
            self._loop.remove_reader(descriptor)
            os.close(descriptor)

    def _readable_to_the_end(self) -> None:
        with contextlib.suppress(OSError, BrokenFrame):
            while data := self._sock.recv(CHUNK):
                for kind, payload in self._decoder.feed(data):
                    self._on_frame(self, kind, payload)


class Workers:
    """`on_end(worker, exit code or -signal)`: the worker and all it had started are gone."""

    def __init__(
        self,
        control: socket.socket,
        on_frame: Callable[[Worker, bytes, bytes], None],
        on_end: Callable[[Worker, int], None],
        on_no_spawner: Callable[[], None],
    ) -> None:
        self._control = control
        self._control.setblocking(False)
        self._on_frame = on_frame
        self._on_end = on_end
        self._on_no_spawner = on_no_spawner
        self._known: dict[int, Worker] = {}
        self._count = 0
        self._partial = b""
        asyncio.get_running_loop().add_reader(control, self._reports)

    def spawn(self) -> Worker:
        self._count += 1
        worker = Worker(self._count, self._on_frame)
        worker.on_silence = lambda: self.kill(worker)
        self._known[worker.number] = worker
        try:
            worker.hand_over(self._control)
        except OSError:
            self._lost()
        return worker

    def kill(self, worker: Worker) -> None:
        """`on_end` follows, also for one that ended already."""
        if worker.number in self._known:
            with contextlib.suppress(OSError):
                self._control.send(ORDER.pack(KILL, worker.number))

    def _reports(self) -> None:
        try:
            data = self._control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        data = self._partial + data
        whole = len(data) - len(data) % REPORT.size
        self._partial = data[whole:]
        for number, code in REPORT.iter_unpack(data[:whole]):
            worker = self._known.pop(number)
            worker.close()
            self._on_end(worker, code)

    def _lost(self) -> None:
        asyncio.get_running_loop().remove_reader(self._control)
        self._on_no_spawner()

    def close(self) -> None:
        """The spawner kills what still runs, and ends."""
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        for worker in self._known.values():
            worker.close()
        self._known.clear()


def how_it_ended(code: int) -> str:
    if code == NO_FORK:
        return "no process could be started for it"
    if code >= 0:
        return f"its process ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = "; perhaps memory ran out" if -code == signal.SIGKILL else ""
    return f"its process was ended by {name}{hint}"
