"""Leases for programs outside: taken, kept, used and given back by one request each.

Does not: beat for them. A lease ends by itself when nobody has kept it for its time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from asgiref.sync import async_to_sync

from aflow_site.kernel.errors import NotFound
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
from pools.leases.wire import PATIENCE, Wire
from pools.models import Pool
from pools.runtime.contract import AgentHttp, bearer
from pools.services.broker.broker import HANDSHAKE, VALIDATE_AFTER_MS
from pools.services.broker.calls import Caller, Held
from pools.services.broker.grants import INBOX_WAIT, Grants, lease_of

MOST_WAITING = 1000  # in a pool's queue, beyond which outsiders are sent away at once
AT_ONCE = 100  # requests that wait in this process
HOLDER = "api"

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


def borrow(door: Door, pool: Pool, team_id: int, wish: Wish) -> Lease:
    """Raises `LeaseTimeout` when none came free, or too many wait already."""
    with _place_to_wait():
        return async_to_sync(_borrow)(door, pool.pk, team_id, wish)


@contextmanager
def _place_to_wait() -> Iterator[None]:
    if not _waiting.acquire(blocking=False):
        raise LeaseTimeout("Too many requests wait for leases.", headers={"Retry-After": "2"})
    try:
        yield
    finally:
        _waiting.release()


async def _borrow(door: Door, pool_id: UUID, team_id: int, wish: Wish) -> Lease:
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
        return await _healthy(door, leases, grants, pool_id, team_id, wish)
    finally:
        listening.cancel()
        await asyncio.gather(listening, *left_over, return_exceptions=True)
        await inbox.close()
        await wire.close()


async def _healthy(
    door: Door, leases: AsyncLeases, grants: Grants, pool_id: UUID, team_id: int, wish: Wish
) -> Lease:
    clock = asyncio.get_running_loop().time
    started = clock()
    holder = f"{HOLDER}/{team_id}/{wish.key or uuid4()}"
    async with AgentHttp() as http:
        while True:
            left = max(0.0, started + wish.wait - clock())
            grant = await grants.obtain(pool_id, holder, team_id, left, wish.priority)
            # One that was at work a moment ago is trusted.
            if grant.idle_ms <= VALIDATE_AFTER_MS:
                return lease_of(pool_id, grant, clock() - started)
            fault = await _fault(door, http, grant)
            await leases.count_check(pool_id, fault)
            if fault is None:
                return lease_of(pool_id, grant, clock() - started)
            await leases.release(grant.token, LeaseOutcome.POISON.value, 0, EndReason.UNHEALTHY.value)
            if left <= 0:
                raise LeaseTimeout("No healthy agent came free in time.", headers={"Retry-After": "1"})


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


def ask(door: Door, leases: Leases, team_id: int, token: str, invocation: Invocation) -> InvocationResult:
    """One request to the leased agent; it keeps the lease, too. Raises `NotFound`, `LeaseLost`, `AgentLost`
    and `AgentTimeout`; after these two the lease is over and its agent is replaced."""
    held = keep(leases, team_id, token)
    if held.used >= held.uses_left:
        raise LeaseLost(f"The agent's {held.uses_left} remaining uses are spent; take a new lease.")
    leases.count_use(token)
    try:
        return async_to_sync(_ask)(door, held, invocation)
    except (AgentLost, AgentTimeout):
        leases.release(token, LeaseOutcome.POISON.value, held.used + 1)
        raise


async def _ask(door: Door, held: HeldLease, invocation: Invocation) -> InvocationResult:
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
    async with AgentHttp() as http:
        return await Caller(http).invoke(Held(lease=lease, headers=headers), invocation)
