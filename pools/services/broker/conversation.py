"""What a body says and asks while its request is open, and what it is told.

It speaks in lines of the answer that is being read; replies go to the agent's /reply. So agents need no way
to the control plane (docs/adr/0010).
Does not: know what calls mean (the listener does), or judge the request's end (`calls` does).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any

from aflow_site.kernel.errors import FlowError
from pools.facade.contracts import Invocation, InvocationResult, Lease, Listener, LogLine
from pools.runtime.contract import AgentHttp, AnswerTooLarge
from pools.services.broker.exchange import MAX_ANSWER_BYTES, encode_reply
from pools.services.broker.lines import Lines, Message, Metric, Progress, Question

log = logging.getLogger(__name__)

# Beyond these the answer is read no further until a call is done: the agent waits, nothing is lost.
MOST_OPEN = 256
MOST_BYTES_OPEN = 16 * 1024 * 1024
LONGEST_CALL = 2 * 1024 * 1024
LONGEST_REPLY = 32 * 1024 * 1024
REPLIES_AT_ONCE = 8  # connections to one agent, beside that of its request
REPLY_PATIENCE = 10.0  # seconds
LAST_REPLIES = 0.5  # seconds for those under way when the answer has come
RETRY_AFTER = (0.05, 0.5)  # seconds; a reply may be sent again, because the agent takes it once


class Conversation:
    """An async context of one request; at its end all calls are over."""

    def __init__(
        self, http: AgentHttp, lease: Lease, headers: dict[str, str], invocation: Invocation
    ) -> None:
        self._http = http
        self._lease = lease
        self._headers = headers
        self._invocation = invocation
        self._listener: Listener | None = invocation.listener
        self._lines = Lines(len(invocation.inputs), invocation.spool_above)
        self._logs: list[LogLine] = []
        self._calls: dict[asyncio.Task[None], int] = {}  # -> bytes of its line
        self._replying: asyncio.Semaphore | None = None
        self._sending: set[asyncio.Task[Any] | None] = set()  # those of the calls whose replies are under way

    async def __aenter__(self) -> Conversation:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._calls:
            return
        left = set(self._calls)
        # Replies under way cost their connections when they are cut off, and take but a moment.
        on_their_way = self._sending & left if kind is None else set()
        patience = LAST_REPLIES if on_their_way else None
        interrupted = False
        _cancel(left - on_their_way)
        while left:
            try:
                _, left = await asyncio.wait(left, timeout=patience)
            except asyncio.CancelledError:
                interrupted = True
            if patience is not None:
                patience = None
                _cancel(left)
        if interrupted and not isinstance(exc, asyncio.CancelledError):
            raise asyncio.CancelledError

    async def hear(self, chunk: bytes) -> None:
        """The next bytes of the answer. Raises `AnswerTooLarge`."""
        lines = self._lines
        slow = lines.takes_time(len(chunk))
        for message in await asyncio.to_thread(lines.feed, chunk) if slow else lines.feed(chunk):
            await self._take(message)
        if self._lines.size > MAX_ANSWER_BYTES:
            raise AnswerTooLarge

    async def result(self, status: int, elapsed: float) -> InvocationResult:
        """After the last byte; `elapsed`: seconds that the request took."""
        end, given = self._lines.end, (self._invocation, status, elapsed)
        result, messages = await asyncio.to_thread(end, *given) if self._lines.takes_time() else end(*given)
        for message in messages:
            if not isinstance(message, Question):  # nobody is there any more to hear the reply
                await self._take(message)
        return InvocationResult(result.results, tuple(self._logs), result.startup_seconds)

    async def _take(self, message: Message) -> None:
        listener = self._listener
        if isinstance(message, Question):
            await self._room()
            task = asyncio.create_task(self._answer(message))
            self._calls[task] = message.size
            task.add_done_callback(self._forget)
        elif isinstance(message, LogLine):
            if listener is None:
                self._logs.append(message)
            else:
                _tell(listener.log, message)
        elif listener is not None:
            if isinstance(message, Progress):
                _tell(listener.progress, message.value, message.item)
            elif isinstance(message, Metric):
                _tell(listener.metric, message.name, message.value, message.item)

    def _forget(self, call: asyncio.Task[None]) -> None:
        del self._calls[call]
        self._sending.discard(call)

    async def _room(self) -> None:
        while len(self._calls) >= MOST_OPEN or sum(self._calls.values()) > MOST_BYTES_OPEN:
            await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)

    async def _answer(self, question: Question) -> None:
        payload = await self._reply(question)
        if self._replying is None:
            self._replying = asyncio.Semaphore(REPLIES_AT_ONCE)
        async with self._replying:
            self._sending.add(asyncio.current_task())
            if not await self._deliver(payload):
                # The body waits on, until its time-out or the end of its agent.
                log.warning("the agent %s took no reply to %s", self._lease.agent_id, question.op)

    async def _deliver(self, payload: bytes) -> bool:
        for pause in (*RETRY_AFTER, None):
            address, headers = self._lease.address, self._headers
            if await self._http.tell(address, "/reply", payload, headers, within=REPLY_PATIENCE):
                return True
            if pause is not None:
                await asyncio.sleep(pause)
        return False

    async def _reply(self, question: Question) -> bytes:
        try:
            payload = self._encoded(question, result=await self._ask(question))
            if len(payload) > LONGEST_REPLY:
                limit = LONGEST_REPLY // 1024**2
                return self._failed(question, "too_large", f"The reply is larger than {limit} MiB.")
        except FlowError as exc:
            return self._failed(question, exc.code, exc.detail)
        except Exception:
            log.exception("the call %s failed", question.op)
            message = f"The platform could not answer {question.op}; its log tells why."
            return self._failed(question, "internal_error", message)
        return payload

    async def _ask(self, question: Question) -> Any:
        """The result. Raises `FlowError`, and whatever the listener raises."""
        if not question.op:
            raise _Refused("bad_call", 'A call needs "op", a text, and "args", an object.')
        if self._listener is None:
            raise _Refused("not_supported", f"{question.op}: nobody answers calls here.")
        if question.size > LONGEST_CALL:
            raise _Refused("too_large", f"{question.op}: a call may have {LONGEST_CALL // 1024**2} MiB.")
        return await self._listener.call(question.op, question.args, question.item)

    def _encoded(self, question: Question, **reply: Any) -> bytes:
        return encode_reply(self._lease.token, question.number, reply)

    def _failed(self, question: Question, kind: str, message: str) -> bytes:
        return self._encoded(question, error={"type": kind, "message": message})


class _Refused(FlowError):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def _cancel(calls: set[asyncio.Task[None]]) -> None:
    for call in calls:
        call.cancel()


def _tell(hear: Callable[..., None], *what: Any) -> None:
    """A listener that fails must not fail the step."""
    try:
        hear(*what)
    except Exception:
        log.exception("what a body said was not heard")
