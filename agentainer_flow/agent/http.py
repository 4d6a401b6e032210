"""A small HTTP/1.1 server side on asyncio: one request at a time per connection, kept alive.

Bodies come with Content-Length; answers are one piece, or lines as they arise (chunked).
Does not: TLS, compression, chunked requests (411), upgrades.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import cast

MAX_HEAD = 32 * 1024
MAX_BODY = 64 * 1024 * 1024
MAX_UNTRUSTED_BODY = 64 * 1024
SLOW_REQUEST = 60.0  # seconds a request may take to arrive
LINGER = 1.0  # seconds for which a refused client's further bytes are read and dropped
MAX_CONNECTIONS = 1000

_TOKEN = re.compile(r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")
_VERSION = re.compile(r"^HTTP/(\d)\.(\d)$")
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
JSON = "application/json"
NDJSON = "application/x-ndjson"


class BadRequest(Exception):
    """The bytes are no request we serve; the connection ends with this answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Request:
    """`path` is without the query; names in `headers` are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    keep_alive: bool
    chunks: bool  # the client understands a chunked answer
    body: bytes = b""


def parse_head(head: bytes) -> Request:
    """From the request line to the last header, without the empty line. Raises `BadRequest`."""
    return Request(*_parsed(head))


@lru_cache(maxsize=16)  # one client sends much the same head again and again
def _parsed(head: bytes) -> tuple[str, str, Mapping[str, str], bool, bool]:
    try:
        lines = head.decode("latin-1").split("\r\n")
        method, target, version = lines[0].split(" ")
    except ValueError:
        raise BadRequest(400, "The request line is malformed.") from None
    found = _VERSION.match(version)
    if not _TOKEN.match(method) or not target or found is None:
        raise BadRequest(400, "The request line is malformed.")
    if found[1] != "1":
        raise BadRequest(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    headers = _headers(lines[1:])
    old = found[2] == "0"
    keep = not old and "close" not in headers.get("connection", "").lower()
    return method, target.partition("?")[0], headers, keep, not old


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.match(name) or "\r" in value or "\n" in value or "\0" in value:
            raise BadRequest(400, "A header is malformed.")
        name, value = name.lower(), value.strip(" \t")
        if name not in headers:
            headers[name] = value
        elif name not in ("content-length", "host", "authorization"):
            headers[name] = f"{headers[name]}, {value}"
        elif headers[name] != value:
            raise BadRequest(400, f"The header {name} is there twice.")
    return headers


def body_length(headers: Mapping[str, str]) -> int:
    """Raises `BadRequest`."""
    if "transfer-encoding" in headers:
        raise BadRequest(411, "A body needs a Content-Length.")
    text = headers.get("content-length", "0")
    if not text.isascii() or not text.isdigit():
        raise BadRequest(400, "Content-Length is not a number.")
    # The digits are counted first: turning a very long text into a number is work.
    if len(text.lstrip("0")) > 12 or int(text) > MAX_BODY:
        raise BadRequest(413, f"The body is larger than {MAX_BODY // 1024**2} MiB.")
    return int(text)


def error_body(kind: str, message: str) -> bytes:
    error = {"type": kind, "message": message, "traceback": None}
    return json.dumps({"error": error}, separators=(",", ":")).encode()


class Exchange:
    """One request and its answer: either `send`, or any number of `line` and then `end`."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self._connection: Connection | None = connection
        self.request = request
        self.streaming = False
        self.on_gone: Callable[[], None] | None = None  # the client hung up before the answer

    @property
    def open(self) -> bool:
        return self._connection is not None

    def send(self, status: int, body: bytes, content_type: str = JSON, extra: str = "") -> None:
        if self._connection is None:
            return
        shown = b"" if self.request.method == "HEAD" else body
        self._connection.write(
            self._head(status, content_type, f"Content-Length: {len(body)}\r\n{extra}") + shown
        )
        self._finish()

    def fail(self, status: int, kind: str, message: str, extra: str = "") -> None:
        self.send(status, error_body(kind, message), extra=extra)

    def line(self, text: bytes) -> None:
        """One line of a streamed answer, without its line end."""
        if self._connection is None:
            return
        data = text + b"\n"
        if self.request.chunks:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if not self.streaming:
            self.streaming = True
            extra = "Transfer-Encoding: chunked\r\n"
            if not self.request.chunks:
                extra, self.request.keep_alive = "", False  # its end is the connection's end
            data = self._head(200, NDJSON, extra) + data
        self._connection.write(data)

    def end(self, text: bytes) -> None:
        """The last line of a streamed answer."""
        self.line(text)
        if self._connection is not None and self.request.chunks:
            self._connection.write(b"0\r\n\r\n")
        self._finish()

    def lost(self) -> None:
        self._connection = None
        if self.on_gone is not None:
            self.on_gone()

    def _head(self, status: int, content_type: str, extra: str) -> bytes:
        assert self._connection is not None
        closing = "" if self.request.keep_alive and not self._connection.closing else "Connection: close\r\n"
        return (
            f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\nContent-Type: {content_type}\r\n"
            f"{self._connection.fixed_headers}{extra}{closing}\r\n"
        ).encode("latin-1")

    def _finish(self) -> None:
        connection, self._connection = self._connection, None
        self.on_gone = None
        if connection is not None:
            connection.finished(self.request.keep_alive)


