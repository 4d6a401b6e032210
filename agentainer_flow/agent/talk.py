"""What a body may say to the executor that called it, and ask of it, while the request is open.

Everything travels in the answer that the executor reads anyway: an agent needs no way to anybody.
Does not: know which questions an executor answers.
"""

from __future__ import annotations

import asyncio
import json
import math
from numbers import Real
from typing import Any

from agentainer_flow.agent import channel
from agentainer_flow.agent.channel import Channel
from agentainer_flow.agent.inbox import Ended
from agentainer_flow.agent.outputs import BadOutput, encode

MAX_ARGS = 1024 * 1024  # bytes of a call's arguments as JSON
MAX_OP = 100  # characters

OUTSIDE = "outside"
ENDED = "ended"
INVALID = "invalid"


class CallFailed(Exception):
    """A call without a result. `kind` is the type of the executor's error, or one of ours: `invalid` (the
    arguments have no JSON form or are too large), `ended` (the request is over), `outside` (this process runs
    no body)."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Talk:
    """Of one item of one request. Any thread may use it, and any event loop of this process."""

    def __init__(self, own: Channel) -> None:
        self._channel = own
        self._request = own.request
        self._item = own.item

    def call(self, op: str, args: dict[str, Any] | None = None) -> Any:
        """Asks the executor. The result (any JSON value); where an event loop runs, something to await.

        Raises `CallFailed`.
        """
        if in_loop():
            return self.call_async(op, args)
        payload = self._question(op, args)
        try:
            reply = self._channel.inbox.ask(self._request, payload)
        except (Ended, EOFError):
            raise _ended() from None
        return _result(reply)

    async def call_async(self, op: str, args: dict[str, Any] | None = None) -> Any:
        payload = self._question(op, args)
        try:
            reply = await self._channel.inbox.ask_async(self._request, payload)
        except Ended:
            raise _ended() from None
        return _result(reply)

    def progress(self, value: Any) -> None:
        """How far the item is, as any JSON value. Raises `CallFailed` when it is none."""
        self._note(b'{"progress":%b,"item":%d}' % (_encoded(value, "progress"), self._item))

    def metric(self, name: str, value: float) -> None:
        """A finite number under a name of at most 100 characters. Raises `CallFailed`."""
        if not isinstance(name, str) or not 0 < len(name) <= MAX_OP:
            raise CallFailed(INVALID, f"A metric's name is text of 1 to {MAX_OP} characters.")
        number = _finite(value)
        if number is None:
            raise CallFailed(INVALID, f"The metric {name} must be a finite number.")
        entry = {"name": name, "value": number, "item": self._item}
        self._note(b'{"metric":%b}' % _encoded(entry, "metric"))

    def _note(self, payload: bytes) -> None:
        if self._channel.ours:
            self._channel.note(self._request, payload)

    def _question(self, op: str, args: dict[str, Any] | None) -> bytes:
        """The line of the answer after the call's id, which the agent gives."""
        if not self._channel.ours:
            raise CallFailed(OUTSIDE, "This process was forked from a body; only the body's own may call.")
        if not isinstance(op, str) or not 0 < len(op) <= MAX_OP:
            raise CallFailed(INVALID, f"A call's name is text of 1 to {MAX_OP} characters.")
        encoded = _encoded(args or {}, "args")
        if len(encoded) > MAX_ARGS:
            limit = MAX_ARGS // 1024**2
            raise CallFailed(INVALID, f"The arguments of a call are limited to {limit} MiB; these are more.")
        return b'"op":%b,"args":%b,"item":%d}}' % (_encoded(op, "op"), encoded, self._item)


def current() -> Talk | None:
    """Of the item that runs in this process; None in a process that is no worker."""
    own = channel.current
    return None if own is None else Talk(own)


def call(op: str, args: dict[str, Any] | None = None) -> Any:
    """From inside a body: asks the executor. The result (any JSON value); where an event loop runs, something
    to await. Raises `CallFailed`."""
    talk = current()
    if talk is None:
        raise CallFailed(OUTSIDE, "Calls are for bodies that an agent runs; this process is none.")
    return talk.call(op, args)


def progress(value: Any) -> None:
    """From inside a body: how far it is, as any JSON value. Elsewhere it does nothing."""
    talk = current()
    if talk is not None:
        talk.progress(value)


def in_loop() -> bool:
    """Whether an event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _encoded(value: Any, name: str) -> bytes:
    try:
        return encode(value, name)
    except BadOutput as exc:
        raise CallFailed(INVALID, str(exc)) from None


def _finite(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _result(reply: bytes) -> Any:
    told = json.loads(reply)
    error = told.get("error")
    if error is not None:
        raise CallFailed(error["type"], error["message"])
    return told["result"]


def _ended() -> CallFailed:
    return CallFailed(ENDED, "The request that this call belongs to has ended.")
