"""Leases for programs outside: taken, kept, used and given back by one request each.

Does not: beat for them. A lease ends by itself when nobody has kept it for its time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from aflow_site.kernel.errors import NotFound, Overloaded
from aflow_site.kernel.hang_up import HangUp
from pools.domain.agents import EndReason
from pools.domain.tokens import agent_token
from pools.facade.contracts import (
    AgentLost,
    AgentTimeout,
    Invocation,
    InvocationResult,
    Lease,
    LeaseLost,
    LeaseOutcome,
    LeaseTimeout,
)
from pools.leases.scripts import Grant
from pools.leases.store import AsyncLeases, HeldLease, Leases
from pools.leases.wire import PATIENCE, RedisReplyError, Wire
from pools.models import Pool
from pools.runtime.contract import AgentHttp, bearer
from pools.services.broker.broker import HANDSHAKE, VALIDATE_AFTER_MS
from pools.services.broker.calls import Caller, Held
from pools.services.broker.grants import INBOX_WAIT, Grants, lease_of

MOST_WAITING = 1000  # in a pool's queue, beyond which outsiders are sent away at once
AT_ONCE = 100  # requests that wait in this process
HOLDER = "api"
T = TypeVar("T")

_waiting = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Door:
    """The way to Redis and to the agents."""

    redis_url: str
    prefix: str
    secret: str


@dataclass(frozen=True, slots=True)
class Wish:
    """`key`: the same key gets the same lease again. `wait` and `ttl` in seconds; `priority` -100 to 100."""

    wait: float
    ttl: float
    priority: int = 0
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Loan:
    """A lease, and who asked for it: the program's name for it, and this process's for the request."""

    lease: Lease
    holder: str
    client: str


def borrow(door: Door, pool: Pool, team_id: int, wish: Wish, hang_up: HangUp) -> Loan:
    """Raises `LeaseTimeout` when none came free, or too many wait already.

    Whoever hangs up waits no more: the wait is withdrawn then, or what it was just given is put back, and
    `asyncio.CancelledError` is raised. Raises `Overloaded` when Redis goes away meanwhile.
    """
    with _place_to_wait():
        try:
            return asyncio.run(_borrow(door, pool.pk, team_id, wish, hang_up))
        except (ConnectionError, RedisReplyError) as exc:
            raise Overloaded("Redis does not answer; ask again.", headers={"Retry-After": "2"}) from exc


def put_back(leases: Leases, loan: Loan) -> None:
    """The program never learned of it. Nothing happens if it has asked again since, by the same key."""
    leases.withdraw(loan.lease.pool_id, loan.holder, loan.lease.token, client=loan.client)


@contextmanager
def _place_to_wait() -> Iterator[None]:
    if not _waiting.acquire(blocking=False):
        raise LeaseTimeout("Too many requests wait for leases.", headers={"Retry-After": "2"})
    try:
        yield
    finally:
        _waiting.release()


async def _unless(hang_up: HangUp, work: Coroutine[Any, Any, T]) -> T:
    """Cancels the work, and nothing around it, when whoever asked hangs up."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

    def stop() -> None:
        with suppress(RuntimeError):  # the loop has ended, and the work with it
            loop.call_soon_threadsafe(task.cancel)

    hang_up.then(stop)
    return await task


async def _borrow(door: Door, pool_id: UUID, team_id: int, wish: Wish, hang_up: HangUp) -> Loan:
    wire, inbox = Wire(door.redis_url), Wire(door.redis_url, patience=INBOX_WAIT + PATIENCE)
    leases = AsyncLeases(wire, door.prefix)
    left_over: set[asyncio.Task[Any]] = set()

    def spawn(work: Coroutine[Any, Any, Any]) -> None:
        left_over.add(asyncio.ensure_future(work))

    # A grant that arrives twice is the one that is taken: nothing else is waited for here.
    grants = Grants(
        leases,
        inbox,
        spawn=spawn,
        on_lost=lambda _: None,
        is_held=lambda _: True,
        ttl=wish.ttl,
        most_waiting=MOST_WAITING,
    )
    listening = asyncio.create_task(grants.listen())
    try:
        borrowing = _Borrowing(door, leases, grants, pool_id, team_id, wish)
        return await _unless(hang_up, borrowing.healthy())
    finally:
        listening.cancel()
        await asyncio.gather(listening, *left_over, return_exceptions=True)
        await inbox.close()
        await wire.close()


