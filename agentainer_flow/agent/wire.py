"""The messages between the agent's server and the worker process that runs bodies.

To the worker: length, then a JSON head (one line), the source of a `code` step (`head["source"]` bytes) and the
body of the HTTP request as it came. From the worker: length, one byte of kind, then JSON that goes to the
caller as it is. The server never decodes what the worker says, so a body can spoil its own answer alone.
"""

from __future__ import annotations

import struct

LENGTH = struct.Struct("!I")
MAX_REQUEST = 64 * 1024 * 1024  # bytes of one HTTP request's body
MAX_OUTPUT = 60 * 1024 * 1024  # bytes of one answer, all items together
MAX_FRAME = MAX_OUTPUT + 1024 * 1024

LOG = b"L"  # {"log": …}, a line of the answer
RESULT = b"R"  # {"output": …} or {"error": …} of one item, in the order of the items

# A body's log per request; one line then says that the rest was left out.
MAX_LOG_LINES = 10_000
MAX_LOG_BYTES = 1024 * 1024
# What the server lets pass when a body writes to the channel itself.
MAX_RELAYED_LOG = 8 * MAX_LOG_BYTES


class BadFrame(Exception):
    """The other side does not speak this protocol."""

    def sendall(self, data: bytes, /) -> None: ...


def request_frame(head: bytes, source: bytes, body: bytes) -> bytes:
    return b"".join((LENGTH.pack(len(head) + 1 + len(source) + len(body)), head, b"\n", source, body))


def answer_frame(kind: bytes, payload: bytes) -> bytes:
    return b"".join((LENGTH.pack(len(payload) + 1), kind, payload))


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self, limit: int) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete now. Raises BadFrame."""
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        start = 0
        while len(buffer) - start >= 4:
            (length,) = LENGTH.unpack_from(buffer, start)
            if length > self._limit or length < 1:
                raise BadFrame(f"a frame of {length} bytes")
            end = start + 4 + length
            if len(buffer) < end:
                break
            frames.append(bytes(buffer[start + 4 : end]))
            start = end
        if start:
            del buffer[:start]
        return frames
