"""The learning half of the reconcile: what runs, against what the rows say.

Adopts what runs and is known, marks the missing as gone, ends what nobody knows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from uuid import UUID

from pools.domain.agents import STARTING, AgentState, EndReason
from pools.domain.tokens import agent_token
from pools.leases.store import AsyncLeases
from pools.models import Agent
from pools.runtime.base import AgentDeath, AgentHandle, EngineAway, Runtime, RuntimeFault
from pools.runtime.contract import AgentHttp, bearer
from pools.services import epochs
from pools.services.agents import NotLeading
from pools.services.controller.creation import CREATION_TIMEOUT, Creator
from pools.services.controller.nodes import Nodes
from pools.services.controller.registry import Registry, in_database
from pools.services.controller.removal import Remover
from pools.services.controller.usages import Usages
from pools.services.lease_rules import rules_of

log = logging.getLogger(__name__)

RESET_TIMEOUT = 5.0
HEALTH_TIMEOUT = 2.0
# Of these the runtime must know: it was asked for them, and answered.
MADE = frozenset({AgentState.WARMING, AgentState.IDLE})
LIST_TIMEOUT = 10.0  # an engine that hangs must not hold up leases and waiters


class Reality:
    def __init__(
        self,
        registry: Registry,
        runtime: Runtime,
        leases: AsyncLeases,
        http: AgentHttp,
        nodes: Nodes,
        creator: Creator,
        remover: Remover,
        usages: Usages,
        *,
        secret: str,
        instance: str,
        leader: str,
    ) -> None:
        self._registry = registry
        self._runtime = runtime
        self._leases = leases
        self._http = http
        self._nodes = nodes
        self._creator = creator
        self._remover = remover
        self._usages = usages
        self._secret = secret
        self._instance = instance
        self._leader = leader
        self._restoring: dict[UUID, asyncio.Task[None]] = {}
        self.epoch = 0

    async def close(self) -> None:
        tasks = list(self._restoring.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ensure_epoch(self) -> None:
        """A Redis without its memory begins a new epoch; whoever held a lease before is fenced."""
        found = await self._leases.wire.call("GET", self._leases.keys.epoch)
        known = await in_database(epochs.current_epoch, self._instance)
        if found is not None and int(found) == known and known > 0:
            self.epoch = known
            return
        self.epoch, fence = await in_database(epochs.next_epoch, self._instance)
        await self._put_pools()
        await self._leases.begin_epoch(self.epoch, fence)
        log.info("Redis begins epoch %d; %d agents are taken up", self.epoch, len(self._registry.agents))

    async def _put_pools(self) -> None:
        for pool in self._registry.pools.values():
            await self._leases.put_pool(pool.pk, rules_of(pool))

    async def learn(self) -> None:
        """Compares the runtime with the rows.

        Raises `RuntimeFault` when the runtime does not answer, and `NotLeading`.
        """
        made = [agent for agent in self._registry.agents.values() if AgentState(agent.state) in MADE]
        handles = {handle.agent_id: handle for handle in await self._list()}
        for agent in made:
            handle = handles.get(agent.pk)
            if handle is not None and handle.lost:
                self.died(agent.pk, f"node {handle.node} is lost", EndReason.NODE_LOST)
            elif handle is None or not handle.running:
                self.died(agent.pk, "it was missing")
        for handle in handles.values():
            await self._end_if_orphan(handle)
        for agent in list(self._registry.agents.values()):
            if agent.pk in self._creator.tasks:
                continue
            if AgentState(agent.state) is AgentState.STOPPING:
                self._remover.begin(agent, EndReason(agent.end_reason or EndReason.ERRORS))
            elif agent.pool_id not in self._registry.pools:  # it went with its team
                self._remover.begin(agent, EndReason.SCALE_DOWN)

    async def _list(self) -> list[AgentHandle]:
        try:
            async with asyncio.timeout(LIST_TIMEOUT):
                return await self._runtime.list_agents()
        except TimeoutError:
            raise EngineAway(
                f"The {self._runtime.name} runtime did not list its agents within {LIST_TIMEOUT:g} s."
            ) from None

    async def _end_if_orphan(self, handle: AgentHandle) -> None:
        if handle.agent_id in self._registry.agents:
            return
        row = await in_database(Agent.objects.filter(pk=handle.agent_id).first)
        if row is not None and AgentState(row.state) is not AgentState.GONE:
            return  # it lives, by another leader's hand
        # Without a row it may be the work of a creation that is younger than its row is to us.
        if row is None and time.time() - handle.created_at <= CREATION_TIMEOUT:
            return
        if not await in_database(epochs.leads, self._instance, self._leader):
            raise NotLeading
        log.info("ending orphan %s", handle.agent_id)
        self._remover.end_orphan(handle.agent_id)

    def died(self, agent_id: UUID, how: str, reason: EndReason = EndReason.ERRORS) -> None:
        agent = self._registry.agents.get(agent_id)
        if agent is None:
            return
        if agent.node in self._nodes.interrupted:
            reason = EndReason.SPOT_INTERRUPTION
        if AgentState(agent.state) in STARTING:
            self._creator.dead[agent_id] = reason
        elif AgentState(agent.state) is AgentState.IDLE:
            log.warning("agent %s of pool %s died: %s", agent_id, agent.pool_name, how)
            self._remover.begin(agent, reason)

    def heard(self, death: AgentDeath) -> None:
        """An event of the runtime."""
        if death.node_lost:
            self.died(death.agent_id, "its node is lost", EndReason.NODE_LOST)
        elif death.out_of_memory:
            agent = self._registry.agents.get(death.agent_id)
            if agent is not None:
                self._usages.ran_out(agent)
            self.died(death.agent_id, "out of memory", EndReason.MEMORY)
        else:
            self.died(death.agent_id, "its process ended")

    async def restore_missing(self, known_to_redis: set[UUID]) -> None:
        """Rows in service that Redis does not know (it lost its memory, or we crashed before registering)."""
        for agent in list(self._registry.agents.values()):
            missing = (
                AgentState(agent.state) is AgentState.IDLE
                and agent.pk not in known_to_redis
                and not self._registry.is_unwanted(agent)
            )
            busy = (
                agent.pk in self._restoring
                or agent.pk in self._creator.tasks
                or agent.pk in self._remover.tasks
            )
            if missing and not busy:
                task = asyncio.create_task(self._restore(agent))
                self._restoring[agent.pk] = task
                task.add_done_callback(partial(self._restored, agent.pk))

    def _restored(self, agent_id: UUID, task: asyncio.Task[None]) -> None:
        self._restoring.pop(agent_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("agent %s was not taken up yet: %s", agent_id, error)

    async def _restore(self, agent: Agent) -> None:
        """A holder from before may still have work running in it: it is reset, then it serves again. One that
        does not confirm that (its image need not know how) is replaced, else two requests could run at once.
        """
        if await self._leases.knows(agent.pk):
            return  # it was registered after the others had been asked for
        headers = bearer(agent_token(self._secret, agent.pk, agent.nonce))
        if not await self._http.tell(agent.address, "/reset", b"{}", headers, within=RESET_TIMEOUT):
            self.died(agent.pk, "it did not confirm its reset, and is replaced", EndReason.RECYCLED)
            return
        health = await self._http.health(agent.address, headers, within=HEALTH_TIMEOUT)
        fault = health.fault(agent.boot)
        if fault is not None:
            self.died(agent.pk, f"its health check failed ({fault})", EndReason.UNHEALTHY)
            return
        await self._creator.register(agent)

    async def follow_events(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                async for death in self._runtime.events():
                    self.heard(death)
            except RuntimeFault as exc:
                log.warning("the runtime's events broke off: %s", exc)
            await asyncio.sleep(1.0)
