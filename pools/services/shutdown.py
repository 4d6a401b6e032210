"""The end of the platform on this machine: no agent stays behind."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from channels.db import database_sync_to_async

from pools.domain.agents import AgentState, EndReason
from pools.runtime.base import Runtime, RuntimeFault
from pools.services import agents as rows
from pools.services.controller.registry import now

log = logging.getLogger(__name__)
AT_ONCE = 8


async def remove_everything(runtime: Runtime) -> int:
    """Removes every agent that the runtime lists as ours. Raises `EngineAway`.

    The controller must not run: it would make new ones.
    """
    await runtime.start()
    try:
        handles = await runtime.list_agents()
        slots = asyncio.Semaphore(AT_ONCE)

        async def remove(agent_id: UUID) -> bool:
            async with slots:
                try:
                    await runtime.remove(agent_id)
                except RuntimeFault as exc:
                    log.warning("agent %s stays behind: %s", agent_id, exc)
                    return False
                return True

        removed = await asyncio.gather(*(remove(handle.agent_id) for handle in handles))
        await runtime.tidy()
    finally:
        await runtime.close()
    await database_sync_to_async(_mark_gone)()
    return sum(removed)


def _mark_gone() -> None:
    for agent in rows.live_agents():
        rows.move(agent.pk, AgentState.GONE, now=now(), reason=EndReason.SCALE_DOWN)
