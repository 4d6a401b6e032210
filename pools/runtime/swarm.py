"""Agents on the nodes of a Docker Swarm: one service of one replica for each.

Docker's own cluster manager places them (constraints, reservations, spread), watches the nodes and drains
them. An agent is reached at its node's address, at a port that the node's engine chose. What died is not
started again by the swarm: its service stays until it is removed, so that it is seen.

`DOCKER_HOST` names a manager. See docs/adr/0018-nodes-are-the-engines.md for what nodes must have.
Does not: choose nodes, set up swarms, or pull images.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import docker
from docker.errors import APIError, NotFound

from pools.domain.nodes import Availability
from pools.runtime.base import (
    AgentDeath,
    AgentHandle,
    AgentSpec,
    AgentUse,
    Capability,
    EngineNode,
    Invitation,
    RuntimeFault,
)
from pools.runtime.docker import DockerRuntime
from pools.runtime.docker_events import EventWatcher, MakeWatch, Tell, told
from pools.runtime.requirement_images import prune
from pools.runtime.swarm_deployed import SwarmDeployed
from pools.runtime.swarm_guards import Guards
from pools.runtime.swarm_hosts import Hosts, NodeTrouble
from pools.runtime.swarm_networks import AgentNetworks
from pools.runtime.swarm_plans import plan_of
from pools.runtime.swarm_services import Services
from pools.runtime.swarm_shapes import (
    EGRESS,
    ENDED,
    POOLED,
    SwarmNode,
    SwarmTask,
    handle_of,
    in_reach,
    newest,
    read_nodes,
    read_tasks,
    without_task,
)
from pools.runtime.swarm_watch import SwarmWatch


class SwarmRuntime(DockerRuntime):
    """A manager is a Docker Engine: images are built there, and copied to the other nodes.

    Of what an agent may reach the engines' settings decide (`--userland-proxy=false`, `--no-new-privileges`),
    so that is not promised here.
    """

    name = "swarm"
    threads = 16  # those that create and remove wait in theirs
    can = frozenset(
        {
            Capability.OUTLIVES,
            Capability.BUNDLES,
            Capability.CORDONS,
            Capability.GROWS,
            Capability.DEPLOYS,
            Capability.NO_CAPABILITIES,
            Capability.READ_ONLY_ROOT,
            Capability.LIMITS,
            Capability.ANY_IMAGE,
            Capability.REQUIREMENTS,
        }
    )

    def __init__(self, instance: str, beside: Collection[str] = ()) -> None:
        """`beside`: hosts of the platform itself (web, database, Redis, broker)."""
        super().__init__(instance)
        settings = {
            "com.docker.network.bridge.enable_icc": "false",
            # Nobody outside knows the way back to an agent's own address. Where agents may reach the outside
            # the guards' rules see to it.
            "com.docker.network.bridge.enable_ip_masquerade": "false",
        }
        labels = {"agentainer.instance": instance}
        isolated = AgentNetworks(lambda: self.client, self.network)
        outside = AgentNetworks(lambda: self.client, f"{self.network}-out")
        self._hosts = Hosts(isolated.config, labels, settings)
        self.guards = Guards(
            self._hosts,
            outside,
            lambda: self.client,
            self._nodes_with_egress,
            table=self.network,
            labels=labels,
            beside=beside,
        )
        self.services = Services(self, self._hosts, self.guards, isolated, outside)
        self.deployed = SwarmDeployed(self, self._hosts)
        self._dead: set[UUID] = set()  # told by a node's engine; the manager hears of it a little later
        self._own = ("", "")
        self.api_version: tuple[int, ...] = ()

    def _connect(self) -> docker.DockerClient:
        """Raises `RuntimeFault` when the engine manages no swarm."""
        client = super()._connect()
        if not self._own[0]:
            swarm = client.info().get("Swarm", {})
            if not swarm.get("ControlAvailable"):
                raise RuntimeFault(
                    "The Docker Engine at DOCKER_HOST manages no swarm: name a manager there, make one with "
                    "`docker swarm init`, or use AFLOW_RUNTIME=docker."
                )
            self.api_version = tuple(int(part) for part in client.api.api_version.split("."))
            self._own = (swarm["NodeID"], os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
        return client

    @property
    def client(self) -> docker.DockerClient:
        return self._client if self._client is not None and self._own[0] else self._connect()

    async def close(self) -> None:
        await super().close()
        self._hosts.close()

    # --- what the manager says ---------------------------------------------------------------------

    def known_nodes(self) -> dict[str, SwarmNode]:
        client = self.client
        return {node.seen.ref: node for node in read_nodes(client.api.nodes(), self._own)}

    def tasks(self, kind: str, *labels: str, **filters: str) -> list[SwarmTask]:
        """Of agents of that kind."""
        wanted = {"label": [f"agentainer.instance={self._instance}", *labels], **filters}
        return read_tasks(self.client.api.tasks(filters=wanted), kind)

    def services_of(self, kind: str) -> dict[UUID, dict[str, Any]]:
        wanted = {"label": f"agentainer.instance={self._instance}"}
        return {
            UUID(labels[kind]): row
            for row in self.client.api.services(filters=wanted)
            if kind in (labels := row["Spec"].get("Labels") or {})
        }

    def _nodes_with_egress(self) -> set[str]:
        """Those on which agents that reach the outside may run, of pools or not."""
        wanted = {"label": [f"agentainer.instance={self._instance}", EGRESS]}
        rows = self.client.api.tasks(filters=wanted)
        return {row["NodeID"] for row in rows if row.get("NodeID") and row["Status"]["State"] not in ENDED}

    def image_id(self, image: str) -> str:
        return self._image(image)

    async def nodes(self) -> list[EngineNode]:
        found, notes = await self._call(self.known_nodes), self.guards.notes()
        return [replace(node.seen, note=node.seen.note or notes.get(ref, "")) for ref, node in found.items()]

    async def upkeep(self) -> None:
        await self._call(lambda: self.guards.closed(self.known_nodes(), egress=False))

    async def set_availability(self, node: str, wanted: Availability) -> None:
        await self._call(lambda: self._set_availability(node, wanted))

    async def invite(self) -> Invitation:
        return await self._call(self._invite)

    def _invite(self) -> Invitation:
        managers = self.client.info()["Swarm"].get("RemoteManagers") or []
        token: str = self.client.api.inspect_swarm()["JoinTokens"]["Worker"]
        return Invitation(managers[0]["Addr"], token)

    async def label_node(self, node: str, labels: Mapping[str, str]) -> None:
        def labelled(spec: dict[str, Any]) -> dict[str, Any]:
            return {**spec, "Labels": {**(spec.get("Labels") or {}), **labels}}

        await self._call(lambda: self._write_node(node, labelled))

    async def forget_node(self, node: str) -> None:
        def forget() -> None:
            with contextlib.suppress(NotFound):
                self.client.api.remove_node(node, force=True)

        await self._call(forget)

    def _set_availability(self, ref: str, wanted: Availability) -> None:
        self._write_node(ref, lambda spec: {**spec, "Availability": wanted.value})

    def _write_node(self, ref: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        until = time.monotonic() + 5
        while True:
            try:
                row = self.client.api.inspect_node(ref)
                spec = change(row["Spec"])
                if spec != row["Spec"]:
                    self.client.api.update_node(ref, row["Version"]["Index"], spec)  # type: ignore[arg-type]
                return
            except NotFound as exc:
                raise RuntimeFault("The node has left the swarm.") from exc
            except APIError as exc:
                # Somebody else wrote the node in between.
                if "out of sequence" not in str(exc) or time.monotonic() > until:
                    raise
                time.sleep(0.05)

    # --- agents come and go ---------------------------------------------------------------------------

    def _create(self, spec: AgentSpec) -> AgentHandle:
        task = self.services.create(plan_of(spec, instance=self._instance, name=self._name(spec.agent_id)))
        return handle_of(task, self.known_nodes().get(task.node))

    async def remove(self, agent_id: UUID, *, grace: float = 0.0) -> None:
        def remove() -> None:
            if grace > 0:
                self.services.tell_to_leave(POOLED, agent_id, grace)
            self.services.remove(self._name(agent_id), POOLED, agent_id)

        await self._call(remove)

    async def tidy(self) -> None:
        await self._call(self.services.tidy)

    async def prune_images(self, requirements: Collection[tuple[str, ...]]) -> None:
        """The nodes' copies, too; those of a node that does not answer go another time."""

        def work() -> None:
            prune(self.client, self._instance, requirements)
            for ref, node in self.known_nodes().items():
                if node.engine:
                    self._hosts.forget(ref)
                    with contextlib.suppress(NodeTrouble):
                        self._hosts.ask(node, lambda engine: prune(engine, self._instance, requirements))

        await self._call(work)

    # --- agents that are there ----------------------------------------------------------------------------

    def _list(self) -> list[AgentHandle]:
        """Services too: one whose task the swarm has forgotten would stay for ever."""
        services = self.services_of(POOLED)
        tasks, nodes = newest(self.tasks(POOLED)), self.known_nodes()
        found = []
        for agent_id, service in services.items():
            task = tasks.get(agent_id)
            if task is None:
                task = read_tasks([without_task(service)])[0]
            handle = handle_of(task, nodes.get(task.node))
            found.append(replace(handle, running=False) if agent_id in self._dead else handle)
        self._dead &= set(services)
        return found

    def events(self) -> AsyncIterator[AgentDeath]:
        return told(self.watch(POOLED, ("die",), self._dead.add))

    def watch(
        self, kind: str, actions: Sequence[str], note: Callable[[UUID], object] = lambda _: None
    ) -> MakeWatch:
        """Of agents of that kind; `note` hears of each first, in the thread that heard of it."""

        def look() -> dict[str, SwarmNode]:
            return self._in_words(self.known_nodes)

        def tasks_on(ref: str) -> list[SwarmTask]:
            return self._in_words(lambda: self.tasks(kind, node=ref))

        def make(tell: Tell, stop: threading.Event) -> SwarmWatch:
            def noted(death: AgentDeath) -> None:
                note(death.agent_id)
                tell(death)

            def follow(node: SwarmNode, stop: threading.Event) -> EventWatcher:
                def connect() -> docker.DockerClient:
                    self.guards.recheck(node.seen.ref)
                    return self._hosts.connect(node, None)

                return EventWatcher(self._instance, noted, stop, connect, kind=kind, actions=actions)

            return SwarmWatch(follow, self._forget, look, tasks_on, noted, stop)

        return make

    def _forget(self, ref: str) -> None:
        self._hosts.forget(ref)
        self.guards.recheck(ref)

    async def use_of(self, agent_id: UUID, ref: str) -> AgentUse | None:
        return None  # a node's engine would have to be asked; its own limit ends an agent that takes too much

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        return await self._call(lambda: self._logs(agent_id, tail))

    def _logs(self, agent_id: UUID, tail: int) -> str:
        task = self.services.task_of(POOLED, agent_id)
        if task is None:
            return ""
        if not task.container:
            return task.trouble
        nodes = self.known_nodes()
        return self._hosts.logs(nodes[task.node], task.container, tail) if in_reach(task, nodes) else ""
