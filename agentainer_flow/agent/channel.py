"""The worker's end of the socket to its agent: lines, calls and results of the request that runs."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any

from agentainer_flow.agent.frames import CALL, ITEM, LINE, NOTE, SECONDS, frame
from agentainer_flow.agent.inbox import Inbox
from agentainer_flow.agent.outputs import line


class Budget:
    """How many lines of a kind a request may write, and how many bytes in all."""

    __slots__ = ("_left", "_lines", "_room", "_size")

    def __init__(self, lines: int, size: int) -> None:
        self._lines = self._left = lines
        self._size = self._room = size

    def take(self, size: int) -> bool:
        """False for a line past the limit; further ones are not counted."""
        if not self.spent:
            self._left -= 1
            self._room -= size
        return not self.spent

    @property
    def spent(self) -> bool:
        return self._left < 0 or self._room < 0

    def renew(self) -> None:
        self._left, self._room = self._lines, self._size

    def __str__(self) -> str:
        return f"{self._lines:,} lines or {self._size // 1024**2} MiB"


LOGS = 10_000, 1024**2
NOTES = 100_000, 8 * 1024**2  # progress and metrics, of which a long body writes more


class Channel:
    """One message at a time, from whichever thread. `request` and `item` tell what is at work."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self.inbox = Inbox(sock, lambda request, payload: self.send_within(request, CALL, payload))
        self.request = 0
        self.item = 0
        self._running = False
        self._logs = Budget(*LOGS)
        self._notes = Budget(*NOTES)

    @property
    def ours(self) -> bool:
        """False in processes that a body forked: they must not speak for the worker."""
        return os.getpid() == self._owner

    def begin(self) -> None:
        self._logs.renew()
        self._notes.renew()
        with self._lock:
            self.request += 1
            self._running = True

    def send(self, kind: bytes, payload: bytes) -> None:
        with self._lock:
            self._sock.sendall(frame(kind, payload))

    def send_item(self, answer: bytes, seconds: float, *, last: bool) -> None:
        """One result. After the last one the request says nothing more: what comes late must not pass for the
        next request's."""
        with self._lock:
            if last:
                self._running = False
            self._sock.sendall(frame(ITEM, answer, SECONDS.pack(seconds)))
        if last:
            self.inbox.forget_unsent()

    def send_within(self, request: int, kind: bytes, payload: bytes) -> bool:
        """Sends while that request runs; False when it has ended."""
        with self._lock:
            if not self._running or self.request != request:
                return False
            self._sock.sendall(frame(kind, payload))
            return True

    def log(self, stream: str, text: str, **more: Any) -> None:
        # The agent keeps the limits and says so; past them nothing needs sending.
        if self._logs.spent:
            return
        entry = {"at": round(time.time(), 6), "stream": stream, "text": text, "item": self.item, **more}
        payload = line({"log": entry})
        self._logs.take(len(payload))
        self.send(LINE, payload)

    def note(self, request: int, payload: bytes) -> None:
        """A line that is progress or a metric; dropped when its request has ended."""
        if not self._notes.spent:
            self._notes.take(len(payload))
            self.send_within(request, NOTE, payload)


current: Channel | None = None  # of this process, when it is a worker
