"""Agents as services of one replica: made, waited for, removed, on networks that every node has.

Blocking; for threads alone. Serves pools' agents and deployed ones.
Does not: choose nodes, or list anything.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import docker
from docker.errors import APIError, NotFound

from pools.runtime.base import RuntimeFault
from pools.runtime.swarm_hosts import Hosts, make_network
from pools.runtime.swarm_plans import Plan
from pools.runtime.swarm_shapes import ENDED, NEVER_RAN, SwarmNode, SwarmTask, in_reach, newest

if TYPE_CHECKING:
    from pools.runtime.swarm import SwarmRuntime

log = logging.getLogger(__name__)

START_SECONDS = 45.0
PLACE_SECONDS = 5.0  # until a swarm that finds no node for an agent is believed
REMOVE_SECONDS = 20.0
TIDY_SECONDS = 6.0


class Services:
    """Of one swarm, whose runtime's friend this is. `hosts` are its nodes' engines."""

    def __init__(self, swarm: SwarmRuntime, hosts: Hosts, config: str) -> None:
        self._swarm = swarm
        self._hosts = hosts
        self._config = config
        self._networking = threading.Lock()

    @property
    def _client(self) -> docker.DockerClient:
        return self._swarm.client

    # --- agents come ------------------------------------------------------------------------------------

    def create(self, plan: Plan) -> SwarmTask:
        """Returns once it runs, or has ended. Tried once more after what a node refused it for was mended."""
        task = self._try_to_create(plan)
        if task.state in NEVER_RAN:
            log.warning("an agent was refused by its node: %s", task.trouble)
            self.remove(plan.name, plan.kind, plan.agent_id)
            self._hosts.forget(task.node)  # its image may have been pruned
            self._renew_network(task.trouble)
            task = self._try_to_create(plan)
        if task.state in NEVER_RAN:
            node = self._swarm.known_nodes().get(task.node)
            where = node.seen.name if node is not None else "which has left"
            raise RuntimeFault(f"Node {where} refused an agent: {task.trouble}.")
        return task

    def _try_to_create(self, plan: Plan) -> SwarmTask:
        image = str(self._client.images.get(self._swarm.image_id(plan.image)).id)
        nodes = self._swarm.known_nodes()
        without = self._hosts.prepare(image, _name_of(self._client, image), nodes.values(), self._client)
        open_nodes = {ref for ref, node in nodes.items() if node.takes_agents}
        if not open_nodes:
            raise RuntimeFault("No node can take the agent: all are cordoned, draining or lost.")
        if without >= open_nodes:
            raise RuntimeFault(_nowhere(nodes[ref] for ref in open_nodes))
        try:
            self._client.api.create_service(
                plan.template(
                    image, network=self._current_network(), without=without, api=self._swarm.api_version
                ),
                name=plan.name,
                labels=dict(plan.labels),
                mode={"Replicated": {"Replicas": 1}},
                endpoint_spec=plan.endpoint(),
            )
        except APIError as exc:
            if exc.status_code != 409:
                raise
        return self._until_started(plan.kind, plan.agent_id)

    def _until_started(self, kind: str, agent_id: UUID) -> SwarmTask:
        began = time.monotonic()
        pause = 0.03
        while True:
            task = self.task_of(kind, agent_id)
            if task is not None and ((task.runs and task.port) or task.state in ENDED):
                return task
            waited = time.monotonic() - began
            if (
                task is not None
                and waited > 2
                and task.node
                and not in_reach(task, self._swarm.known_nodes())
            ):
                raise RuntimeFault("The node of an agent was lost while it started.")
            if task is not None and task.state == "pending" and task.trouble and waited > PLACE_SECONDS:
                raise RuntimeFault(f"No node can take the agent: {task.trouble}.")
            if waited > START_SECONDS:
                state = f"it is {task.state}" if task is not None else "the swarm made no task for it"
                raise RuntimeFault(f"An agent did not start within {START_SECONDS:g} s: {state}.")
            time.sleep(pause)
            pause = min(0.2, pause * 1.2)

    def task_of(self, kind: str, agent_id: UUID) -> SwarmTask | None:
        """The agent's newest one."""
        return newest(self._swarm.tasks(kind, f"{kind}={agent_id}")).get(agent_id)

    def _networks(self) -> dict[int, dict[str, Any]]:
        """The agents' networks by their number. Each is every node's own bridge, with the settings that the
        node keeps; the swarm keeps but the name."""
        prefix = (
            f"{self._swarm.network}-net-"  # for networks of a swarm the engine's own filter wants whole names
        )
        rows = [row for row in self._client.api.networks() if row["Name"].startswith(prefix)]
        return {int(row["Name"].removeprefix(prefix)): row for row in rows}

    def _current_network(self) -> str:
        with self._networking:  # agents are created side by side
            return f"{self._swarm.network}-net-{max(self._networks(), default=None) or self._add_network(1)}"

    def _add_network(self, number: int) -> int:
        body = {"Driver": "bridge", "Scope": "swarm", "ConfigFrom": {"Network": self._config}}
        make_network(self._client, {"Name": f"{self._swarm.network}-net-{number}", **body})
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
                self._client.api.remove_network(f"{self._swarm.network}-net-{number}")

    # --- agents go ----------------------------------------------------------------------------------------

    def remove(self, name: str, kind: str, agent_id: UUID) -> None:
        """What runs on a lost node cannot be ended now. Without its service the node ends it by itself when
        the swarm has it back."""
        with contextlib.suppress(NotFound):
            self._client.api.remove_service(name)
        until = time.monotonic() + REMOVE_SECONDS
        while True:
            nodes = self._swarm.known_nodes()
            left = [task for task in self._swarm.tasks(kind, f"{kind}={agent_id}") if in_reach(task, nodes)]
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

    def tell_to_leave(self, kind: str, agent_id: UUID, grace: float) -> None:
        """Waits for it, up to `grace` seconds."""
        nodes = self._swarm.known_nodes()
        for task in self._swarm.tasks(kind, f"{kind}={agent_id}"):
            if task.runs and task.container and in_reach(task, nodes):
                self._hosts.stop(nodes[task.node], task.container, grace)

    def tidy(self) -> None:
        """The engines let go of a network a little after its last agent. One that stays in use is left."""
        until = time.monotonic() + TIDY_SECONDS
        nodes = [node for node in self._swarm.known_nodes().values() if node.seen.heard and node.engine]
        while time.monotonic() < until:
            for number in self._networks():
                with contextlib.suppress(APIError):
                    self._client.api.remove_network(f"{self._swarm.network}-net-{number}")
            if not self._networks():
                nodes = [node for node in nodes if not self._hosts.remove_settings(node)]
                if not nodes:
                    return
            time.sleep(0.1)


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
