"""The executor's side of pools: leases, requests to agents, heartbeats. One `Broker` for each process.

Duties: acquire (agents checked before reuse), invoke, release, heartbeats for every lease it holds.
Does not: make or remove agents (the controller does), or retry work (the caller does).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from pools.domain.agents import EndReason
from pools.domain.tokens import agent_token
from pools.facade.contracts import (
    AgentLost,
    Invocation,
    InvocationResult,
    Lease,
    LeaseLost,
    LeaseOutcome,
    LeaseTimeout,
)
from pools.leases.rules import TTL_SECONDS
from pools.leases.scripts import Grant
from pools.leases.store import AsyncLeases
from pools.leases.wire import PATIENCE, RedisReplyError, Wire
from pools.runtime.contract import AgentHttp, bearer
from pools.services.broker.calls import Caller, Held
from pools.services.broker.grants import INBOX_WAIT, Grants, lease_of
from pools.services.broker.parking import Parking
from pools.services.broker.startup import StartupTimes
from pools.services.loops import for_ever

log = logging.getLogger(__name__)

VALIDATE_AFTER_MS = 500  # an agent idle for longer is asked before it is trusted (HikariCP's rule)
HANDSHAKE = 0.2  # seconds


class Broker:
    """`secret` is the key from which the agents' tokens are made; times in seconds."""

    def __init__(
        self, redis_url: str, prefix: str, secret: str, *, heartbeat: float = TTL_SECONDS / 3
    ) -> None:
        self._wire = Wire(redis_url)
        self._inbox = Wire(redis_url, patience=INBOX_WAIT + PATIENCE)
        self._secret = secret
        self._heartbeat = heartbeat
        self._http = AgentHttp()
        self.leases = AsyncLeases(self._wire, prefix)
        self._caller = Caller(self._http)
        self._held: dict[str, Held] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._startup = StartupTimes(self.leases)
        self._parking = Parking(self.leases, self._http)
        self._grants = Grants(
            self.leases,
            self._inbox,
            spawn=self._spawn,
            on_lost=self._lose,
            is_held=self._held.__contains__,
            on_resumed=self._parking.told,
        )

    async def start(self) -> None:
        """Raises ConnectionError when Redis does not answer."""
        await self._wire.connect()
        await self._http.start()
        self._loops = [
            asyncio.create_task(for_ever(self._grants.listen, "the inbox")),
            asyncio.create_task(for_ever(self._keep_alive, "heartbeats")),
        ]

    async def close(self) -> None:
        """Gives every lease back; agents in the middle of a request are not used again."""
        for held in list(self._held.values()):
            self._spawn(self.release(held.lease, LeaseOutcome.POISON if held.busy else LeaseOutcome.OK))
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=5)
        for task in (*self._loops, *self._tasks):
            task.cancel()
        await asyncio.gather(*self._loops, *self._tasks, return_exceptions=True)
        self._loops.clear()
        await self._http.close()
        await self._inbox.close()
        await self._wire.close()

    async def acquire(
        self,
        pool_id: UUID,
        *,
        holder: str,
        team_id: int,
        timeout: float,  # noqa: ASYNC109
        priority: int = 0,
    ) -> Lease:
        """A lease on a healthy agent. The same `holder` gets the same lease again; among those who wait, the
        highest `priority` (-100 to 100) is served first.

        Raises `LeaseTimeout` when none came free within `timeout`, `PoolNotFound`.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        while True:
            left = max(0.0, started + timeout - loop.time())
            grant = await self._grants.obtain(pool_id, holder, team_id, left, priority)
            held = self._hold(pool_id, grant, started)
            if grant.idle_ms <= VALIDATE_AFTER_MS:
                return held.lease
            try:
                health = await self._http.health(grant.address, held.headers, within=HANDSHAKE)
            except BaseException:
                self._spawn(self.release(held.lease, LeaseOutcome.OK))
                raise
            fault = health.fault(grant.boot)
            self._spawn(self.leases.count_check(pool_id, fault))
            if fault is None:
                return held.lease
            await self._reject(held, fault)
            if loop.time() - started >= timeout:
                raise LeaseTimeout(
                    f"No healthy agent came free within {timeout:g} s.", headers={"Retry-After": "1"}
                )

    async def take_back(self, pool_id: UUID, holders: str, *, keep: str) -> None:
        """Ends the leases and waits of holders that begin with `holders` and do not end with `keep`: they
        belong to somebody who is gone. Agents that do not say that they have stopped are replaced."""
        grants = await self.leases.reclaim(pool_id, holders, keep)
        await asyncio.gather(*(self._stop_former(pool_id, grant) for grant in grants))
        spoiled = await self.leases.take_back(pool_id, holders, keep)
        if grants or spoiled:
            log.info("took %d leases of %s… back, agents to replace: %d", len(grants), holders, spoiled)

    async def _stop_former(self, pool_id: UUID, grant: Grant) -> None:
        lease = lease_of(pool_id, grant, 0.0)
        held = Held(lease, bearer(agent_token(self._secret, grant.agent_id, grant.nonce)))
        if await self._caller.stop(held):
            await self.leases.release(grant.token, LeaseOutcome.OK.value, uses=1)

    async def invoke(self, lease: Lease, invocation: Invocation) -> InvocationResult:
        """One request to the leased agent, one use of it.

        Raises `AgentLost`, `AgentTimeout` (both end the agent at release), `LeaseLost`. What the body raised,
        and answers that cannot be used, are `ItemResult.error`s. Cancelling stops the request at the agent.
        """
        try:
            return await self._invoke(lease, invocation)
        except (AgentLost, LeaseLost) as exc:
            exc.interrupted = await self._was_interrupted(lease)
            raise

    async def _was_interrupted(self, lease: Lease) -> bool:
        """Whether its agent's machine is taken away; nobody says so while Redis is away."""
        with contextlib.suppress(ConnectionError, RedisReplyError):
            return await self.leases.was_interrupted(lease.agent_id)
        return False

    async def _invoke(self, lease: Lease, invocation: Invocation) -> InvocationResult:
        held = self._held.get(lease.token)
        if held is None or held.lost:
            raise LeaseLost("The lease had expired or was taken back; nothing was sent.")
        if held.sent >= lease.uses_left:
            raise LeaseLost(f"The agent's {lease.uses_left} remaining uses are spent; take a new lease.")
        held.sent += 1
        result = await self._caller.invoke(held, invocation)
        if _was_stopped(result) and await self._is_lost(held):
            # The agent was reset or given to another because this lease had ended: the step is not to blame.
            raise LeaseLost("The lease was lost during the request; its result is void.")
        if held.sent == 1 and result.startup_seconds is not None:
            self._startup.note(lease.wait_seconds + result.startup_seconds)
        return result

    @asynccontextmanager
    async def waiting(self, lease: Lease) -> AsyncIterator[None]:
        """Around what a body of this lease waits for: others may have its place until the end of the block.

        Raises `CannotWait` where its agent cannot set a body aside, and `LeaseLost`.
        """
        held = self._held.get(lease.token)
        if held is None or held.lost:
            raise LeaseLost("The lease had expired or was taken back.")
        async with self._parking.waiting(held):
            yield

    async def release(self, lease: Lease, outcome: LeaseOutcome, uses: int | None = None) -> bool:
        """Gives the agent back; `uses` defaults to the requests sent, and is never counted below them.

        False when the lease had been lost before: its results must not be used. Safe to call twice, and safe
        to cancel: the release goes on without its caller.
        """
        held = self._held.pop(lease.token, None)
        if held is None:
            return False
        return await asyncio.shield(self._spawn(self._release(held, outcome, uses)))

    async def _release(self, held: Held, outcome: LeaseOutcome, uses: int | None) -> bool:
        if not await held.settled():
            outcome = LeaseOutcome.POISON
        count = max(held.sent, uses or 0)
        for attempt in range(100):
            try:
                done = await self.leases.release(held.lease.token, outcome.value, count, held.spoiled.value)
            except ConnectionError:
                await asyncio.sleep(min(2.0, 0.05 * 2**attempt))
            except RedisReplyError:
                log.exception("a release was refused; the lease will expire")
                return False
            else:
                # A repeated release finds nothing, because the first one had arrived.
                return (done or attempt > 0) and not held.lost
        return False

    def _hold(self, pool_id: UUID, grant: Grant, started: float) -> Held:
        known = self._held.get(grant.token)
        if known is not None:
            return known
        lease = lease_of(pool_id, grant, asyncio.get_running_loop().time() - started)
        held = Held(lease, bearer(agent_token(self._secret, grant.agent_id, grant.nonce)))
        self._held[grant.token] = held
        return held

    async def _reject(self, held: Held, fault: str) -> None:
        held.spoiled = EndReason.UNHEALTHY
        log.warning("agent %s failed its check (%s) and is replaced", held.lease.agent_id, fault)
        await self.release(held.lease, LeaseOutcome.POISON)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat)
            tokens = list(self._held)
            try:
                expiries = await self.leases.heartbeat(tokens) if tokens else []
                await self._startup.flush()
            except (ConnectionError, RedisReplyError) as exc:
                # Nothing is decided here: the leases are as good as the server's clock says when it is back.
                log.warning("heartbeat failed: %s", exc)
                continue
            for token, expiry in zip(tokens, expiries, strict=True):
                if expiry == 0:
                    self._lose(token)

    async def _is_lost(self, held: Held) -> bool:
        try:
            (expiry,) = await self.leases.heartbeat([held.lease.token])
        except (ConnectionError, RedisReplyError):
            return True
        if expiry == 0:
            held.lost = True
        return held.lost

    def _lose(self, token: str) -> None:
        held = self._held.get(token)
        if held is not None:
            held.lose()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Work that must end even when its caller is gone."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("clean-up failed: %s", error)


def _was_stopped(result: InvocationResult) -> bool:
    return any(item.error is not None and item.error.type == "cancelled" for item in result.results)
