"""What a swarm's manager tells of nodes and agents: its JSON, read. Pure functions.

Shapes: https://docs.docker.com/engine/api/v1.41/ (Service, Task, Node).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from pools.domain.nodes import ENGINE_LABEL, Availability
from pools.runtime.base import AgentHandle, EngineNode

SECOND = 10**9
POOLED = "agentainer.agent"  # the label with the id of a pool's agent
EGRESS = "agentainer.egress"  # the label of whatever agent reaches the outside
NEVER_RAN = frozenset({"rejected", "orphaned"})
ENDED = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})


@dataclass(frozen=True, slots=True)
class SwarmNode:
    """`engine` is the URL of its own engine; empty when nobody told. `hosts`: what the swarm and people call
    the machine by, addresses or names."""

    seen: EngineNode
    engine: str
    hosts: frozenset[str] = frozenset()

    @property
    def takes_agents(self) -> bool:
        return self.seen.takes_agents


@dataclass(frozen=True, slots=True)
class SwarmTask:
    """`node` is a ref. `removed`: its service is gone, only the node has not confirmed it yet."""

    ref: str
    agent_id: UUID
    nonce: str
    node: str
    state: str
    removed: bool
    container: str
    port: int | None
    trouble: str
    created_at: float
    generation: int = 0  # of a deployed agent
    exit_code: int | None = None

    @property
    def runs(self) -> bool:
        return self.state == "running"


def read_nodes(rows: Iterable[Mapping[str, Any]], own: tuple[str, str]) -> list[SwarmNode]:
    """`own`: the manager's ref and the URL that reaches its engine.

    Names are host names; of several with the same one, all but the first carry a piece of their ref.
    """
    nodes: list[SwarmNode] = []
    taken: Counter[str] = Counter()
    # Those that answer first: a machine that was set up anew keeps its name, its predecessor does not.
    for row in sorted(rows, key=lambda row: (row["Status"]["State"] != "ready", row["CreatedAt"])):
        host = row["Description"].get("Hostname") or row["ID"]
        name = host if taken[host] == 0 else f"{host}-{row['ID'][:6]}"
        taken[host] += 1
        nodes.append(_node(row, name, own))
    return nodes


def _node(row: Mapping[str, Any], name: str, own: tuple[str, str]) -> SwarmNode:
    labels = dict(row["Spec"].get("Labels") or {})
    engine = labels.get(ENGINE_LABEL, "").strip() or (own[1] if row["ID"] == own[0] else "")
    address = told = row["Status"].get("Addr", "")
    manages = urlsplit(f"//{row.get('ManagerStatus', {}).get('Addr', '')}").hostname or ""
    if address in ("", "0.0.0.0", "127.0.0.1"):  # what some managers say of themselves
        address = manages or address
    resources = row["Description"].get("Resources", {})
    missing = (
        f"No agent is placed here: the node has no label {ENGINE_LABEL}, so its engine cannot be reached."
    )
    seen = EngineNode(
        ref=row["ID"],
        name=name[:128],
        address=address,
        heard=row["Status"]["State"] not in ("down", "disconnected"),
        availability=Availability(row["Spec"].get("Availability", "active")),
        cpus=round(resources.get("NanoCPUs", 0) / SECOND, 3),
        memory=int(resources.get("MemoryBytes", 0)),
        labels=labels,
        note="" if engine else missing,
        since=datetime.fromtimestamp(moment(row["CreatedAt"]), UTC),
    )
    called = {told, manages, urlsplit(engine).hostname or ""}
    return SwarmNode(seen, engine, frozenset(called - {""}))


def read_tasks(rows: Iterable[Mapping[str, Any]], kind: str = POOLED) -> list[SwarmTask]:
    """Those of one kind of agents: `kind` is the label with their id."""
    return [task for row in rows if (task := _task(row, kind)) is not None]


def newest(tasks: Iterable[SwarmTask]) -> dict[UUID, SwarmTask]:
    """There is one for each agent, unless somebody updated its service by hand, or it was lost and made
    anew."""
    return {
        task.agent_id: task for task in sorted(tasks, key=lambda task: task.created_at) if not task.removed
    }


def without_task(service: Mapping[str, Any]) -> dict[str, Any]:
    """A service as a row of a task that has not begun."""
    template, created = service["Spec"]["TaskTemplate"], service["CreatedAt"]
    return {"ID": service["ID"], "Spec": template, "Status": {"State": "new"}, "CreatedAt": created}


def in_reach(task: SwarmTask, nodes: Mapping[str, SwarmNode]) -> bool:
    return task.node in nodes and nodes[task.node].seen.heard


def _task(row: Mapping[str, Any], kind: str) -> SwarmTask | None:
    labels = row["Spec"].get("ContainerSpec", {}).get("Labels") or {}
    if kind not in labels:
        return None
    status = row["Status"]
    ports = status.get("PortStatus", {}).get("Ports") or []
    return SwarmTask(
        ref=row["ID"],
        agent_id=UUID(labels[kind]),
        generation=int(labels.get("agentainer.generation", 0)),
        nonce=labels.get("agentainer.boot", ""),
        node=row.get("NodeID", ""),
        state=status["State"],
        removed=row.get("DesiredState") == "remove",
        container=status.get("ContainerStatus", {}).get("ContainerID", ""),
        exit_code=status.get("ContainerStatus", {}).get("ExitCode"),
        port=next((int(port["PublishedPort"]) for port in ports if port.get("PublishedPort")), None),
        trouble=status.get("Err", ""),
        created_at=moment(row["CreatedAt"]),
    )


def moment(text: str) -> float:
    """Docker's times, which have nanoseconds, in seconds since 1970."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")


def handle_of(task: SwarmTask, node: SwarmNode | None) -> AgentHandle:
    """A task on a node that is gone from the swarm, or that the manager does not hear of, is lost."""
    lost = bool(task.node) and (node is None or not node.seen.heard)
    address = f"{node.seen.address}:{task.port}" if node is not None and task.port else ""
    return AgentHandle(
        agent_id=task.agent_id,
        ref=task.container[:12] or task.ref[:12],
        address=address,
        node=node.seen.name if node is not None else "",
        running=task.runs and not lost,
        nonce=task.nonce,
        created_at=task.created_at,
        lost=lost and task.state not in ENDED,
    )
