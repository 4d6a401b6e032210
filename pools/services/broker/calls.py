"""One request to a leased agent, and what its failures mean for the lease."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable
from dataclasses import dataclass, field

import aiohttp
import orjson

from aflow_site.kernel import tracing
from pools.domain.agents import EndReason
from pools.facade.contracts import (
    AgentError,
    AgentLost,
    AgentTimeout,
    Code,
    Handler,
    Invocation,
    InvocationResult,
    Lease,
    LeaseLost,
)
from pools.runtime.contract import UNREACHABLE, AgentHttp, Answer, AnswerTooLarge
from pools.services.broker.conversation import Conversation
from pools.services.broker.exchange import (
    MAX_ANSWER_BYTES,
    all_failed,
    decode,
    encode,
    refusal,
    refused_bundle,
    runs_hash,
)

CANCEL_PATIENCE = 1.0
# An agent that keeps deadlines answers in this time after one; only others are given up.
GRACE = 1.0
AGENTS_REMEMBERED = 4096


@dataclass(slots=True)
class Held:
    """A lease in this process's hands. `spoiled` is why its agent must end, once `must_end` is set."""

    lease: Lease
    headers: dict[str, str]
    sent: int = 0
    lost: bool = False
    must_end: bool = False
    spoiled: EndReason = EndReason.ERRORS
    calls: set[asyncio.Task[object]] = field(default_factory=set)
    voided: set[asyncio.Task[object]] = field(default_factory=set)  # those of them that `lose` has cancelled
    stopping: Awaitable[bool] | None = None  # a /cancel under way
    waits: int = 0  # calls of its body that wait for others
    parked: bool = False  # it has given its place away for them
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # parking and resuming, one at a time

    @property
    def busy(self) -> bool:
        return bool(self.calls)

    def lose(self) -> None:
        """The lease is gone: its requests end now, in `LeaseLost`. Said twice, each is cancelled once: of two
        cancellations, one would be taken for somebody else's."""
        self.lost = True
        for call in self.calls - self.voided:
            call.cancel()
        self.voided |= self.calls

    async def settled(self) -> bool:
        """Whether the agent may serve another: nothing of this lease runs in it any more."""
        if self.must_end or self.calls:
            return False
        return self.stopping is None or await self.stopping


class Caller:
    """Remembers which code and bundles each agent has, so that sources travel once."""

    def __init__(self, http: AgentHttp) -> None:
        self._http = http
        self._known: OrderedDict[object, set[str]] = OrderedDict()

    async def invoke(self, held: Held, invocation: Invocation) -> InvocationResult:
        task = asyncio.current_task()
        assert task is not None
        held.calls.add(task)
        try:
            async with asyncio.timeout(invocation.timeout + GRACE) as patience:
                return await self._exchange(held, invocation, patience)
        except TimeoutError:
            held.must_end = True
            # The outcome is known: a lease that is lost from here on must not cancel its telling.
            held.calls.discard(task)
            await self.stop(held)
            raise AgentTimeout(
                f"The step ran longer than its time-out of {invocation.timeout:g} s."
            ) from None
        except AnswerTooLarge:
            held.must_end = True
            limit = MAX_ANSWER_BYTES // 1024**2
            return all_failed(invocation, AgentError("bad_answer", f"The answer is larger than {limit} MiB."))
        except UNREACHABLE as exc:
            held.must_end = True
            began = not isinstance(exc, aiohttp.ClientConnectorError)
            sentence = f"The agent was lost during the request: {exc or type(exc).__name__}."
            raise AgentLost(sentence, began=began) from exc
        except asyncio.CancelledError:
            if task in held.voided and task.uncancel() == 0:
                raise LeaseLost("The lease was lost during the request; its result is void.") from None
            held.stopping = asyncio.ensure_future(self.stop(held))
            raise
        finally:
            held.calls.discard(task)
            held.voided.discard(task)

    async def _exchange(
        self, held: Held, invocation: Invocation, patience: asyncio.Timeout
    ) -> InvocationResult:
        async with Conversation(self._http, held.lease, held.headers, invocation) as conversation:
            return await self._converse(held, invocation, conversation, patience)

    async def _converse(
        self, held: Held, invocation: Invocation, conversation: Conversation, patience: asyncio.Timeout
    ) -> InvocationResult:
        clock = asyncio.get_running_loop().time
        started = clock()
        known = self._known_to(held.lease.agent_id)
        runs = invocation.runs
        with_source = isinstance(runs, Code) and runs_hash(runs) not in known
        answer = await self._post(held, invocation, conversation, with_source=with_source)
        missing = refusal(answer.status, answer.body)
        if missing in ("code_missing", "bundle_missing") and isinstance(runs, Code | Handler):
            if isinstance(runs, Handler):
                refused = await self._upload(held, runs)
                if refused is not None:
                    return all_failed(invocation, refused)
            answer = await self._post(held, invocation, conversation, with_source=isinstance(runs, Code))
            missing = refusal(answer.status, answer.body)
        if missing == "shutting_down":
            held.must_end = True
            raise AgentLost("The agent is shutting down and took no request.", began=False)
        if missing == "stale_fence":
            held.lost = True
            raise LeaseLost("The agent serves a newer lease already; this one is void.")
        if isinstance(runs, Code | Handler) and missing is None:
            known.add(runs_hash(runs))
        elapsed = clock() - started
        if answer.in_lines:
            await conversation.hear(answer.body)
        patience.reschedule(None)  # the answer is here; a large one takes its time to be read
        if answer.in_lines:
            return await conversation.result(answer.status, elapsed)
        if answer.spool is not None:
            return await asyncio.to_thread(decode, answer.status, answer.spool, invocation, elapsed)
        return decode(answer.status, answer.body, invocation, elapsed)

    async def _post(
        self, held: Held, invocation: Invocation, conversation: Conversation, *, with_source: bool
    ) -> Answer:
        lease = held.lease
        body = encode(invocation, lease=lease.token, fence=lease.fence, with_source=with_source)
        url = f"http://{lease.address}{invocation.path}"
        with tracing.span(
            "agent call", kind="client", agent_id=lease.agent_id, url__full=url, fence=lease.fence
        ):
            # Agents that trace go on from here; the built-in one does not.
            here = tracing.traceparent()
            headers = {**held.headers, "traceparent": here} if here else held.headers
            return await self._http.send(
                url,
                body,
                headers,
                limit=MAX_ANSWER_BYTES,
                sink=conversation.hear,
                spool_above=invocation.spool_above,
            )

    async def _upload(self, held: Held, handler: Handler) -> AgentError | None:
        """Why the agent did not take the bundle; None when it did."""
        # Reading the bundle may touch a disk or the database.
        bundle = await asyncio.to_thread(handler.load_bundle)
        url = f"http://{held.lease.address}/bundles/{handler.bundle_sha256}"
        headers = {**held.headers, "Content-Type": "application/zip"}
        answer = await self._http.send(url, bundle, headers, limit=65536, method="PUT")
        return None if answer.ok else refused_bundle(answer.status, answer.body)

    async def stop(self, held: Held) -> bool:
        """Whether the agent says that nothing of the lease runs in it any more."""
        payload = orjson.dumps({"lease": held.lease.token})
        return await self._http.tell(
            held.lease.address, "/cancel", payload, held.headers, within=CANCEL_PATIENCE
        )

    def _known_to(self, agent: object) -> set[str]:
        known = self._known.get(agent)
        if known is None:
            known = self._known[agent] = set()
            if len(self._known) > AGENTS_REMEMBERED:
                self._known.popitem(last=False)
        return known
