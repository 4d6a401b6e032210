"""Deployed agents on the nodes of a swarm: one service of one replica for each, beside the pools' own.

Where an agent is placed, the manager says; what its container is doing, its node's engine. A node that is
lost takes its agents with it: they count as ended, and `start` has them placed elsewhere. So there are no
named volumes here: one would lie on one node, and be lost with it, or be found empty elsewhere. Directories
of the host are the way to keep data, on storage that is mounted at the same path on every node.
Does not: keep the log of a container that was replaced by the next one.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import docker
from docker.errors import NotFound

from pools.domain.deployments import Reality
from pools.runtime.base import Limits
from pools.runtime.deployed import (
    Capability,
    DeployedHandle,
    DeploySpec,
    NotCapable,
    Usage,
    VolumeSpec,
    second_of,
)
from pools.runtime.docker_deployed import CHANGES, LABEL, PIDS, REALITY, usage_of
from pools.runtime.docker_events import told
from pools.runtime.docker_streams import streamed
from pools.runtime.swarm_hosts import Hosts, NodeTrouble
from pools.runtime.swarm_plans import Plan, tmpfs
from pools.runtime.swarm_shapes import (
    ENDED,
    SwarmNode,
    SwarmTask,
    in_reach,
    newest,
    read_tasks,
    without_task,
)

if TYPE_CHECKING:
    from pools.runtime.swarm import SwarmRuntime

Contents = dict[str, Any]  # what an engine says of a container, in its list


class SwarmDeployed:
    """Shares the connections of the pools' runtime, whose friend it is."""

    capabilities = frozenset(Capability) - {Capability.VOLUMES}

    def __init__(self, swarm: SwarmRuntime, hosts: Hosts) -> None:
        self._swarm = swarm
        self._hosts = hosts

    def _name(self, agent_id: UUID) -> str:
        return f"{self._swarm.network}-d-{agent_id}"

    # --- life -----------------------------------------------------------------------------------------

    async def start(self, spec: DeploySpec) -> DeployedHandle:
        return await self._swarm._call(lambda: self._start(spec))

    def _start(self, spec: DeploySpec) -> DeployedHandle:
        """One that ended, or is out of reach with its node, is made anew, wherever the swarm places it."""
        plan = self._plan(spec)
        task = self._swarm.services.task_of(LABEL, spec.agent_id)
        if task is not None and not self._goes_on(task):
            self._swarm.services.remove(plan.name, LABEL, spec.agent_id)
        task, nodes = self._swarm.services.create(plan), self._swarm.known_nodes()
        there = {task.node} if in_reach(task, nodes) else set()
        return self._handle(task, nodes, self._seen(there, nodes))

    def _goes_on(self, task: SwarmTask) -> bool:
        nodes = self._swarm.known_nodes()
        if task.node and not in_reach(task, nodes):
            return False
        return self._reality(task, nodes.get(task.node)) not in (Reality.ENDED, Reality.ABSENT)

    def _plan(self, spec: DeploySpec) -> Plan:
        """Raises `NotCapable`."""
        return Plan(
            agent_id=spec.agent_id,
            kind=LABEL,
            name=self._name(spec.agent_id),
            image=spec.image,
            env=spec.contract_env(),
            labels={
                "agentainer.instance": self._swarm._instance,
                LABEL: str(spec.agent_id),
                "agentainer.team": str(spec.team_id),
                "agentainer.name": spec.name,
                "agentainer.generation": str(spec.generation),
            },
            limits=Limits(cpu=spec.cpu, memory=spec.memory, pids=PIDS),
            port=spec.port,
            hostname=spec.name,
            mounts=tuple(_mount(volume) for volume in spec.volumes),
            log="10m",
            egress=spec.egress,
        )

    async def stop(self, agent_id: UUID, *, grace: float) -> None:
        await self._swarm._call(lambda: self._stop(agent_id, grace))

    def _stop(self, agent_id: UUID, grace: float) -> None:
        task = self._swarm.services.task_of(LABEL, agent_id)
        nodes = self._swarm.known_nodes()
        if task is None:
            return
        if not task.container or not in_reach(task, nodes):
            # It never ran, or its node ends it when it is back: without its service it must.
            self._swarm.services.remove(self._name(agent_id), LABEL, agent_id)
            return
        node = nodes[task.node]
        if self._reality(task, node) is Reality.PAUSED:  # it would not hear the signal
            self._hosts.ask(node, lambda client: client.api.unpause(task.container))
        if grace > 0:
            self._hosts.stop(node, task.container, grace)
        self._hosts.kill(node, task.container)

    async def pause(self, agent_id: UUID) -> None:
        await self._swarm._call(lambda: self._turn(agent_id, Reality.RUNNING, "pause"))

    async def unpause(self, agent_id: UUID) -> None:
        await self._swarm._call(lambda: self._turn(agent_id, Reality.PAUSED, "unpause"))

    def _turn(self, agent_id: UUID, before: Reality, verb: str) -> None:
        """Raises `NodeTrouble`; one that is in no such state is left alone."""
        task = self._swarm.services.task_of(LABEL, agent_id)
        nodes = self._swarm.known_nodes()
        if task is None or not in_reach(task, nodes) or self._reality(task, nodes[task.node]) is not before:
            return
        with contextlib.suppress(NotFound):
            self._hosts.ask(nodes[task.node], lambda client: getattr(client.api, verb)(task.container))

    async def remove(self, agent_id: UUID, *, grace: float = 0.0) -> None:
        def remove() -> None:
            if grace > 0:
                self._stop(agent_id, grace)
            self._swarm.services.remove(self._name(agent_id), LABEL, agent_id)

        await self._swarm._call(remove)

    async def remove_volume(self, team_id: int, name: str) -> None:
        return None  # there are none

    # --- looking --------------------------------------------------------------------------------------

    async def list_deployed(self) -> list[DeployedHandle]:
        return await self._swarm._call(self._list)

    def _list(self) -> list[DeployedHandle]:
        services = self._swarm.services_of(LABEL)
        tasks, nodes = newest(self._swarm.tasks(LABEL)), self._swarm.known_nodes()
        for agent_id, row in services.items():
            if agent_id not in tasks:
                (tasks[agent_id],) = read_tasks([without_task(row)], LABEL)
        mine = [task for agent_id, task in tasks.items() if agent_id in services]
        seen = self._seen({task.node for task in mine if in_reach(task, nodes)}, nodes)
        return [self._handle(task, nodes, seen) for task in mine]

    def _seen(self, refs: Iterable[str], nodes: Mapping[str, SwarmNode]) -> dict[str, Contents]:
        """Containers by id, as their nodes' engines list them; without those of an engine that is silent."""
        wanted = {"label": [f"agentainer.instance={self._swarm._instance}", LABEL]}
        found: dict[str, Contents] = {}
        for ref in refs:
            with contextlib.suppress(NodeTrouble):
                rows = self._hosts.ask(
                    nodes[ref], lambda client: client.api.containers(all=True, filters=wanted)
                )
                found |= {row["Id"]: row for row in rows}
        return found

    def _reality(self, task: SwarmTask, node: SwarmNode | None) -> Reality:
        nodes = {} if node is None else {task.node: node}
        return _reality(task, self._seen(nodes, nodes).get(task.container))

    def _handle(
        self, task: SwarmTask, nodes: Mapping[str, SwarmNode], seen: Mapping[str, Contents]
    ) -> DeployedHandle:
        node = nodes.get(task.node)
        lost = bool(task.node) and not in_reach(task, nodes) and task.state not in ENDED
        reality = Reality.ENDED if lost else _reality(task, seen.get(task.container))
        ended = reality is Reality.ENDED
        inspected = self._inspected(task, node) if ended and not lost else {}
        return DeployedHandle(
            agent_id=task.agent_id,
            ref=task.container[:12] or task.ref[:12],
            address=f"{node.seen.address}:{task.port}" if node is not None and task.port else "",
            node=node.seen.name if node is not None else "",
            reality=reality,
            generation=task.generation,
            exit_code=inspected.get("ExitCode", task.exit_code) if ended and not lost else None,
            out_of_memory=bool(inspected.get("OOMKilled")),
            lost=lost,
        )

    def _inspected(self, task: SwarmTask, node: SwarmNode | None) -> dict[str, Any]:
        """The end of a container, which its engine tells sooner and better than the manager."""
        if node is None or not task.container:
            return {}
        with contextlib.suppress(NotFound, NodeTrouble):
            details = self._hosts.ask(node, lambda client: client.api.inspect_container(task.container))
            return dict(details["State"])
        return {}

    async def events(self) -> AsyncIterator[UUID]:
        async for change in told(self._swarm.watch(LABEL, CHANGES)):
            yield change.agent_id

    # --- looking into one -----------------------------------------------------------------------------

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        def read() -> str:
            task, nodes = self._swarm.services.task_of(LABEL, agent_id), self._swarm.known_nodes()
            if task is None or not in_reach(task, nodes):
                return ""
            if not task.container:
                return task.trouble
            return self._hosts.logs(nodes[task.node], task.container, tail)

        return await self._swarm._call(read)

    async def follow(self, agent_id: UUID, tail: int = 100) -> AsyncIterator[str]:
        there = await self._swarm._call(lambda: self._where(agent_id))
        if there is not None:
            container, connect = there
            async for piece in streamed(
                lambda client: client.api.logs(container, stream=True, follow=True, tail=tail), connect
            ):
                yield bytes(piece).decode("utf-8", "replace")

    async def usage(self, agent_id: UUID) -> AsyncIterator[Usage]:
        there = await self._swarm._call(lambda: self._where(agent_id))
        if there is not None:
            container, connect = there
            async for stats in streamed(
                lambda client: client.api.stats(container, decode=True, stream=True), connect
            ):
                if not stats.get("memory_stats"):
                    return  # it has ended: the engine goes on with zeros
                yield usage_of(stats)

    async def usage_now(self, agent_id: UUID, ref: str) -> Usage | None:
        return await second_of(self.usage(agent_id))

    def _where(self, agent_id: UUID) -> tuple[str, Callable[[], docker.DockerClient]] | None:
        """Its container, and the way to its node's engine; None for one that is out of reach."""
        task, nodes = self._swarm.services.task_of(LABEL, agent_id), self._swarm.known_nodes()
        if task is None or not task.container or not in_reach(task, nodes):
            return None
        return task.container, partial(self._hosts.connect, nodes[task.node], None)


def _reality(task: SwarmTask, seen: Contents | None) -> Reality:
    if task.state in ENDED:
        return Reality.ENDED
    if seen is not None:
        return REALITY.get(seen["State"], Reality.ENDED)
    return Reality.RUNNING if task.runs else Reality.MADE


def _mount(volume: VolumeSpec) -> dict[str, Any]:
    """Raises `NotCapable`."""
    if volume.name is not None:
        raise NotCapable(
            f"On a swarm there are no named volumes ({volume.name}): one would lie on one node, and be lost "
            "with it. Use a directory on storage that all nodes share (AFLOW_VOLUME_DIRS), or a tmpfs."
        )
    if volume.tmpfs is not None:
        return tmpfs(volume.path, volume.tmpfs, read_only=volume.read_only)
    return {"Type": "bind", "Target": volume.path, "Source": volume.host, "ReadOnly": volume.read_only}
