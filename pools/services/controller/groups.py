"""The loop of node groups: every few seconds what there is, what is needed, and what follows from that.

Runs beside the controller and under its lead. A provider or an engine that is away only leaves its part
undone.
Does not: place agents, or take a machine from under a lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from pools.domain.deployments import Desired
from pools.domain.growth import GroupRules
from pools.domain.instance_types import templates_of
from pools.domain.machines import HERE, MachineEnd, MachineState
from pools.domain.node_groups import GroupFigures, GroupPlan, MachineFigures, plan
from pools.domain.nodes import CapacityType, NodeFacts, facts_of
from pools.domain.placement import ANYWHERE
from pools.domain.quantiles import nearest_rank
from pools.domain.room import Demand, Room, demand_of
from pools.models import DeployedAgent, Machine, NodeGroup
from pools.providers.base import NodeProvider, ProviderFault, Shape
from pools.runtime.base import EngineNode, Runtime, RuntimeFault
from pools.services import machines as rows
from pools.services import node_groups as group_rows
from pools.services.agents import NotLeading
from pools.services.controller.market import Market
from pools.services.controller.registry import in_database, now
from pools.services.controller.renting import Renting, agents_on

log = logging.getLogger(__name__)

EVERY = 5.0  # seconds
AT_ONCE = 0.2  # seconds: every shortage leaves one offer less to try
USUAL_WINDOW = 3600.0  # seconds of what was needed that tell what is usual
USUAL_FROM = 600.0  # fewer tell nothing
PRUNE_EVERY = 3600.0


class NodeGroups:
    """`demands` tells what agents need, None while nobody knows; `instance` and `leader` are the
    controller's, for the fence."""

    def __init__(
        self,
        runtime: Runtime,
        provider: NodeProvider,
        *,
        demands: Callable[[], Sequence[Demand] | None],
        leads: Callable[[], Awaitable[bool]],
        instance: str,
        leader: str,
        secret: str,
        url: str,
    ) -> None:
        self._runtime = runtime
        self._provider = provider
        self._demands = demands
        self._leads = leads
        self._instance = instance
        self._leader = leader
        self._market = Market(provider)
        self.renting = Renting(
            runtime,
            provider,
            secret=secret,
            url=url,
            short=self._market.note_shortage,
            refused=self._market.note_refusal,
        )
        self._coming: list[tuple[int, Room]] = []
        self._needed: dict[int, deque[tuple[float, int]]] = {}
        self._pruned_at = float("-inf")

    async def run(self) -> None:
        """For ever; what breaks a round is the caller's to log and to take up again. Where the provider had
        none of what was asked for, the next best is asked for at once."""
        while True:
            met = self._market.shortages
            try:
                await self.step()
            except (ProviderFault, RuntimeFault) as exc:
                log.warning("node groups wait: %s", exc)
            except NotLeading:
                log.info("node groups: another controller leads")
            await asyncio.sleep(EVERY if self._market.shortages == met else AT_ONCE)

    async def step(self) -> None:
        """One whole, idempotent round. Raises `ProviderFault`, `RuntimeFault`, `NotLeading`."""
        self.renting.troubled.clear()
        groups: list[NodeGroup] = await in_database(group_rows.all_groups)
        machines = await self._machines(groups)
        if not groups and not machines:
            return
        if not await self._leads():
            raise NotLeading
        try:
            await self.renting.learn(machines)
        except ProviderFault as exc:
            for group in groups:
                await self.renting.tell(group, str(exc))
            raise
        nodes = {node.ref: node for node in await self._runtime.nodes()}
        machines = await self._machines(groups)
        await self._meter(machines)
        await self.renting.heed_notices(machines, nodes)
        await self.renting.welcome(machines, nodes)
        self._coming = await self._on_their_way(machines, nodes)
        for group in groups:
            try:
                await self._decide(group, machines, nodes)
            except ProviderFault as exc:
                await self.renting.tell(group, str(exc))
        machines = await self._machines(groups)
        await self.renting.launch(machines)
        await self.renting.see_off(machines, nodes)
        await self.renting.untell(groups)
        for group in groups:
            await in_database(group_rows.forget_if_empty, group)

    async def _machines(self, groups: Sequence[NodeGroup]) -> list[Machine]:
        """The live ones, each with its group's row of this round."""
        by_id = {group.pk: group for group in groups}
        found: list[Machine] = await in_database(rows.live)
        for machine in found:
            if machine.group_id in by_id:
                machine.group = by_id[machine.group_id]
        return found

    async def _meter(self, machines: Sequence[Machine]) -> None:
        """What they cost so far, and from now on."""
        for machine in machines:
            if machine.ref:
                await in_database(rows.meter, machine, now())
                kind = CapacityType(machine.capacity_type)
                price = await self._market.price(machine.template, kind, machine.zone)
                demand = await self._market.price(machine.template, CapacityType.ON_DEMAND, machine.zone)
                await in_database(rows.reprice, machine, price, demand)
        if time.monotonic() - self._pruned_at > PRUNE_EVERY:
            self._pruned_at = time.monotonic()
            await in_database(rows.prune, now())

    # --- deciding ----------------------------------------------------------------------------------

    async def _on_their_way(
        self, machines: Sequence[Machine], nodes: dict[str, EngineNode]
    ) -> list[tuple[int, Room]]:
        """Machines that are no nodes yet, by their group: what waits for them asks no other group."""
        found = []
        for machine in machines:
            if machine.group is None or machine.node_ref in nodes or MachineState(machine.state) not in HERE:
                continue
            with contextlib.suppress(ProviderFault):
                shape = await self._market.shape(machine.template)
                facts = NodeFacts(machine.price, CapacityType(machine.capacity_type), machine.zone)
                found.append((machine.group.pk, Room(str(machine.pk), facts, shape.cpus, shape.memory)))
        return found

    async def _decide(
        self, group: NodeGroup, machines: Sequence[Machine], nodes: dict[str, EngineNode]
    ) -> None:
        own = [machine for machine in machines if machine.group_id == group.pk]
        if group.deleted_at is not None:
            for machine in own:
                if MachineState(machine.state) in HERE:
                    await self.renting.move(machine, MachineState.LEAVING, MachineEnd.GROUP_REMOVED)
            return
        if group.provider != self._provider.name:
            sentence = f"The provider {group.provider} is not set up here (AFLOW_NODE_PROVIDER)."
            await self.renting.tell(group, sentence)
            return
        demands = self._demands()
        if demands is None:
            return
        offers, problems = await self._market.offers(group)
        await in_database(group_rows.tell_offers, group, offers)
        if problems:
            await self.renting.tell(group, " ".join(problems))
        if not offers:
            return
        seen = GroupFigures(
            machines=tuple([await self._figures(machine, nodes) for machine in own]),
            demands=(*demands, *await in_database(_deployed)),
            elsewhere=self._elsewhere(group, machines, nodes),
            offers=tuple(offers),
            usual=self._usual(group),
        )
        decided = plan(_rules(group), seen)
        self._note_need(group, decided.needed)
        await in_database(group_rows.record, group, decided, len(own), now())
        await self._order(group, decided)
        by_id = {machine.pk: machine for machine in own}
        for machine_id, reason in decided.leave:
            await self.renting.move(by_id[machine_id], MachineState.LEAVING, reason)

    async def _order(self, group: NodeGroup, decided: GroupPlan) -> None:
        """The intent to rent what was decided, as far as machines lately came."""
        allowed = self.renting.breaker(group).allowed(len(decided.launch), time.monotonic())
        if not allowed:
            return
        templates = templates_of(group.template, group.instance_types)
        wanted = []
        for number, offer in enumerate(decided.launch[:allowed]):
            room = Room(f"{group.name}-{number}", offer.facts, offer.cpus, offer.memory)
            self._coming.append((group.pk, room))
            template = templates[offer.instance_type]
            on_demand = await self._market.price(template, CapacityType.ON_DEMAND, "")
            wanted.append(rows.Wanted(offer, template, on_demand))
        fence = {"instance": self._instance, "leader": self._leader, "now": now()}
        await in_database(rows.request, group, wanted, **fence)

    async def _figures(self, machine: Machine, nodes: dict[str, EngineNode]) -> MachineFigures:
        node = nodes.get(machine.node_ref)
        size: EngineNode | Shape | None = node
        if size is None:
            size = await self._market.shape(machine.template)
        agents = 0
        if node is not None:
            agents = sum([await in_database(agents_on, node.name, pooled=pooled) for pooled in (True, False)])
        moment = now()
        await in_database(rows.note_empty, machine, node is not None and agents == 0, moment)
        since, state = machine.empty_since, MachineState(machine.state)
        if state is MachineState.JOINED and (node is None or not node.takes_agents):
            state = MachineState.LEAVING  # for now: somebody cordoned it, or it is not heard of
        return MachineFigures(
            id=machine.pk,
            state=state,
            capacity_type=CapacityType(machine.capacity_type),
            zone=machine.zone,
            price=machine.price,
            cpus=size.cpus,
            memory=size.memory,
            agents=agents,
            empty_for=0.0 if since is None else (moment - since).total_seconds(),
        )

    def _elsewhere(
        self, group: NodeGroup, machines: Sequence[Machine], nodes: dict[str, EngineNode]
    ) -> tuple[Room, ...]:
        """Nodes that take agents and are not this group's, and what comes of other groups."""
        own = {machine.node_ref for machine in machines if machine.group_id == group.pk}
        there = [
            Room(node.name, facts_of(node.labels), node.cpus, node.memory)
            for node in nodes.values()
            if node.takes_agents and node.ref not in own
        ]
        return (*there, *(room for group_id, room in self._coming if group_id != group.pk))

    def _note_need(self, group: NodeGroup, needed: int) -> None:
        seen = self._needed.setdefault(group.pk, deque())
        seen.append((time.monotonic(), needed))
        while seen[0][0] < time.monotonic() - USUAL_WINDOW:
            seen.popleft()

    def _usual(self, group: NodeGroup) -> float | None:
        seen = self._needed.get(group.pk)
        if not seen or seen[-1][0] - seen[0][0] < USUAL_FROM:
            return None
        return nearest_rank([needed for _, needed in seen], 0.5)


def _rules(group: NodeGroup) -> GroupRules:
    return GroupRules(
        min=group.min,
        max=group.max,
        on_demand_base=group.on_demand_base,
        prefer_spot=group.prefer_spot,
        spot_fallback=group.spot_fallback,
        max_price=group.max_price,
        idle_timeout=group.idle_timeout,
    )


def _deployed() -> list[Demand]:
    """Deployed agents need room, too."""
    running = DeployedAgent.objects.filter(desired=Desired.RUNNING.value).values_list("cpu", "memory")
    return [demand_of(ANYWHERE, cpu, memory, 1) for cpu, memory in running]
