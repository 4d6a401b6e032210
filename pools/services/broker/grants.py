"""Getting a lease: asking, waiting, and never losing or doubling a grant.

A grant can arrive three ways - as the answer to an acquire, through this process's inbox, or as the answer to
a re-check - and is taken exactly once, by its token.
Does not: talk to agents.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pools.facade.contracts import Lease, LeaseTimeout, PoolNotFound
from pools.leases.scripts import Answer, Grant
from pools.leases.store import AsyncLeases
from pools.leases.wire import RedisReplyError, Wire

log = logging.getLogger(__name__)

RECHECK = 1.0  # seconds; a lost message costs this much delay and nothing else
RETRY = 0.05
INBOX_WAIT = 5  # seconds that one reading of the inbox waits in Redis
# Seconds. A pool or a share made this moment may not be told yet; a Redis that lost its memory must be
# told of all pools, by a controller that may be dying just now.
PATIENCE_OF = {"no_pool": 2.0, "unknown": 15.0}


def lease_of(pool_id: UUID, grant: Grant, waited: float) -> Lease:
    """The lease that a grant makes; `waited` in seconds."""
    return Lease(
        token=grant.token,
        pool_id=pool_id,
        agent_id=grant.agent_id,
        address=grant.address,
        fence=grant.fence,
        expires_at=datetime.fromtimestamp(grant.expires_ms / 1000, UTC),
        uses_left=grant.uses_left,
        wait_seconds=waited,
    )


class Grants:
    """`spawn` keeps clean-up tasks alive until they end; `on_lost` is told the tokens of lost leases,
    `on_resumed` those of parked ones that have their place again. `ttl`: seconds that a lease lasts after
    each heartbeat; 0 for the pool's own. `most_waiting`: in a pool's queue, beyond which nobody is let in by
    these; 0 for any number."""

    def __init__(
        self,
        leases: AsyncLeases,
        inbox: Wire,
        *,
        spawn: Callable[[Coroutine[Any, Any, Any]], Any],
        on_lost: Callable[[str], None],
        is_held: Callable[[str], bool],
        on_resumed: Callable[[str], None] = lambda _token: None,
        ttl: float = 0.0,
        most_waiting: int = 0,
    ) -> None:
        self._leases = leases
        self._inbox = inbox
        self._spawn = spawn
        self._on_lost = on_lost
        self._is_held = is_held
        self._on_resumed = on_resumed
        self._ttl = ttl
        self._most_waiting = most_waiting
        self._waiting: dict[str, asyncio.Future[Grant]] = {}
        self.client = secrets.token_hex(8)

    async def obtain(self, pool_id: UUID, holder: str, team_id: int, within: float, priority: int) -> Grant:
        """Raises `LeaseTimeout`, `PoolNotFound`; cancelling withdraws the wait or gives the grant back."""
        pool, token = str(pool_id), secrets.token_hex(16)
        arrival: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._waiting[token] = arrival
        try:
            return await self._wait(pool, holder, team_id, token, arrival, within, priority)
        except LeaseTimeout:
            raise
        except BaseException:
            self._spawn(self._withdraw(pool, holder, token))
            raise
        finally:
            self._waiting.pop(token, None)

    async def _wait(
        self,
        pool: str,
        holder: str,
        team_id: int,
        token: str,
        arrival: asyncio.Future[Grant],
        within: float,
        priority: int,
    ) -> Grant:
        loop = asyncio.get_running_loop()
        started = loop.time()
        deadline = started + within
        while True:
            left = deadline - loop.time()
            answer = await self._ask(pool, holder, team_id, token, left, priority)
            if answer is not None and answer.grant is not None:
                return answer.grant
            outcome = answer.outcome if answer else "away"
            if outcome in PATIENCE_OF and loop.time() - started > min(PATIENCE_OF[outcome], within):
                raise PoolNotFound("The pool is gone, or belongs to another team.")
            if outcome == "full":
                raise LeaseTimeout(
                    f"{self._most_waiting} others wait for this pool, and no more may.",
                    headers={"Retry-After": "5"},
                )
            if outcome == "timeout" or left <= 0:
                return await self._last_chance(pool, holder, token, within)
            pause = RECHECK if outcome == "waiting" else RETRY
            await asyncio.wait((arrival,), timeout=min(pause, max(0.001, left)))
            if arrival.done():
                return arrival.result()

    async def _ask(
        self, pool: str, holder: str, team_id: int, token: str, left: float, priority: int
    ) -> Answer | None:
        """None when Redis is away; a Redis without its memory is told to the controller."""
        try:
            answer = await self._leases.acquire(
                pool,
                holder,
                client=self.client,
                team_id=team_id,
                token=token,
                wait=left,
                priority=priority,
                ttl=self._ttl,
                most_waiting=self._most_waiting,
            )
            if answer.outcome in ("no_epoch", *PATIENCE_OF):
                await self._leases.nudge(pool)
        except (ConnectionError, RedisReplyError) as exc:
            log.warning("lease not asked for: %s", exc)
            return None
        return answer

    async def _last_chance(self, pool: str, holder: str, token: str, within: float) -> Grant:
        """The time is up; a grant that raced with that is still a grant."""
        try:
            answer = await self._leases.withdraw(pool, holder, token, keep=True)
        except (ConnectionError, RedisReplyError):
            self._spawn(self._withdraw(pool, holder, token))
        else:
            if answer.grant is not None:
                return answer.grant
        raise LeaseTimeout(
            f"No agent came free within {within:g} s. Raise the pool's max_size or the time-out.",
            headers={"Retry-After": "1"},
        )

    def give_back(self, pool_id: UUID, holder: str, grant: Grant) -> None:
        """Of a grant that nobody will use after all."""
        self._spawn(self._withdraw(str(pool_id), holder, grant.token))

    async def _withdraw(self, pool: str, holder: str, token: str) -> None:
        for _ in range(100):
            try:
                await self._leases.withdraw(pool, holder, token, keep=False, client=self.client)
                return
            except ConnectionError:
                await asyncio.sleep(RETRY * 4)
            except RedisReplyError:
                log.exception("a wait was not withdrawn; its deadline will end it")
                return

    async def listen(self) -> None:
        """Reads this process's inbox until cancelled."""
        key = self._leases.keys.client(self.client)
        while True:
            try:
                message = await self._inbox.call("BLPOP", key, str(INBOX_WAIT))
            except ConnectionError:
                await asyncio.sleep(0.2)
                continue
            except RedisReplyError as exc:
                log.warning("inbox not read: %s", exc)
                await asyncio.sleep(0.2)
                continue
            if message:
                self._take(message[1])

    def _take(self, message: bytes) -> None:
        kind, _, rest = message.partition(b"|")
        if kind == b"lost":
            self._on_lost(rest.decode())
            return
        if kind == b"resumed":
            self._on_resumed(rest.decode())
            return
        grant = Grant.parse(rest)
        arrival = self._waiting.get(grant.token)
        if arrival is not None:
            if not arrival.done():
                arrival.set_result(grant)
        elif not self._is_held(grant.token):
            # Its waiter has gone (and may have withdrawn it already, then this does nothing).
            self._spawn(self._leases.release(grant.token, "ok", 0))
