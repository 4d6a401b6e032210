"""An in-memory twin of the pools' Broker, for tests of the engine: agents are plain functions here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aflow_site.kernel.json import text_holds_nul, to_json
from aflow_site.kernel.spool import Spool
from pools.facade.contracts import (
    AgentError,
    Invocation,
    InvocationResult,
    ItemResult,
    LargeOutput,
    Lease,
    LeaseOutcome,
)

Body = Callable[[Any, Invocation], Any]


class FakeBroker:
    """`size` agents; `body(input, invocation)` is what they run (it may be async, and may raise). It talks by
    `invocation.listener` itself.

    `released` lists the outcome of every lease; `held` are leases not given back (a leak, at the end).
    """

    def __init__(self, body: Body, *, size: int = 5, uses: int = 1_000_000) -> None:
        self.body = body
        self.uses = uses
        self.held: dict[str, Lease] = {}
        self.released: list[tuple[LeaseOutcome, int]] = []
        self.sent: list[Invocation] = []
        self.most_at_once = 0
        self._running = 0
        self._free = asyncio.Semaphore(size)
        self._fence = 0

    async def acquire(
        self,
        pool_id: UUID,
        *,
        holder: str,
        team_id: int,
        timeout: float,  # noqa: ASYNC109
        priority: int = 0,
    ) -> Lease:
        await self._free.acquire()
        self._fence += 1
        lease = Lease(
            token=uuid4().hex,
            pool_id=pool_id,
            agent_id=uuid4(),
            address="",
            fence=self._fence,
            expires_at=datetime.now(UTC) + timedelta(seconds=30),
            uses_left=self.uses,
            wait_seconds=0.001,
        )
        self.held[lease.token] = lease
        return lease

    async def take_back(self, pool_id: UUID, holders: str, *, keep: str) -> None:
        """Nobody but this broker holds anything here."""

    @asynccontextmanager
    async def waiting(self, lease: Lease) -> AsyncIterator[None]:
        """The agent of a waiting body is free for others."""
        assert lease.token in self.held
        self._free.release()
        try:
            yield
        finally:
            await self._free.acquire()

    async def invoke(self, lease: Lease, invocation: Invocation) -> InvocationResult:
        assert lease.token in self.held, "a request without a lease"
        self.sent.append(invocation)
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        try:
            return InvocationResult(
                tuple([await self._one(value, invocation) for value in invocation.inputs])
            )
        finally:
            self._running -= 1

    async def _one(self, value: Any, invocation: Invocation) -> ItemResult:
        try:
            output = self.body(value, invocation)
            if isinstance(output, Awaitable):
                output = await output
        except ValueError as exc:
            return ItemResult(error=AgentError("ValueError", str(exc), "Traceback …"))
        await asyncio.sleep(0)
        try:
            text = to_json(output)
        except RecursionError:  # an agent's answer that is nested like this is read as a whole
            return ItemResult(output=output)
        if invocation.spool_above is not None and len(text) > invocation.spool_above:
            spool = Spool()
            spool.write(text)
            return ItemResult(output=LargeOutput(spool, text_holds_nul(text)))
        return ItemResult(output=output)

    async def release(self, lease: Lease, outcome: LeaseOutcome, *, uses: int) -> bool:
        if self.held.pop(lease.token, None) is None:
            return False
        assert uses <= lease.uses_left
        self.released.append((outcome, uses))
        self._free.release()
        return True
