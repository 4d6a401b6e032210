"""The controller's part about nodes: the mirror, and drains brought to their end.

Does not: place agents, or judge whether a node is lost. The engine does.
"""

from __future__ import annotations

import asyncio
import logging

from pools.domain.interruptions import last_moments
from pools.domain.nodes import Availability, NodeFacts, NodeState, facts_of
from pools.domain.placement import Place, refusal
from pools.models import Node
from pools.runtime.base import Capability, EngineAway, Runtime, RuntimeFault
from pools.services import nodes as rows
from pools.services.controller.registry import in_database, now

log = logging.getLogger(__name__)

NODES_TIMEOUT = 10.0
DRAIN_PATIENCE = 60.0  # seconds that agents on a draining node wait for their replacements


class Nodes:
    """`draining` maps the names of nodes that drain to whether their agents have waited long enough;
    `interrupted` those that their cloud takes away to whether their last moments have begun; `open` tells
    those that take agents, by name, once the engine has been asked."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.open: list[tuple[str, NodeFacts]] | None = None
        self.draining: dict[str, bool] = {}
        self.interrupted: dict[str, bool] = {}

    async def learn(self) -> None:
        """Raises `RuntimeFault`."""
        asked_at = now()
        try:
            async with asyncio.timeout(NODES_TIMEOUT):
                found = await self._runtime.nodes()
        except TimeoutError:
            raise EngineAway(
                f"The {self._runtime.name} runtime did not tell its nodes within {NODES_TIMEOUT:g} s."
            ) from None
        known: list[Node] = await in_database(rows.mirror, found, asked_at)
        self.draining = {row.name: _over(row) for row in known if row.state == NodeState.DRAINING.value}
        self.interrupted = {
            row.name: last_moments(row.leave_by, now()) for row in known if row.leave_by is not None
        }
        self.open = [(node.name, facts_of(node.labels)) for node in found if node.takes_agents]
        open_still = {node.ref for node in found if node.availability is not Availability.DRAIN}
        if self.draining:
            await self._finish(open_still)

    def refusal(self, place: Place) -> str | None:
        """Why no agent can be placed there, in a sentence; None when one can, or nothing is known yet."""
        return None if self.open is None else refusal(place, self.open)

    async def _finish(self, open_still: set[str]) -> None:
        """The last agent has left: whatever else runs there may go now, too."""
        empty: list[Node] = await in_database(rows.emptied)
        for node in empty:
            if node.ref in open_still:
                try:
                    await self._runtime.set_availability(node.ref, Availability.DRAIN)
                except RuntimeFault as exc:
                    log.warning("node %s is empty, but not drained yet: %s", node.name, exc)
                else:
                    log.info("node %s is drained", node.name)

    async def engine_away(self, why: str) -> None:
        """Of a swarm whose manager is away nothing is known; a single engine is its one node."""
        if Capability.CORDONS not in self._runtime.can:
            await in_database(rows.all_lost, why, now())


def _over(row: Node) -> bool:
    """A drain by the engine's own means waits for nobody."""
    return row.draining_since is None or (now() - row.draining_since).total_seconds() > DRAIN_PATIENCE