class Connection(asyncio.Protocol):
    """`serve` gets each exchange; `trusts` decides on a request by its head, before its body is read."""

    def __init__(
        self,
        serve: Callable[[Exchange], None],
        trusts: Callable[[Request], bool],
        all_connections: set[Connection],
        fixed_headers: str,
    ) -> None:
        self._serve = serve
        self._trusts = trusts
        self._all = all_connections
        self.fixed_headers = fixed_headers
        self.closing = False  # after the answer under way
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._scanned = 0
        self._head: Request | None = None
        self._needed = 0
        self._exchange: Exchange | None = None
        self._began: float | None = None
        self._lingering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self._all) >= MAX_CONNECTIONS:
            transport.close()
            return
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._all.discard(self)
        self.closed.set_result(None)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.lost()

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        self._buffer += data
        if self._exchange is None:
            self._advance()
        elif len(self._buffer) > MAX_HEAD and self._transport is not None:
            self._transport.pause_reading()  # a client that sends far ahead of its answers

    def _advance(self) -> None:
        try:
            while self._exchange is None and self._transport is not None and not self._ends():
                request = self._next()
                if request is None:
                    return
                self._exchange = exchange = Exchange(self, request)
                self._serve(exchange)
        except BadRequest as exc:
            kind = "too_large" if exc.status in (413, 431) else "bad_request"
            self._refuse(exc.status, kind, str(exc))

    def _ends(self) -> bool:
        return self.closing or self._lingering

    def _next(self) -> Request | None:
        """A complete request out of the buffer, or None while it is not there."""
        if self._head is None and not self._read_head():
            return None
        assert self._head is not None
        if len(self._buffer) < self._needed:
            return None
        request, self._head, self._began = self._head, None, None
        request.body = bytes(memoryview(self._buffer)[: self._needed])
        del self._buffer[: self._needed]
        return request

    def _read_head(self) -> bool:
        buffer = self._buffer
        while buffer.startswith(b"\r\n"):  # RFC 9112, 2.2: empty lines ahead of a request are ignored
            del buffer[:2]
        if buffer and self._began is None:
            self._began = asyncio.get_running_loop().time()
        end = buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        if end > MAX_HEAD or (end < 0 and len(buffer) > MAX_HEAD):
            raise BadRequest(431, f"The headers are larger than {MAX_HEAD // 1024} KiB.")
        if end < 0:
            self._scanned = len(buffer)
            return False
        head = parse_head(bytes(memoryview(buffer)[:end]))
        self._needed = body_length(head.headers)
        if self._needed > MAX_UNTRUSTED_BODY and not self._trusts(head):
            self._refuse(401, "unauthorized", "The token is missing or wrong.")
            return False
        del buffer[: end + 4]
        self._scanned = 0
        self._head = head
        if self._needed and head.headers.get("expect", "").lower() == "100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _refuse(self, status: int, kind: str, message: str) -> None:
        """What follows in the stream cannot be told apart any more: the connection ends."""
        transport = self._transport
        if transport is None:
            return
        self._lingering = True
        self._buffer.clear()
        Exchange(self, Request("GET", "", {}, False, False)).fail(status, kind, message)
        # A socket that is closed with unread bytes takes our answer from the client as well.
        asyncio.get_running_loop().call_later(LINGER, transport.close)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def finished(self, keep_alive: bool) -> None:
        self._exchange = None
        if self._transport is None:
            return
        if self._lingering:
            self._transport.write_eof()
            return
        if not keep_alive or self.closing:
            self.closing = True
            self._transport.close()
            return
        if not self._transport.is_reading():
            self._transport.resume_reading()
        if self._buffer:
            # Not from here: answers that come at once would nest as deep as requests are waiting.
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._exchange is None:
            self._advance()

    def shut(self) -> None:
        """Ends the connection: now when it is idle, else after the answer under way."""
        self.closing = True
        if self._exchange is None and self._transport is not None:
            self._transport.close()

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self._exchange is not None

    def drop_if_slow(self, now: float) -> None:
        if self._began is not None and not self._lingering and now - self._began > SLOW_REQUEST:
            self._refuse(408, "bad_request", "The request did not arrive in time.")
