"""Messages between the agent and its worker: one byte of kind, four of length, the payload (JSON or text).

Both ends are blind to what the payload of an answer is: the agent relays it as it came.
"""

from __future__ import annotations

import struct

MAX_FRAME = 80 * 1024 * 1024
_HEADER = struct.Struct(">cI")
HEADER_SIZE = _HEADER.size

# To the worker. RUN: the request's body as it came; START ahead of it: the position of the first item to run,
# if that is not 0. REPLY: the worker's number of a call, then the body of POST /reply as it came, or nothing
# when the request ended first.
START, RUN, CODE, REPLY = b"S", b"R", b"C", b"A"
# From the worker. NEED: the sha256 of a code it lacks; LINE: a line of the answer that is log; NOTE: one that
# is progress or a metric; CALL: the worker's number of a call, then the line of the answer from its "op" on;
# ITEM: how long the body took, then its result.
NEED, LINE, NOTE, CALL, ITEM = b"N", b"L", b"P", b"Q", b"I"

POSITION = struct.Struct(">I")  # of an item among the inputs, and the number of a call
SECONDS = struct.Struct(">d")


class BrokenFrame(Exception):
    """The other side sent something that is not a message."""


def head(kind: bytes, size: int) -> bytes:
    """For a payload that follows by itself."""
    return _HEADER.pack(kind, size)


def frame(kind: bytes, payload: bytes, lead: bytes = b"") -> bytes:
    """`lead` is the payload's beginning; a large rest is copied once."""
    return _HEADER.pack(kind, len(lead) + len(payload)) + lead + payload


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
