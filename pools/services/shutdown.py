"""The end of the platform on this machine: no agent stays behind."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import Error as DatabaseTrouble

from pools.domain.agents import AgentState, EndReason
from pools.runtime.base import Runtime, RuntimeFault
from pools.runtime.deployed import NotCapable, deployed_agents_of
from pools.services import agents as rows
from pools.services.controller.registry import now
from pools.services.deployments import rows as deployed_rows

log = logging.getLogger(__name__)
AT_ONCE = 8
GRACE = 2.0  # seconds that a deployed agent has to finish


class AgentsStay(RuntimeFault):
    """Some agents could not be removed; they may still run."""


async def remove_everything(runtime: Runtime) -> int:
    """Removes every agent that the runtime lists as ours, deployed ones too; returns how many.

    Raises `EngineAway`, or `AgentsStay` when one could not be removed: its row stays live.
    The controller must not run: it would make new ones.
    """
    await runtime.start()
    try:
        ended = await _end_deployed(runtime)
        handles = await runtime.list_agents()
        slots = asyncio.Semaphore(AT_ONCE)

        async def remove(agent_id: UUID) -> str | None:
            """Why it stays, or None."""
            async with slots:
                try:
                    await runtime.remove(agent_id)
                except RuntimeFault as exc:
                    log.warning("agent %s stays behind: %s", agent_id, exc)
                    return str(exc)
                return None

        ids = [handle.agent_id for handle in handles]
        faults = dict(zip(ids, await asyncio.gather(*map(remove, ids)), strict=True))
        staying = {agent_id: fault for agent_id, fault in faults.items() if fault is not None}
        await database_sync_to_async(_mark_gone)(set(staying))
        if staying:
            first = next(iter(staying.values()))
            raise AgentsStay(
                f"{len(staying)} of {len(ids)} agents could not be removed and may still run; "
                f"try again. The first said: {first}"
            )
        await runtime.tidy()
    finally:
        await runtime.close()
    return len(ids) + ended


async def _end_deployed(runtime: Runtime) -> int:
    """Deployed agents end, too; their rows stay, and the next start makes their containers anew."""
    try:
        deployed = deployed_agents_of(runtime)
    except NotCapable:
        return 0
    handles = await deployed.list_deployed()
    for handle in handles:
        try:
            await deployed.remove(handle.agent_id, grace=GRACE)
        except RuntimeFault as exc:
            raise AgentsStay(f"A deployed agent could not be removed and may still run: {exc}") from exc
    await database_sync_to_async(_begin_anew)([handle.agent_id for handle in handles])
    return len(handles)


def _begin_anew(ids: list[UUID]) -> None:
    try:
        for agent_id in ids:
            deployed_rows.replaced(agent_id)
    except DatabaseTrouble as exc:
        log.warning("the deployed agents' rows stay as they were: %s", exc)


def _mark_gone(staying: set[UUID]) -> None:
    """What the runtime does not list any more is gone, too."""
    try:
        for agent in rows.live_agents():
            if agent.pk not in staying:
                rows.move(agent.pk, AgentState.GONE, now=now(), reason=EndReason.SCALE_DOWN)
    except DatabaseTrouble as exc:
        # Stopped by a newer version than the one that ran, say: the next start brings the rows in order.
        log.warning("the agents' rows stay as they were: %s", exc)
