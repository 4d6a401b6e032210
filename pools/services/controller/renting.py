"""The doing half of node groups: machines asked for at the provider, brought into the engine and out of it.

Every step may be repeated after a crash: rows say how far a machine has come, and providers launch once.
Does not: decide how many there are (`groups` does).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from pools.domain.agents import LIVE as LIVE_AGENTS
from pools.domain.breaker import Breaker
from pools.domain.deployments import DeployedState
from pools.domain.machines import MachineEnd, MachineState, machine_token
from pools.domain.nodes import (
    CAPACITY_LABEL,
    ENGINE_LABEL,
    ON_DEMAND_PRICE_LABEL,
    PRICE_LABEL,
    ZONE_LABEL,
    Availability,
    CapacityType,
    NodeState,
)
from pools.models import Agent, DeployedAgent, Machine, Node, NodeGroup
from pools.providers.base import NoCapacity, NodeProvider, Order, ProviderAway, ProviderFault, RentedMachine
from pools.providers.cloud_init import user_data
from pools.runtime.base import EngineNode, Runtime
from pools.services import machines as rows
from pools.services import node_groups as group_rows
from pools.services import nodes as node_rows
from pools.services.controller.registry import in_database, now

log = logging.getLogger(__name__)

AT_ONCE = 4
# Providers tell of a new machine a moment later.
SEEN_WITHIN = timedelta(seconds=60)
# Deployed agents get their 30 s to leave a machine that is drained, and are begun elsewhere.
DEPLOYED_LEAVE_WITHIN = 60.0
ENGINE_PORT = 2376
CLOCKS_DIFFER = timedelta(seconds=60)
THERE = (DeployedState.RUNNING.value, DeployedState.PAUSED.value)


class Renting:
    """`secret` makes the machines' tokens, `url` is the platform's as machines reach it. `short` is told of
    what the provider had none of, `refused` of what it does not launch, and why."""

    def __init__(
        self,
        runtime: Runtime,
        provider: NodeProvider,
        *,
        secret: str,
        url: str,
        short: Callable[[Machine], None],
        refused: Callable[[Machine, str], None],
    ) -> None:
        self._runtime = runtime
        self._provider = provider
        self._secret = secret
        self._url = url
        self._short = short
        self._refused = refused
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._drained: dict[UUID, float] = {}  # since when, on the monotonic clock
        self.breakers: dict[int, Breaker] = {}
        self.troubled: set[int] = set()  # groups of which this round told a problem

    def breaker(self, group: NodeGroup) -> Breaker:
        return self.breakers.setdefault(group.pk, Breaker())

    async def tell(self, group: NodeGroup, problem: str) -> None:
        self.troubled.add(group.pk)
        await in_database(group_rows.tell_problem, group, problem)

    async def untell(self, groups: Sequence[NodeGroup]) -> None:
        """At the end of a round: a problem that it did not meet is over, save that machines fail to come,
        which the next one that joins ends."""
        for group in groups:
            if group.pk not in self.troubled and not self.breaker(group).failures:
                await in_database(group_rows.tell_problem, group, "")

    # --- what there is -----------------------------------------------------------------------------

    async def learn(self, machines: Sequence[Machine]) -> None:
        """Rows against what the provider has: adopts, ends orphans, marks the missing as gone, hears notices.

        Raises `ProviderFault`."""
        rented = {one.machine_id: one for one in await asyncio.to_thread(self._provider.machines)}
        for machine in machines:
            known = rented.pop(machine.pk, None)
            if known is not None:
                if machine.state == MachineState.REQUESTED.value:
                    await self._launched(machine, known)
            elif machine.ref and now() - machine.requested_at > SEEN_WITHIN:
                await self._gone(machine, MachineEnd.VANISHED)
        if rented:
            log.warning("ending %d machines that no row speaks of", len(rented))
            try:
                await asyncio.to_thread(self._provider.terminate, [one.ref for one in rented.values()])
            except ProviderFault as exc:  # the others must be looked after all the same
                log.error("machines that no row speaks of cannot be ended, and cost money: %s", exc)
        refs = {one.ref: one for one in machines if one.ref and one.capacity_type == CapacityType.SPOT}
        for ref, leave_by in (await asyncio.to_thread(self._provider.interruptions, list(refs))).items():
            await in_database(rows.note_notice, refs[ref], leave_by)

    async def _launched(self, machine: Machine, rented: RentedMachine) -> None:
        await self.move(
            machine,
            MachineState.LAUNCHED,
            ref=rented.ref,
            zone=rented.zone[:64],
            capacity_type=rented.capacity_type.value,
        )

    async def _gone(self, machine: Machine, reason: MachineEnd, note: str = "") -> None:
        if machine.leave_by is not None:
            reason = MachineEnd.SPOT_INTERRUPTION
        await in_database(rows.meter, machine, now())
        await self.move(machine, MachineState.GONE, reason, note=note[:500])
        self._drained.pop(machine.pk, None)
        if machine.group is not None and machine.joined_at is None:
            self.breaker(machine.group).undecided()  # a probe that tells nothing any more
        if machine.node_ref:
            await self._runtime.forget_node(machine.node_ref)

    async def move(
        self, machine: Machine, wanted: MachineState, reason: MachineEnd | None = None, **fields: object
    ) -> None:
        answer = await in_database(rows.move, machine.pk, wanted, now=now(), reason=reason, **fields)
        if answer.accepted:
            machine.state = wanted.value
            machine.end_reason = machine.end_reason or (reason.value if reason else "")
            for name, value in fields.items():
                setattr(machine, name, value)

    # --- coming ------------------------------------------------------------------------------------

    async def launch(self, machines: Sequence[Machine]) -> None:
        """Those that were asked for in rows, at the provider."""
        asked = [
            one for one in machines if one.state == MachineState.REQUESTED.value and one.group is not None
        ]
        await asyncio.gather(*(self._launch(machine, machine.group) for machine in asked if machine.group))

    async def _launch(self, machine: Machine, group: NodeGroup) -> None:
        order = Order(
            machine_id=machine.pk,
            group=group.name,
            template=machine.template,
            capacity_type=CapacityType(machine.capacity_type),
            zone=machine.zone,
            max_price=group.max_price,
            user_data=user_data(
                self._url, machine_token(self._secret, machine.pk), machine.template.get("setup", ())
            ),
        )
        breaker = self.breaker(group)
        breaker.started()
        try:
            async with self._slots:
                rented = await asyncio.to_thread(self._provider.launch, order)
        except NoCapacity as exc:
            breaker.undecided()
            self._short(machine)
            log.info("node group %s: %s", group.name, exc)
            await self._gone(machine, MachineEnd.NO_CAPACITY, str(exc))
        except ProviderAway as exc:
            breaker.undecided()  # its row stays, and is taken up again
            await self.tell(group, str(exc))
        except ProviderFault as exc:
            breaker.failed(time.monotonic(), str(exc))
            self._refused(machine, str(exc))
            await self.tell(group, str(exc))
            await self._gone(machine, MachineEnd.REFUSED, str(exc))
        else:
            await self._launched(machine, rented)

    async def welcome(self, machines: Sequence[Machine], nodes: Mapping[str, EngineNode]) -> None:
        """Those that have joined are labelled; their prices, later on, too. Those that never do are ended."""
        for machine in machines:
            state, node = MachineState(machine.state), nodes.get(machine.node_ref)
            if state is MachineState.LAUNCHED and machine.group is not None:
                if node is not None and self._was_before(machine, node):
                    await self._claims_another(machine, machine.group, node)
                elif node is not None:
                    await self._runtime.label_node(node.ref, _labels(machine, node))
                    await self.move(machine, MachineState.JOINED, joined_at=now())
                    self.breaker(machine.group).succeeded()
                elif now() - machine.requested_at > timedelta(seconds=machine.group.join_timeout):
                    await self._never_joined(machine, machine.group)
            elif state is MachineState.JOINED and node is not None:
                labels = _labels(machine, node)
                if any(node.labels.get(name) != value for name, value in labels.items()):
                    await self._runtime.label_node(node.ref, labels)

    def _was_before(self, machine: Machine, node: EngineNode) -> bool:
        return node.since is not None and node.since < machine.requested_at - CLOCKS_DIFFER

    async def _claims_another(self, machine: Machine, group: NodeGroup, node: EngineNode) -> None:
        """A machine tells by itself which node it is. One that names a node of somebody else would take that
        with it when it goes."""
        sentence = (
            f"A machine ({machine.ref}) says that it is {node.name}, which was there before it was rented. "
            "It is ended: see what its image and its setup commands do."
        )
        self.breaker(group).failed(time.monotonic(), sentence)
        await self.tell(group, sentence)
        await in_database(rows.disown, machine)
        await self.move(machine, MachineState.LEAVING, MachineEnd.REFUSED)

    async def _never_joined(self, machine: Machine, group: NodeGroup) -> None:
        sentence = (
            f"A machine ({machine.ref}) did not join within {group.join_timeout:g} s and is ended: see its "
            "console, and whether it reaches AFLOW_URL and the swarm's manager."
        )
        self.breaker(group).failed(time.monotonic(), sentence)
        await self.tell(group, sentence)
        await self.move(machine, MachineState.LEAVING, MachineEnd.NEVER_JOINED)

    # --- going -------------------------------------------------------------------------------------

    async def heed_notices(self, machines: Sequence[Machine], nodes: Mapping[str, EngineNode]) -> None:
        """Machines that are taken away leave, and their nodes know until when; somebody may have told that of
        the node. One that the engine has not heard of for long is given up."""
        known: dict[str, Node] = await in_database(node_rows.by_ref)
        for machine in machines:
            row = known.get(machine.node_ref)
            if row is not None and row.leave_by is not None:
                await in_database(rows.note_notice, machine, row.leave_by)
            if (
                row is not None
                and machine.state == MachineState.JOINED.value
                and self._is_given_up(machine, row)
            ):
                await self.move(machine, MachineState.LEAVING, MachineEnd.LOST)
            if machine.leave_by is None:
                continue
            if machine.state != MachineState.LEAVING.value:
                await self.move(machine, MachineState.LEAVING, MachineEnd.SPOT_INTERRUPTION)
            if (node := nodes.get(machine.node_ref)) is not None:
                await self._close(node)
                await in_database(node_rows.note_interruption, node.ref, machine.leave_by)

    def _is_given_up(self, machine: Machine, row: Node) -> bool:
        patience = machine.group.join_timeout if machine.group is not None else 0.0
        return row.state == NodeState.LOST.value and now() - row.changed_at > timedelta(seconds=patience)

    async def see_off(self, machines: Sequence[Machine], nodes: Mapping[str, EngineNode]) -> None:
        """Those that leave: no agents go there, those that are there leave, and with the last one it ends."""
        for machine in machines:
            if machine.state != MachineState.LEAVING.value:
                continue
            node = nodes.get(machine.node_ref)
            if node is not None and node.heard:
                await self._close(node)
                await in_database(node_rows.begin_drain, node.ref)
                if not await self._is_empty(machine, node):
                    continue
            if machine.ref:
                try:
                    await asyncio.to_thread(self._provider.terminate, [machine.ref])
                except ProviderFault as exc:  # it is tried again; the others must go all the same
                    log.error("machine %s cannot be ended, and costs money: %s", machine.ref, exc)
                    continue
            await self._gone(machine, MachineEnd.IDLE)

    async def _close(self, node: EngineNode) -> None:
        if node.availability is Availability.ACTIVE:
            await self._runtime.set_availability(node.ref, Availability.PAUSE)

    async def _is_empty(self, machine: Machine, node: EngineNode) -> bool:
        """Once the controller has drained it, which it does when the last pooled agent has left."""
        if node.availability is not Availability.DRAIN or await in_database(
            agents_on, node.name, pooled=True
        ):
            return False
        since = self._drained.setdefault(machine.pk, time.monotonic())
        late = time.monotonic() - since > DEPLOYED_LEAVE_WITHIN
        return late or not await in_database(agents_on, node.name, pooled=False)


def agents_on(node: str, *, pooled: bool) -> int:
    """Live ones of pools, or else deployed ones that run."""
    if pooled:
        return Agent.objects.filter(node=node, state__in=[state.value for state in LIVE_AGENTS]).count()
    return DeployedAgent.objects.filter(node=node, state__in=THERE).count()


def _labels(machine: Machine, node: EngineNode) -> dict[str, str]:
    port = machine.template.get("engine_port", ENGINE_PORT)
    labels = {
        ENGINE_LABEL: f"tcp://{node.address}:{port}",
        CAPACITY_LABEL: machine.capacity_type,
        ZONE_LABEL: machine.zone,
    }
    for name, price in ((PRICE_LABEL, machine.price), (ON_DEMAND_PRICE_LABEL, machine.on_demand_price)):
        if price is not None:
            labels[name] = f"{price.normalize():f}"
    return labels
