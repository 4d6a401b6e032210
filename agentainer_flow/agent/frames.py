"""Messages between the agent and its worker: one byte of kind, four of length, the payload (JSON or text).

Both ends are blind to what the payload of an answer is: the agent relays it as it came.
"""

from __future__ import annotations

import socket
import struct

MAX_FRAME = 80 * 1024 * 1024
_HEADER = struct.Struct(">cI")
HEADER_SIZE = _HEADER.size

# To the worker. START: the position of the first item to run; RUN follows: the request's body as it came.
START, RUN, CODE = b"S", b"R", b"C"
# From the worker. NEED: the sha256 of a code it lacks; LINE: a finished line of the answer; ITEM: one result.
NEED, LINE, ITEM = b"N", b"L", b"I"

POSITION = struct.Struct(">I")


class BrokenFrame(Exception):
    """The other side sent something that is not a message."""


def head(kind: bytes, size: int) -> bytes:
    """For a payload that follows by itself."""
    return _HEADER.pack(kind, size)


def frame(kind: bytes, payload: bytes) -> bytes:
    return _HEADER.pack(kind, len(payload)) + payload


class Decoder:
    """Cuts a stream into messages. Raises `BrokenFrame` for a length beyond all limits."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        buffer = self._buffer
        buffer += data
        found: list[tuple[bytes, bytes]] = []
        at, end = 0, len(buffer)
        while end - at >= HEADER_SIZE:
            kind, size = _HEADER.unpack_from(buffer, at)
            if size > MAX_FRAME:
                raise BrokenFrame(f"a message of {size} bytes")
            stop = at + HEADER_SIZE + size
            if stop > end:
                break
            found.append((kind, bytes(memoryview(buffer)[at + HEADER_SIZE : stop])))
            at = stop
        if at:
            del buffer[:at]
        return found


class Reader:
    """Reads messages from a blocking socket. Raises `EOFError` at its end."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._decoder = Decoder()
        self._ready: list[tuple[bytes, bytes]] = []

    def read(self) -> tuple[bytes, bytes]:
        while not self._ready:
            data = self._sock.recv(262144)
            if not data:
                raise EOFError
            self._ready = self._decoder.feed(data)
        return self._ready.pop(0)
