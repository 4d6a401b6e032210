"""The worker's reading end: orders of the agent for its main thread, and replies for whoever waits for one.

No thread reads ahead. Whoever waits reads for all: one thread waits on the socket, other threads on a bell of
their own, an event loop until the socket has something. So a body that asks nothing costs nothing, and there
is nothing left over at its end.
Does not: know what calls and replies say.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable

from agentainer_flow.agent.frames import POSITION, REPLY, Decoder

CHUNK = 262144
MAX_OPEN = 256  # calls that are sent and not answered; further ones wait here

Send = Callable[[int, bytes], bool]  # request, payload -> False when that request has ended


class Ended(Exception):
    """The request ended before the reply came."""


class _Waiter:
    """A thread that waits for its reply."""

    def __init__(self) -> None:
        self.bell = threading.Event()
        self.done = False
        self.reply: bytes | None = None

    @property
    def gone(self) -> bool:
        return False

    def deliver(self, reply: bytes | None) -> None:
        self.done, self.reply = True, reply
        self.bell.set()


class _AsyncWaiter:
    """A task that waits for its reply."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.future: asyncio.Future[bytes | None] = loop.create_future()

    @property
    def gone(self) -> bool:
        return self.future.done()

    def deliver(self, reply: bytes | None) -> None:
        if _running_loop() is self._loop:
            self._set(reply)
            return
        with contextlib.suppress(RuntimeError):  # its loop is closed, so nobody waits
            self._loop.call_soon_threadsafe(self._set, reply)

    def _set(self, reply: bytes | None) -> None:
        if not self.future.done():
            self.future.set_result(reply)


class Inbox:
    """`send(request, payload)` sends a call, if that request still runs."""

    def __init__(self, sock: socket.socket, send: Send) -> None:
        self._sock = sock
        self._send = send
        self._decoder = Decoder()
        self._lock = threading.Lock()
        self._reading = False  # a thread waits on the socket
        self._closed = False
        self._orders: deque[tuple[bytes, bytes]] = deque()
        self._has_order: Callable[[], object] = self._orders.__len__
        self._bell = threading.Event()  # of the main thread
        self._bells: set[threading.Event] = set()  # of threads that wait for somebody else's reading
        self._count = 0
        self._open: dict[int, _Waiter | _AsyncWaiter] = {}
        self._unsent: deque[tuple[int, bytes, _Waiter | _AsyncWaiter]] = deque()
        self._loops: dict[asyncio.AbstractEventLoop, int] = {}

    def read(self) -> tuple[bytes, bytes]:
        """The agent's next order. For the main thread alone. Raises `EOFError` when the agent hung up."""
        if not self._orders:
            self._until(self._has_order, self._bell)
        return self._orders.popleft()

    def ask(self, request: int, payload: bytes) -> bytes:
        """The reply. Blocks. Raises `Ended`, or `EOFError` when the agent hung up."""
        waiter = _Waiter()
        self._begin(request, payload, waiter)
        self._until(lambda: waiter.done, waiter.bell)
        return _certain(waiter.reply)

    async def ask_async(self, request: int, payload: bytes) -> bytes:
        """The same without blocking the loop."""
        loop = asyncio.get_running_loop()
        waiter = _AsyncWaiter(loop)
        self._watch(loop)
        try:
            self._begin(request, payload, waiter)
            return _certain(await waiter.future)
        finally:
            self._unwatch(loop)

    def forget_unsent(self) -> None:
        """At a request's end; the calls that were sent are answered by the agent."""
        if not self._unsent:
            return
        with self._lock:
            for _, _, waiter in self._unsent:
                waiter.deliver(None)
            self._unsent.clear()

    # --- calls ----------------------------------------------------------------------------------------

    def _begin(self, request: int, payload: bytes, waiter: _Waiter | _AsyncWaiter) -> None:
        with self._lock:
            if self._closed:
                waiter.deliver(None)
                return
            if len(self._open) >= MAX_OPEN:
                self._unsent.append((request, payload, waiter))
                return
            number = self._opened(waiter)
        self._sent(request, number, payload)

    def _opened(self, waiter: _Waiter | _AsyncWaiter) -> int:
        self._count += 1
        self._open[self._count] = waiter
        return self._count

    def _sent(self, request: int, number: int, payload: bytes) -> None:
        """Not under the lock: sending waits until the agent reads."""
        if not self._send(request, POSITION.pack(number) + payload):
            with self._lock:
                self._open.pop(number).deliver(None)

    # --- reading --------------------------------------------------------------------------------------

    def _until(self, ready: Callable[[], object], bell: threading.Event) -> None:
        try:
            while True:
                with self._lock:
                    if ready():
                        return
                    if self._closed:
                        raise EOFError
                    mine = not self._reading
                    if mine:
                        self._reading = True
                    else:
                        bell.clear()
                        self._bells.add(bell)
                if mine:
                    self._read()
                else:
                    bell.wait()
        finally:
            if self._bells:
                self._hand_over(bell)

    def _hand_over(self, bell: threading.Event) -> None:
        """Whoever stops waiting wakes another, which reads on."""
        with self._lock:
            self._bells.discard(bell)
            if self._bells and not self._reading:
                next(iter(self._bells)).set()

    def _read(self) -> None:
        try:
            data = self._sock.recv(CHUNK)
        except ConnectionError:
            data = b""  # as an end
        except BaseException:  # a signal's handler raised
            with self._lock:
                self._reading = False
            raise
        with self._lock:
            self._reading = False
            due = self._sort(data)
        for call in due:
            self._sent(*call)

    def _readable(self) -> None:
        """A loop's turn."""
        with self._lock:
            if self._reading or self._closed:
                return
            try:
                data = self._sock.recv(CHUNK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionError:
                data = b""
            due = self._sort(data)
        for call in due:
            self._sent(*call)

    def _sort(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Hands everything out; the calls that may be sent now. Raises `BrokenFrame`."""
        if not data:
            self._close()
            return []
        due: list[tuple[int, int, bytes]] = []
        for kind, payload in self._decoder.feed(data):
            if kind != REPLY:
                self._orders.append((kind, payload))
                if self._bells:
                    self._bell.set()
                continue
            (number,) = POSITION.unpack_from(payload)
            waiter = self._open.pop(number, None)
            if waiter is not None:
                waiter.deliver(payload[POSITION.size :])
            due += self._next_unsent()
        return due

    def _next_unsent(self) -> list[tuple[int, int, bytes]]:
        while self._unsent and len(self._open) < MAX_OPEN:
            request, payload, waiter = self._unsent.popleft()
            if not waiter.gone:
                return [(request, self._opened(waiter), payload)]
        return []

    def _close(self) -> None:
        self._closed = True
        for waiter in (*self._open.values(), *(waiter for _, _, waiter in self._unsent)):
            waiter.deliver(None)
        self._open.clear()
        self._unsent.clear()
        for bell in (self._bell, *self._bells):
            bell.set()

    # --- loops ----------------------------------------------------------------------------------------

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            count = self._loops[loop] = self._loops.get(loop, 0) + 1
        if count == 1:
            loop.add_reader(self._sock.fileno(), self._readable)

    def _unwatch(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            count = self._loops[loop] = self._loops[loop] - 1
            if not count:
                del self._loops[loop]
        if not count:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.remove_reader(self._sock.fileno())


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _certain(reply: bytes | None) -> bytes:
    if not reply:
        raise Ended
    return reply