class _Borrowing:
    def __init__(
        self, door: Door, leases: AsyncLeases, grants: Grants, pool_id: UUID, team_id: int, wish: Wish
    ) -> None:
        self._door = door
        self._leases = leases
        self._grants = grants
        self._pool_id = pool_id
        self._team_id = team_id
        self._wish = wish
        self._holder = f"{HOLDER}/{team_id}/{wish.key or uuid4()}"

    async def healthy(self) -> Loan:
        clock = asyncio.get_running_loop().time
        started = clock()
        async with AgentHttp() as http:
            while True:
                left = max(0.0, started + self._wish.wait - clock())
                grant = await self._grants.obtain(
                    self._pool_id, self._holder, self._team_id, left, self._wish.priority
                )
                try:
                    taken = await self._taken(http, grant, clock() - started)
                except BaseException:
                    self._grants.give_back(self._pool_id, self._holder, grant)
                    raise
                if taken is not None:
                    return Loan(taken, self._holder, self._grants.client)
                if left <= 0:
                    raise LeaseTimeout("No healthy agent came free in time.", headers={"Retry-After": "1"})

    async def _taken(self, http: AgentHttp, grant: Grant, waited: float) -> Lease | None:
        """From now on the lease lasts for as long as was asked. None when its agent is not healthy."""
        # One that was at work a moment ago is trusted.
        if grant.idle_ms > VALIDATE_AFTER_MS:
            fault = await _fault(self._door, http, grant)
            await self._leases.count_check(self._pool_id, fault)
            if fault is not None:
                outcome, reason = LeaseOutcome.POISON.value, EndReason.UNHEALTHY.value
                await self._leases.release(grant.token, outcome, 0, reason)
                return None
        (expires_ms,) = await self._leases.heartbeat([grant.token])
        if not expires_ms:
            return None
        return lease_of(self._pool_id, replace(grant, expires_ms=expires_ms), waited)


async def _fault(door: Door, http: AgentHttp, grant: Grant) -> str | None:
    """What is wrong with the agent, in a word."""
    headers = bearer(agent_token(door.secret, grant.agent_id, grant.nonce))
    return (await http.health(grant.address, headers, within=HANDSHAKE)).fault(grant.boot)


# --- with a token ---------------------------------------------------------------------------------------


def find(leases: Leases, team_id: int, token: str) -> HeldLease:
    """Raises `NotFound` for a lease that is over, or another team's."""
    held = leases.lease(token)
    if held is None or held.team_id != team_id or not held.holder.startswith(f"{HOLDER}/"):
        raise NotFound("There is no such lease; it was given back, or has ended.")
    return held


def keep(leases: Leases, team_id: int, token: str) -> HeldLease:
    """A heartbeat. Raises `NotFound`."""
    held = find(leases, team_id, token)
    (expires_ms,) = leases.heartbeat([token])
    if not expires_ms:
        raise NotFound("There is no such lease; it has ended.")
    return replace(held, expires_ms=expires_ms)


def give_back(leases: Leases, team_id: int, token: str, outcome: LeaseOutcome) -> None:
    """Raises `NotFound`. A lease counts as one use at least: what happened at its address is not known."""
    held = find(leases, team_id, token)
    if not leases.release(token, outcome.value, max(1, held.used)):
        raise NotFound("There is no such lease; it has ended.")


def ask(
    door: Door, leases: Leases, team_id: int, token: str, invocation: Invocation, hang_up: HangUp
) -> InvocationResult:
    """One request to the leased agent; it keeps the lease, too. Raises `NotFound`, `LeaseLost`, `AgentLost`
    and `AgentTimeout`; after these two the lease is over and its agent is replaced. When whoever asked hangs
    up, the agent is told to stop, and `asyncio.CancelledError` is raised."""
    held = keep(leases, team_id, token)
    if held.used >= held.uses_left:
        raise LeaseLost(f"The agent's {held.uses_left} remaining uses are spent; take a new lease.")
    leases.count_use(token)
    try:
        return asyncio.run(_ask(door, held, invocation, hang_up))
    except (AgentLost, AgentTimeout):
        leases.release(token, LeaseOutcome.POISON.value, held.used + 1)
        raise


async def _ask(door: Door, held: HeldLease, invocation: Invocation, hang_up: HangUp) -> InvocationResult:
    lease = Lease(
        token=held.token,
        pool_id=held.pool_id,
        agent_id=held.agent_id,
        address=held.address,
        fence=held.fence,
        expires_at=datetime.fromtimestamp(held.expires_ms / 1000, UTC),
        uses_left=held.uses_left,
        wait_seconds=0.0,
    )
    headers = bearer(agent_token(door.secret, held.agent_id, held.nonce))
    use = Held(lease=lease, headers=headers)
    async with AgentHttp() as http:
        try:
            return await _unless(hang_up, Caller(http).invoke(use, invocation))
        except asyncio.CancelledError:
            if not await use.settled():
                raise AgentLost("Whoever asked hung up, and the agent did not stop its work.") from None
            raise
