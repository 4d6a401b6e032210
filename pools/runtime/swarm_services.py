"""Agents as services of one replica: made, waited for, removed.

Blocking; for threads alone. Serves pools' agents and deployed ones.
Does not: choose nodes, or list anything.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING
from uuid import UUID

import docker
from docker.errors import APIError, NotFound

from pools.runtime.base import RuntimeFault
from pools.runtime.swarm_guards import Guards
from pools.runtime.swarm_hosts import Hosts, name_of
from pools.runtime.swarm_networks import AgentNetworks
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

    def __init__(
        self,
        swarm: SwarmRuntime,
        hosts: Hosts,
        guards: Guards,
        isolated: AgentNetworks,
        outside: AgentNetworks,
    ) -> None:
        self._swarm = swarm
        self._hosts = hosts
        self._guards = guards
        self._isolated = isolated
        self._outside = outside

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
            self._hosts.forget(task.node)  # its image may have been pruned, or its network's settings
            self._guards.recheck(task.node)
            self._networks_of(plan).renew(task.trouble)
            task = self._try_to_create(plan)
        if task.state in NEVER_RAN:
            node = self._swarm.known_nodes().get(task.node)
            where = node.seen.name if node is not None else "which has left"
            raise RuntimeFault(f"Node {where} refused an agent: {task.trouble}.")
        return task

    def _networks_of(self, plan: Plan) -> AgentNetworks:
        return self._outside if plan.egress else self._isolated

    def _try_to_create(self, plan: Plan) -> SwarmTask:
        image = str(self._client.images.get(self._swarm.image_id(plan.image)).id)
        network = self._networks_of(plan).current()
        nodes = self._swarm.known_nodes()
        open_nodes = {ref: node for ref, node in nodes.items() if node.takes_agents}
        if not open_nodes:
            raise RuntimeFault("No node can take the agent: all are cordoned, draining or lost.")
        closed = self._guards.closed(nodes, egress=plan.egress)
        rest = [node for ref, node in nodes.items() if ref not in closed]
        lacking = self._hosts.prepare(image, name_of(self._client, image), rest, self._client)
        without = lacking | set(closed)
        if without >= set(open_nodes):
            raise RuntimeFault(_nowhere(open_nodes, lacking, closed))
        try:
            self._client.api.create_service(
                plan.template(image, network=network, without=without, api=self._swarm.api_version),
                name=plan.name,
                labels=plan.all_labels,
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
        guarded = self._guards.lift(nodes)
        left = [(node, self._isolated.config) for node in nodes]
        left += [(node, self._outside.config) for node in nodes if node.seen.ref not in guarded]
        while time.monotonic() < until:
            if self._isolated.remove() and self._outside.remove():
                left = [one for one in left if not self._hosts.remove_settings(*one)]
                if not left:
                    return
            time.sleep(0.1)


def _nowhere(nodes: Mapping[str, SwarmNode], lacking: Collection[str], closed: Mapping[str, str]) -> str:
    """Why none of these nodes takes the agent."""
    reasons = sorted({why for ref, why in closed.items() if ref in nodes})
    if lacking:
        names = ", ".join(sorted(node.seen.name for ref, node in nodes.items() if ref in lacking))
        reasons.append(
            f"No open node could be given the agents' image and network ({names}): each needs the label "
            "agentainer.engine with its engine's address, and that engine must answer."
        )
    return " ".join(reasons)
