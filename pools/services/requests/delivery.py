"""Delivers what waits: of each agent that is back, one request after the other, in the order they came.

Does not: start agents, or send again what may have been sent.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.db import Error as DatabaseTrouble

from aflow_site.kernel.waits import set_within
from pools.domain.requests import FailReason
from pools.models import DeployedAgent
from pools.services.controller.registry import in_database, now
from pools.services.requests import store
from pools.services.requests.sending import Broken, Delivery, NotSent, Target

log = logging.getLogger(__name__)

EVERY = 1.0  # seconds between two looks when nobody wakes us
PRUNE_EVERY = 3600.0
AT_ONCE = 20  # agents that are served at the same time


class Deliverer:
    """`target_of` says where an agent listens; `leads` whether this process may deliver. `keep`: how long
    ended requests are remembered; None: for ever."""

    def __init__(
        self,
        target_of: Callable[[DeployedAgent], Target],
        leads: Callable[[], Awaitable[bool]],
        keep: timedelta | None,
    ) -> None:
        self._target_of = target_of
        self._leads = leads
        self._keep = keep
        self._holder = store.QUEUE + secrets.token_hex(12)
        self._woken = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._pruned_at = 0.0

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until it is cancelled; what is on its way then has failed as interrupted."""
        try:
            while True:
                self._woken.clear()
                try:
                    if await self._leads():
                        await self.tick()
                except DatabaseTrouble as exc:
                    log.warning("requests wait for the database: %s", exc)
                await set_within(self._woken, EVERY)
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def tick(self) -> None:
        expired = await in_database(store.expire, now())
        if expired:
            log.warning("%d requests were interrupted: whoever delivered them died", expired)
        for agent in await in_database(store.waiting_agents):
            if agent.pk not in self._tasks:
                self._begin(agent)
        await self._prune_when_due()

    def _begin(self, agent: DeployedAgent) -> None:
        task = asyncio.create_task(self._drain(agent))
        self._tasks[agent.pk] = task
        task.add_done_callback(lambda _: self._done(agent))

    def _done(self, agent: DeployedAgent) -> None:
        task = self._tasks.pop(agent.pk)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("delivery to %s broke off; it is taken up again", agent.name, exc_info=error)

    async def _drain(self, agent: DeployedAgent) -> None:
        async with self._slots:
            while await in_database(_still_takes, agent):
                request = await in_database(store.claim_next, agent.pk, self._holder, now())
                if request is None:
                    return
                delivery = Delivery(
                    request, replace(self._target_of(agent), cancelled=FailReason.INTERRUPTED), self._holder
                )
                try:
                    answer = await delivery.send(bytes(request.body))
                    async for _ in answer:
                        pass
                except NotSent:
                    await asyncio.sleep(0.5)  # it went away again; the keeper will notice
                    return
                except Broken as exc:
                    log.warning("request %s to %s failed: %s", request.id, agent.name, exc)

    async def _prune_when_due(self) -> None:
        if self._keep is None or time.monotonic() - self._pruned_at < PRUNE_EVERY:
            return
        # A page each time: a large one would keep others from writing.
        if await in_database(store.prune, now() - self._keep) < store.CHUNK:
            self._pruned_at = time.monotonic()


def _still_takes(agent: DeployedAgent) -> bool:
    """Reads its row anew."""
    try:
        agent.refresh_from_db(fields=["desired", "state", "health", "address"])
    except DeployedAgent.DoesNotExist:
        return False
    return store.takes_requests(agent)
