"""A streamed answer (NDJSON), cut into lines as its bytes come: what the body says, then the answer itself.

Bytes in, messages out; an answer that is too large to be held is laid by meanwhile. Does not: act on what it
reads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aflow_site.kernel.spool import Spool
from pools.facade.contracts import AgentError, Invocation, InvocationResult, LogLine
from pools.services.broker.exchange import BadAnswer, all_failed, read_large, read_object, result_of

LATEST = 2**33  # seconds since 1970: the year 2242
MOST_ITEMS = 2**31
LONGEST_NAME = 100  # characters, of a metric and of what a call asks for
# How what a body says on its way begins, or a line of nothing, however long: they are needed as a whole.
_NO_ANSWER = re.compile(rb'\s*(?:\{\s*"(?:call|log|progress|metric)"|\Z)')


@dataclass(frozen=True, slots=True)
class Progress:
    value: Any
    item: int


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    value: float
    item: int


@dataclass(frozen=True, slots=True)
class Question:
    """A call. `op` is empty when it cannot be understood. `size`: bytes of its line."""

    number: int
    op: str
    args: Mapping[str, Any]
    item: int
    size: int


Message = LogLine | Progress | Metric | Question


class Lines:
    """`size` counts the bytes that came, without those of calls: each is done with when it was answered.
    `spool_above`: bytes of a line above which it is laid by, unless it is a message; None: never."""

    def __init__(self, items: int, spool_above: int | None = None) -> None:
        self.size = 0
        self._items = items
        self._spool_above = math.inf if spool_above is None else spool_above
        self._parts: list[bytes] = []  # of the line that is not complete
        self._held = 0  # bytes of them
        self._may_be_large = True  # that line
        self._spool: Spool | None = None  # where it is, if it is large
        self._unread: Spool | None = None  # a large line that is complete
        self._answer: Mapping[str, Any] | None = None
        self._fault: BadAnswer | None = None
        self._any = False

    def takes_time(self, more: int = 0) -> bool:
        """Whether the next call, with so many bytes more, may touch a disk: it is not for an event loop."""
        if self._spool is not None or self._unread is not None:
            return True
        return more + (self._held if self._may_be_large else 0) > self._spool_above

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages of the lines that are complete by now."""
        self.size += len(chunk)
        first, *others = chunk.split(b"\n")
        self._add(first)
        messages: list[Message] = []
        for part in others:
            self._line(messages)
            self._add(part)
        return messages

    def _add(self, part: bytes) -> None:
        self._parts.append(part)
        self._held += len(part)
        if self._held <= self._spool_above or not self._may_be_large:
            return
        if self._spool is None:
            start = b"".join(self._parts)
            self._parts = [start]
            self._may_be_large = _NO_ANSWER.match(start) is None
            if not self._may_be_large:
                return
            self._spool = Spool()
        for held in self._parts:
            self._spool.write(held)
        self._parts.clear()

    def end(
        self, invocation: Invocation, status: int, elapsed: float | None
    ) -> tuple[InvocationResult, list[Message]]:
        """The result, and what a last line without its end still said."""
        messages: list[Message] = []
        self._line(messages)
        self._read_large(messages)
        try:
            return result_of(self._last(), status, invocation, elapsed), messages
        except BadAnswer as exc:
            return all_failed(invocation, AgentError("bad_answer", str(exc))), messages

    def _last(self) -> Mapping[str, Any]:
        if self._fault is not None:
            raise self._fault
        if not self._any:
            raise BadAnswer("The agent's answer was empty.")
        if self._answer is None:
            raise BadAnswer("The agent's answer broke off before its result.")
        return self._answer

    def _line(self, messages: list[Message]) -> None:
        """One complete line. Of several that are no message the last one is the answer."""
        raw, spool = b"".join(self._parts), self._spool
        self._parts.clear()
        self._held, self._may_be_large, self._spool = 0, True, None
        if spool is None and not raw.strip():
            return
        self._read_large(messages)
        if spool is None:
            self._read(raw, messages)
        else:
            self._unread = spool

    def _read_large(self, messages: list[Message]) -> None:
        """The large line before, if there was one. It is most likely the answer, and then this is not done
        while the request's time runs."""
        if self._unread is not None:
            self._read(self._unread, messages)
            self._unread = None

    def _read(self, line: bytes | Spool, messages: list[Message]) -> None:
        self._any, self._answer = True, None
        size = line.size if isinstance(line, Spool) else len(line)
        try:
            entry = read_large(line, 200) if isinstance(line, Spool) else read_object(line, 200)
            if _is_answer(entry):
                self._answer = entry
                return
            message = self._message(entry, size)
        except BadAnswer as exc:
            self._fault = self._fault or exc
            return
        if message is not None:
            messages.append(message)
        if isinstance(message, Question):
            self.size -= size

    def _message(self, entry: Mapping[str, Any], size: int) -> Message | None:
        """None for what cannot be understood and is no reason to fail a step. Raises `BadAnswer`."""
        if "log" in entry:
            return _log_line(entry["log"]) if isinstance(entry["log"], dict) else None
        if "progress" in entry:
            return Progress(entry["progress"], self._position(entry.get("item")))
        if "metric" in entry:
            return self._metric(entry["metric"])
        return self._question(entry["call"], size)

    def _metric(self, entry: Any) -> Metric | None:
        if not isinstance(entry, dict):
            return None
        name, value = entry.get("name"), entry.get("value")
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or isinstance(value, bool):
            return None
        if not isinstance(value, int | float) or not abs(value) < math.inf:
            return None
        return Metric(name, float(value), self._position(entry.get("item")))

    def _question(self, entry: Any, size: int) -> Question:
        number = entry.get("id") if isinstance(entry, dict) else None
        if type(number) is not int:
            raise BadAnswer("A call of the agent has no number to answer it by.")
        op, args = entry.get("op"), entry.get("args", {})
        understood = isinstance(op, str) and 0 < len(op) <= LONGEST_NAME and isinstance(args, dict)
        item = self._position(entry.get("item"))
        return Question(number, op, args, item, size) if understood else Question(number, "", {}, item, size)

    def _position(self, item: Any) -> int:
        return item if type(item) is int and 0 <= item < self._items else 0


def _is_answer(entry: Mapping[str, Any]) -> bool:
    if "log" in entry or "progress" in entry:
        return False
    # What images of others answer may have any further keys.
    result = "output" in entry or "outputs" in entry or "error" in entry
    return result or not ("metric" in entry or "call" in entry)


def _log_line(entry: Mapping[str, Any]) -> LogLine:
    """Never raises: what a field says amiss is replaced, because a log line is no reason to fail a step."""
    at, item = entry.get("at"), entry.get("item")
    if isinstance(at, int | float) and 0 <= at < LATEST:
        moment = datetime.fromtimestamp(at, UTC)
    else:
        moment = datetime.now(UTC)
    return LogLine(
        at=moment,
        stream=str(entry.get("stream", "log")),
        text=str(entry.get("text", "")),
        item=item if type(item) is int and 0 <= item < MOST_ITEMS else 0,
    )
