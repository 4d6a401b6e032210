"""Bodies that wait: their leases give their places to others meanwhile (docs/adr/0024).

A place is asked for again before the last answer is delivered. Does not: know what a body waits for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from aflow_site.kernel.errors import FlowError
from aflow_site.kernel.waits import set_within
from pools.facade.contracts import LeaseLost
from pools.leases.store import AsyncLeases
from pools.leases.wire import RedisReplyError
from pools.runtime.contract import AgentHttp
from pools.services.broker.calls import Held

log = logging.getLogger(__name__)

PARK_PATIENCE = 5.0  # seconds for an agent to set a body aside
RECHECK, RETRY = 1.0, 0.2  # seconds; a lost message costs this much delay and nothing else


class CannotWait(FlowError):
    code = "not_supported"
    status = 501
    title = "Bodies cannot wait here"


class Parking:
    """`told(token)` is for the reader of this process's inbox."""

    def __init__(self, leases: AsyncLeases, http: AgentHttp) -> None:
        self._leases = leases
        self._http = http
        self._resuming: dict[str, asyncio.Event] = {}

    def told(self, token: str) -> None:
        """The lease has its place again."""
        event = self._resuming.get(token)
        if event is not None:
            event.set()

    @asynccontextmanager
    async def waiting(self, held: Held) -> AsyncIterator[None]:
        """A call of the body waits; several may. Raises `CannotWait` where its agent cannot set it aside, and
        `LeaseLost`. Cancelled, the body is not needed any more: its place is not asked for again."""
        held.waits += 1
        try:
            async with held.turn:
                if not held.parked:
                    await self._park(held)
            yield
        except asyncio.CancelledError:
            held.waits -= 1
            raise
        except BaseException:
            await self._done(held)
            raise
        await self._done(held)

    async def _done(self, held: Held) -> None:
        held.waits -= 1
        async with held.turn:
            if held.parked and not held.waits:
                await self._resume(held)

    async def _park(self, held: Held) -> None:
        lease = held.lease
        payload = orjson.dumps({"lease": lease.token})
        if not await self._http.tell(lease.address, "/park", payload, held.headers, within=PARK_PATIENCE):
            raise CannotWait(
                "The agent of this body cannot set it aside, so the body must not wait for others."
            )
        held.parked = True
        while True:
            try:
                if await self._leases.park(lease.token):
                    return
            except (ConnectionError, RedisReplyError) as exc:
                log.warning("a lease was not parked yet: %s", exc)
                await asyncio.sleep(RETRY)
                continue
            raise LeaseLost("The lease was lost before its body could wait.")

    async def _resume(self, held: Held) -> None:
        token = held.lease.token
        event = self._resuming[token] = asyncio.Event()
        try:
            while True:
                try:
                    outcome = await self._leases.resume(token)
                except (ConnectionError, RedisReplyError) as exc:
                    log.warning("a lease was not resumed yet: %s", exc)
                    await asyncio.sleep(RETRY)
                    continue
                if outcome == "lost":
                    raise LeaseLost("The lease was lost while its body waited.")
                if outcome == "resumed":
                    held.parked = False
                    return
                await set_within(event, RECHECK)
                event.clear()
        finally:
            self._resuming.pop(token, None)
