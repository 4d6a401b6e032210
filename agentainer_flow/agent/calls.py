"""One POST /invoke: what it asks for, and its answer as it comes together.

Does not: decide when it runs (`server`), or know what outputs look like: they are relayed as they came.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from agentainer_flow.agent.capture import LONGEST_LINE
from agentainer_flow.agent.channel import LOGS, NOTES, Budget
from agentainer_flow.agent.http import Exchange, error_body
from agentainer_flow.agent.inbox import MAX_OPEN
from agentainer_flow.agent.outputs import line
from agentainer_flow.agent.talk import MAX_ARGS

SHA = re.compile(r"^[0-9a-f]{64}$")
LONGEST_CALL = MAX_ARGS + 4096  # bytes of its line


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


def read_reply(body: bytes) -> tuple[str, int]:
    """The lease and the call's id of a POST /reply. Raises `BadCall`."""
    reply = read_json(body)
    number, error = reply.get("id"), reply.get("error")
    if not isinstance(number, int) or isinstance(number, bool):
        raise BadCall('"id" must be the number of a call.')
    if ("result" in reply) == ("error" in reply):
        raise BadCall('One of "result" and "error" is wanted.')
    if "error" in reply:
        if not isinstance(error, dict):
            raise BadCall('"error" must be an object.')
        for name in ("type", "message"):
            if not isinstance(error.get(name), str):
                raise BadCall(f'"error.{name}" must be a string.')
    return _text(reply.get("lease"), "lease"), number


class Call:
    """`code`, `bundle`, `handler`, `command` are empty when the request does not name them."""

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
        self.seconds = _seconds(context)
        _check_stream(context.get("stream"))
        self.code, self.bundle, self.handler, self.command = _runs(request.get("runs"))
        self.source = _source(request, self.code)
        inputs = request.get("inputs", [None])
        if not isinstance(inputs, list):
            raise BadCall('"inputs" must be an array.')
        self.batch = "inputs" in request
        if self.batch and "input" in request:
            raise BadCall('One of "input" and "inputs" is wanted, not both.')
        self.total = len(inputs)
        self.answers: list[bytes | memoryview] = []
        self.asked: dict[int, int] = {}  # the id of each open call -> the worker's own number of it
        self.ending: tuple[str, str] | None = None  # type and message, once its worker is being killed
        self.timer: asyncio.TimerHandle | None = None
        self._seconds = 0.0
        self._since: float | None = None  # when the item that runs began
        self._logs = Budget(*LOGS)
        self._notes = Budget(*NOTES)
        self._partial = {"stdout": b"", "stderr": b""}

    @property
    def item(self) -> int:
        """The position of the item that runs."""
        return min(len(self.answers), max(self.total - 1, 0))

    @property
    def complete(self) -> bool:
        return len(self.answers) >= self.total

    def begin(self) -> None:
        """A worker has the rest of it from now on."""
        self._since = time.monotonic()
        self.asked.clear()  # of a worker that died

    def add(self, answer: bytes | memoryview, seconds: float | None = None) -> None:
        """The next item's result, and how long its body took; None: since the item before."""
        now = time.monotonic()
        if seconds is None:
            seconds = 0.0 if self._since is None else now - self._since
        self._seconds += seconds
        self._since = now
        self.answers.append(answer)

    def line(self, payload: bytes) -> None:
        """A line of the log, until there are too many."""
        if self._fits(self._logs, payload, "The log"):
            self.exchange.line(payload)

    def note(self, payload: bytes) -> None:
        """Progress or a metric, until there are too many."""
        if self._fits(self._notes, payload, "Progress"):
            self.exchange.line(payload)

    def ask(self, number: int, own: int, question: bytes) -> bool:
        """A call of the body, as a line with the id `number`. False when it breaks the limits."""
        if len(self.asked) >= MAX_OPEN or len(question) > LONGEST_CALL:
            return False
        self.asked[number] = own
        self.exchange.line(b'{"call":{"id":%d,%b' % (number, question))
        return True

    def _fits(self, budget: Budget, payload: bytes, what: str) -> bool:
        if budget.spent:
            return False
        fits = budget.take(len(payload))
        if not fits:
            self.exchange.line(self._log("log", f"{what} is truncated here: a request may write {budget}."))
        return fits

    def _log(self, stream: str, text: str) -> bytes:
        return line({"log": {"at": round(time.time(), 6), "stream": stream, "text": text, "item": self.item}})

    def printed(self, stream: str, data: bytes) -> None:
        """What programs wrote that the body started."""
        if self._logs.spent:
            return
        *whole, rest = (self._partial[stream] + data).split(b"\n")
        while len(rest) > LONGEST_LINE:
            whole.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self._partial[stream] = rest
        for part in whole:
            if self._logs.spent:
                return
            self.line(self._log(stream, part.decode("utf-8", "replace").rstrip("\r")))

    def end_lines(self) -> None:
        for stream, rest in self._partial.items():
            if rest:
                self.printed(stream, b"\n")

    def answer_rest(self, kind: str, message: str) -> None:
        """The items that did not finish all fail with this."""
        failed = error_body(kind, message)
        if not self.complete:
            self.add(failed)
        self.answers += [failed] * (self.total - len(self.answers))

    def finish(self) -> None:
        """The answer: the results, and "seconds", which is how long the bodies took."""
        self._stop_timer()
        self.end_lines()
        if self.batch:
            answer = b'{"outputs":[%b],"seconds":%.6f}' % (b",".join(self.answers), self._seconds)
        else:
            whole = memoryview(self.answers[0])[:-1]
            answer = b"".join((whole, b',"seconds":%.6f}' % self._seconds))
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


def _seconds(context: Mapping[str, Any]) -> float | None:
    """How long the call may take from now. `timeout` says so whatever this machine's clock shows; without it
    `deadline` counts, by this clock."""
    given = {name: context[name] for name in ("timeout", "deadline") if context.get(name) is not None}
    for name, value in given.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            unit = "seconds" if name == "timeout" else "seconds since 1970"
            raise BadCall(f'"context.{name}" must be a number of {unit}.')
    if "timeout" in given:
        return float(given["timeout"])
    return given["deadline"] - time.time() if given else None


def _check_stream(value: object) -> None:
    if value not in (None, "results"):
        raise BadCall('"context.stream" must be "results", or be left out.')


def _runs(runs: object) -> tuple[str, str, str, tuple[str, ...]]:
    if runs is None:
        return "", "", "", ()
    if not isinstance(runs, dict):
        raise BadCall('"runs" must be an object.')
    code, bundle, handler = (_text(runs.get(name), f"runs.{name}") for name in ("code", "bundle", "handler"))
    command = _command(runs.get("command"))
    if code and not (bundle or handler or command):
        if not SHA.match(code):
            raise BadCall('"runs.code" must be a sha256 in hexadecimal digits.')
    elif bundle and handler and not (code or command):
        if not SHA.match(bundle):
            raise BadCall('"runs.bundle" must be a sha256 in hexadecimal digits.')
    elif not command or code or bundle or handler:
        raise BadCall('"runs" must have one of "code", "command", and "handler" with its "bundle".')
    return code, bundle, handler, command


def _command(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not value or not value[0]:
        raise BadCall('"runs.command" must be an array: a program and its arguments.')
    for word in value:
        if not isinstance(word, str) or "\0" in word or _is_broken(word):
            raise BadCall('"runs.command" must have strings alone, without NUL characters.')
    return tuple(value)


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


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
