"""One POST /invoke: what it asks for, and its answer as it comes together.

Does not: decide when it runs (`server`), or know what outputs look like: they are relayed as they came.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from typing import Any, NoReturn

from agentainer_flow.agent.capture import LONGEST_LINE, MAX_LINE_BYTES, MAX_LINES
from agentainer_flow.agent.http import Exchange, error_body
from agentainer_flow.agent.outputs import line

SHA = re.compile(r"^[0-9a-f]{64}$")


class BadCall(Exception):
    """The request's body is not what POST /invoke takes."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_no_constant)


def read_json(body: bytes) -> dict[str, Any]:
    """Raises `BadCall`."""
    try:
        value = _decoder.decode(body.decode())
    except RecursionError:
        raise BadCall("The body is nested too deeply.") from None
    except ValueError as exc:
        raise BadCall(f"The body is not JSON: {exc}.") from None
    if not isinstance(value, dict):
        raise BadCall("The body must be a JSON object.")
    return value


class Call:
    """`code`, `bundle`, `handler` are empty when the request does not name them."""

    def __init__(self, exchange: Exchange) -> None:
        request = read_json(exchange.request.body)
        context = request.get("context")
        if context is None:
            context = {}
        if not isinstance(context, dict):
            raise BadCall('"context" must be an object.')
        self.exchange = exchange
        self.body = exchange.request.body
        exchange.request.body = b""
        self.lease = _text(context.get("lease"), "context.lease")
        self.fence = _fence(context.get("fence"))
        self.deadline = _deadline(context.get("deadline"))
        self.code, self.bundle, self.handler = _runs(request.get("runs"))
        self.source = _source(request, self.code)
        inputs = request.get("inputs", [None])
        if not isinstance(inputs, list):
            raise BadCall('"inputs" must be an array.')
        self.batch = "inputs" in request
        if self.batch and "input" in request:
            raise BadCall('One of "input" and "inputs" is wanted, not both.')
        self.total = len(inputs)
        self.answers: list[bytes] = []
        self.ending: tuple[str, str] | None = None  # type and message, once its worker is being killed
        self.timer: asyncio.TimerHandle | None = None
        self._lines = 0
        self._bytes = 0
        self._truncated = False
        self._partial = {"stdout": b"", "stderr": b""}

    @property
    def item(self) -> int:
        """The position of the item that runs."""
        return min(len(self.answers), max(self.total - 1, 0))

    @property
    def complete(self) -> bool:
        return len(self.answers) >= self.total

    def line(self, payload: bytes) -> None:
        """A line of the answer, until there are too many."""
        if self._truncated:
            return
        self._lines += 1
        self._bytes += len(payload)
        if self._lines > MAX_LINES or self._bytes > MAX_LINE_BYTES:
            self._truncated = True
            limit = f"{MAX_LINES:,} lines or {MAX_LINE_BYTES // 1024**2} MiB"
            payload = self._log("log", f"The log is truncated here: a request may log {limit}.")
        self.exchange.line(payload)

    def _log(self, stream: str, text: str) -> bytes:
        return line({"log": {"at": round(time.time(), 6), "stream": stream, "text": text, "item": self.item}})

    def printed(self, stream: str, data: bytes) -> None:
        """What programs wrote that the body started."""
        if self._truncated:
            return
        *whole, rest = (self._partial[stream] + data).split(b"\n")
        while len(rest) > LONGEST_LINE:
            whole.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self._partial[stream] = rest
        for part in whole:
            if self._truncated:
                return
            self.line(self._log(stream, part.decode("utf-8", "replace").rstrip("\r")))

    def end_lines(self) -> None:
        for stream, rest in self._partial.items():
            if rest:
                self.printed(stream, b"\n")

    def answer_rest(self, kind: str, message: str) -> None:
        """The items that did not finish all fail with this."""
        failed = error_body(kind, message)
        self.answers += [failed] * (self.total - len(self.answers))

    def finish(self) -> None:
        self._stop_timer()
        self.end_lines()
        answer = b'{"outputs":[%b]}' % b",".join(self.answers) if self.batch else self.answers[0]
        if self.exchange.streaming:
            self.exchange.end(answer)
        else:
            self.exchange.send(200, answer)

    def refuse(self, status: int, kind: str, message: str) -> None:
        """Instead of any result."""
        self._stop_timer()
        if self.exchange.streaming:
            self.exchange.end(error_body(kind, message))
        else:
            self.exchange.fail(status, kind, message)

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


def _text(value: object, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadCall(f'"{name}" must be a string.')
    return value


def _fence(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadCall('"context.fence" must be an integer.')
    return value


def _deadline(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise BadCall('"context.deadline" must be a number of seconds since 1970.')
    return float(value)


def _runs(runs: object) -> tuple[str, str, str]:
    if runs is None:
        return "", "", ""
    if not isinstance(runs, dict):
        raise BadCall('"runs" must be an object.')
    code, bundle, handler = (_text(runs.get(name), f"runs.{name}") for name in ("code", "bundle", "handler"))
    if code and not bundle and not handler:
        if not SHA.match(code):
            raise BadCall('"runs.code" must be a sha256 in hexadecimal digits.')
    elif not code and bundle and handler:
        if not SHA.match(bundle):
            raise BadCall('"runs.bundle" must be a sha256 in hexadecimal digits.')
    else:
        raise BadCall('"runs" must have either "code", or "handler" and "bundle".')
    return code, bundle, handler


def _source(request: dict[str, Any], code: str) -> bytes | None:
    source = request.get("source")
    if source is None or not code:
        return None
    if not isinstance(source, str):
        raise BadCall('"source" must be a string.')
    try:
        return source.encode()
    except UnicodeEncodeError:
        raise BadCall('"source" is no valid Unicode.') from None
