"""Agents on the nodes of a Docker Swarm: one service of one replica for each.

Docker's own cluster manager places them (constraints, reservations, spread), watches the nodes and drains
them. An agent is reached at its node's address, at a port that the node's engine chose. What died is not
started again by the swarm: its service stays until it is removed, so that it is seen.

`DOCKER_HOST` names a manager. See docs/adr/0018-nodes-are-the-engines.md for what nodes must have.
Does not: choose nodes, set up swarms, or pull images.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

import docker
from docker.errors import APIError, NotFound

from pools.domain.nodes import Availability
from pools.runtime.base import AgentDeath, AgentHandle, AgentSpec, Capability, EngineNode, RuntimeFault
from pools.runtime.docker import DockerRuntime
from pools.runtime.swarm_hosts import Hosts, make_network
from pools.runtime.swarm_shapes import (
    ENDED,
    NEVER_RAN,
    SwarmNode,
    SwarmTask,
    endpoint,
    handle_of,
    labels_of,
    read_nodes,
    read_tasks,
    task_template,
)
from pools.runtime.swarm_watch import SwarmWatch

log = logging.getLogger(__name__)

START_SECONDS = 45.0
PLACE_SECONDS = 5.0  # until a swarm that finds no node for an agent is believed
REMOVE_SECONDS = 20.0
TIDY_SECONDS = 6.0


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
            Capability.NO_CAPABILITIES,
            Capability.READ_ONLY_ROOT,
            Capability.LIMITS,
            Capability.ANY_IMAGE,
        }
    )

    def __init__(self, instance: str) -> None:
        super().__init__(instance)
        self.deployed = None  # not on many nodes yet
        settings = {
            "com.docker.network.bridge.enable_icc": "false",
            # Nobody outside knows the way back to an agent's own address.
            "com.docker.network.bridge.enable_ip_masquerade": "false",
        }
        self._config = f"{self.network}-settings"
        self._hosts = Hosts(self._config, {"agentainer.instance": instance}, settings)
        self._networking = threading.Lock()
        self._dead: set[UUID] = set()  # told by a node's engine; the manager hears of it a little later
        self._own = ("", "")
        self._api: tuple[int, ...] = ()

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
            self._api = tuple(int(part) for part in client.api.api_version.split("."))
            self._own = (swarm["NodeID"], os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
        return client

    @property
    def client(self) -> docker.DockerClient:
        return self._client if self._client is not None and self._own[0] else self._connect()

    async def close(self) -> None:
        await super().close()
        self._hosts.close()

    # --- what the manager says ---------------------------------------------------------------------

    def _nodes(self) -> dict[str, SwarmNode]:
        client = self.client
        return {node.seen.ref: node for node in read_nodes(client.api.nodes(), self._own)}

    def _tasks(self, *labels: str, **filters: str) -> list[SwarmTask]:
        wanted = {"label": [f"agentainer.instance={self._instance}", *labels], **filters}
        return read_tasks(self.client.api.tasks(filters=wanted))

    def _tasks_of(self, agent_id: UUID) -> list[SwarmTask]:
        return self._tasks(f"agentainer.agent={agent_id}")

    async def nodes(self) -> list[EngineNode]:
        return [node.seen for node in (await self._call(self._nodes)).values()]

    async def set_availability(self, node: str, wanted: Availability) -> None:
        await self._call(lambda: self._set_availability(node, wanted))

    def _set_availability(self, ref: str, wanted: Availability) -> None:
        until = time.monotonic() + 5
        while True:
            try:
                row = self.client.api.inspect_node(ref)
                if row["Spec"].get("Availability") != wanted.value:
                    spec = {**row["Spec"], "Availability": wanted.value}
                    self.client.api.update_node(ref, row["Version"]["Index"], spec)  # type: ignore[arg-type]
                return
            except NotFound as exc:
                raise RuntimeFault("The node has left the swarm.") from exc
            except APIError as exc:
                # Somebody else wrote the node in between.
                if "out of sequence" not in str(exc) or time.monotonic() > until:
                    raise
                time.sleep(0.05)

    # --- agents come ------------------------------------------------------------------------------------

    def _create(self, spec: AgentSpec) -> AgentHandle:
        """Once more, after what a node refused the agent for was mended."""
        if spec.egress:
            raise RuntimeFault("A swarm's agents are isolated: set the pool's network to isolated.")
        task = self._try_to_create(spec)
        if task.state in NEVER_RAN:
            log.warning("an agent was refused by its node: %s", task.trouble)
            self._remove_agent(spec.agent_id, 0.0)
            self._hosts.forget(task.node)  # its image may have been pruned
            self._renew_network(task.trouble)
            task = self._try_to_create(spec)
        node = self._nodes().get(task.node)
        if task.state in NEVER_RAN:
            where = node.seen.name if node is not None else "which has left"
            raise RuntimeFault(f"Node {where} refused an agent: {task.trouble}.")
        return handle_of(task, node)

    def _try_to_create(self, spec: AgentSpec) -> SwarmTask:
        image = str(self.client.images.get(self._image(spec.image)).id)
        nodes = self._nodes()
        without = self._hosts.prepare(image, _name_of(self.client, image), nodes.values(), self.client)
        open_nodes = {ref for ref, node in nodes.items() if node.takes_agents}
        if not open_nodes:
            raise RuntimeFault("No node can take the agent: all are cordoned, draining or lost.")
        if without >= open_nodes:
            raise RuntimeFault(_nowhere(nodes[ref] for ref in open_nodes))
        template = task_template(
            spec,
            image,
            instance=self._instance,
            network=self._current_network(),
            without=without,
            api=self._api,
        )
        try:
            self.client.api.create_service(
                template,
                name=self._name(spec.agent_id),
                labels=labels_of(spec, self._instance),
                mode={"Replicated": {"Replicas": 1}},
                endpoint_spec=endpoint(),
            )
        except APIError as exc:
            if exc.status_code != 409:
                raise
        return self._until_started(spec.agent_id)

    def _until_started(self, agent_id: UUID) -> SwarmTask:
        began = time.monotonic()
        pause = 0.03
        while True:
            task = _newest(self._tasks_of(agent_id)).get(agent_id)
            if task is not None and ((task.runs and task.port) or task.state in ENDED):
                return task
            waited = time.monotonic() - began
            if task is not None and waited > 2 and task.node and not _in_reach(task, self._nodes()):
                raise RuntimeFault("The node of an agent was lost while it started.")
            if task is not None and task.state == "pending" and task.trouble and waited > PLACE_SECONDS:
                raise RuntimeFault(f"No node can take the agent: {task.trouble}.")
            if waited > START_SECONDS:
                state = f"it is {task.state}" if task is not None else "the swarm made no task for it"
                raise RuntimeFault(f"An agent did not start within {START_SECONDS:g} s: {state}.")
            time.sleep(pause)
            pause = min(0.2, pause * 1.2)

    def _networks(self) -> dict[int, dict[str, Any]]:
        """The agents' networks by their number. Each is every node's own bridge, with the settings that the
        node keeps; the swarm keeps but the name."""
        prefix = f"{self.network}-net-"  # for networks of a swarm the engine's own filter wants whole names
        rows = [row for row in self.client.api.networks() if row["Name"].startswith(prefix)]
        return {int(row["Name"].removeprefix(prefix)): row for row in rows}

    def _current_network(self) -> str:
        with self._networking:  # agents are created side by side
            return f"{self.network}-net-{max(self._networks(), default=None) or self._add_network(1)}"

    def _add_network(self, number: int) -> int:
        body = {"Driver": "bridge", "Scope": "swarm", "ConfigFrom": {"Network": self._config}}
        make_network(self.client, {"Name": f"{self.network}-net-{number}", **body})
        return number

    def _renew_network(self, trouble: str) -> None:
        """An engine that died with agents refuses their network from then on ("network … exists", moby
        #37087), and nothing but another network helps. Those before go when their last agent has gone."""
        if "network" not in trouble or "exists" not in trouble:
            return
        with self._networking:
            known = self._networks()
            newest = max(known, default=0)
            if newest and known[newest]["Id"] not in trouble:
                return  # another agent's creation was faster
            log.warning("a node does not take the agents' network any more; they get a new one")
            self._add_network(newest + 1)
        for number in known:
            with contextlib.suppress(APIError):
                self.client.api.remove_network(f"{self.network}-net-{number}")

    # --- agents go ----------------------------------------------------------------------------------------

    async def remove(self, agent_id: UUID, *, grace: float = 0.0) -> None:
        await self._call(lambda: self._remove_agent(agent_id, grace))

    def _remove_agent(self, agent_id: UUID, grace: float) -> None:
        """What runs on a lost node cannot be ended now. Without its service the node ends it by itself when
        the swarm has it back."""
        if grace > 0:
            self._stop(agent_id, grace)
        with contextlib.suppress(NotFound):
            self.client.api.remove_service(self._name(agent_id))
        until = time.monotonic() + REMOVE_SECONDS
        while True:
            nodes = self._nodes()
            left = [task for task in self._tasks_of(agent_id) if _in_reach(task, nodes)]
            if not left:
                return
            for task in left:
                # The node's engine would do it by itself, but would wait for the agent to end first.
                if task.container and nodes[task.node].engine:
                    self._hosts.end(nodes[task.node], task.container)
            if time.monotonic() > until:
                raise RuntimeFault(
                    f"Node {nodes[left[0].node].seen.name} did not end the agent {agent_id} "
                    f"within {REMOVE_SECONDS:g} s."
                )
            time.sleep(0.05)

    def _stop(self, agent_id: UUID, grace: float) -> None:
        nodes = self._nodes()
        for task in self._tasks_of(agent_id):
            if task.runs and task.container and _in_reach(task, nodes):
                self._hosts.stop(nodes[task.node], task.container, grace)

    async def tidy(self) -> None:
        await self._call(self._tidy)

    def _tidy(self) -> None:
        """The engines let go of a network a little after its last agent. One that stays in use is left."""
        until = time.monotonic() + TIDY_SECONDS
        nodes = [node for node in self._nodes().values() if node.seen.heard and node.engine]
        while time.monotonic() < until:
            for number in self._networks():
                with contextlib.suppress(APIError):
                    self.client.api.remove_network(f"{self.network}-net-{number}")
            if not self._networks():
                nodes = [node for node in nodes if not self._hosts.remove_settings(node)]
                if not nodes:
                    return
            time.sleep(0.1)

    # --- agents that are there ----------------------------------------------------------------------------

    def _list(self) -> list[AgentHandle]:
        """Services too: one whose task the swarm has forgotten would stay for ever."""
        wanted = {"label": f"agentainer.instance={self._instance}"}
        services = {
            UUID(labels["agentainer.agent"]): row
            for row in self.client.api.services(filters=wanted)
            if "agentainer.agent" in (labels := row["Spec"].get("Labels") or {})
        }
        tasks, nodes = _newest(self._tasks()), self._nodes()
        found = []
        for agent_id, service in services.items():
            task = tasks.get(agent_id)
            if task is None:
                task = read_tasks([_without_task(service)])[0]
            handle = handle_of(task, nodes.get(task.node))
            found.append(replace(handle, running=False) if agent_id in self._dead else handle)
        self._dead &= set(services)
        return found

    async def events(self) -> AsyncIterator[AgentDeath]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[AgentDeath] = asyncio.Queue()
        stop = threading.Event()

        def tell(death: AgentDeath) -> None:
            self._dead.add(death.agent_id)
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(queue.put_nowait, death)

        def look() -> dict[str, SwarmNode]:
            return self._in_words(self._nodes)

        def tasks_on(ref: str) -> list[SwarmTask]:
            return self._in_words(lambda: self._tasks(node=ref))

        watch = SwarmWatch(self._instance, self._hosts, look, tasks_on, tell, stop)
        threading.Thread(target=watch.run, name="swarm-events", daemon=True).start()
        try:
            while True:
                yield await queue.get()
        finally:
            stop.set()

    async def memory_of(self, agent_id: UUID, ref: str) -> int | None:
        return None  # a node's engine would have to be asked; its own limit ends an agent that takes too much

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        return await self._call(lambda: self._logs(agent_id, tail))

    def _logs(self, agent_id: UUID, tail: int) -> str:
        task = _newest(self._tasks_of(agent_id)).get(agent_id)
        if task is None:
            return ""
        if not task.container:
            return task.trouble
        nodes = self._nodes()
        return self._hosts.logs(nodes[task.node], task.container, tail) if _in_reach(task, nodes) else ""


def _newest(tasks: Iterable[SwarmTask]) -> dict[UUID, SwarmTask]:
    """There is one for each agent, unless somebody updated its service by hand."""
    return {
        task.agent_id: task for task in sorted(tasks, key=lambda task: task.created_at) if not task.removed
    }


def _in_reach(task: SwarmTask, nodes: dict[str, SwarmNode]) -> bool:
    return task.node in nodes and nodes[task.node].seen.heard


def _without_task(service: dict[str, Any]) -> dict[str, Any]:
    """As a row of a task that has not begun."""
    template, created = service["Spec"]["TaskTemplate"], service["CreatedAt"]
    return {"ID": service["ID"], "Spec": template, "Status": {"State": "new"}, "CreatedAt": created}


def _name_of(client: docker.DockerClient, image: str) -> str:
    """What to save it by, so that it keeps its name on the other nodes."""
    names = client.api.inspect_image(image).get("RepoTags") or []
    return str(names[0]) if names else image


def _nowhere(nodes: Iterable[SwarmNode]) -> str:
    names = ", ".join(sorted(node.seen.name for node in nodes))
    return (
        f"No open node could be given the agents' image and network ({names}): each needs the label "
        "agentainer.engine with its engine's address, and that engine must answer."
    )
