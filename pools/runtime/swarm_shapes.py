"""What a swarm's manager is told of an agent, and what it tells: its JSON, read and written. Pure functions.

Shapes: https://docs.docker.com/engine/api/v1.41/ (Service, Task, Node).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from pools.domain.nodes import CAPACITY_LABEL, ENGINE_LABEL, ZONE_LABEL, Availability
from pools.runtime.base import AgentHandle, AgentSpec, EngineNode
from pools.runtime.docker import PORT
from pools.runtime.images import USER

SECOND = 10**9
# Of an idle agent: what it may use is limited, what it surely needs is set aside.
RESERVED_CPUS = 0.1
RESERVED_MEMORY = 128 * 1024**2
# When somebody else drains the node. What we remove ourselves was out of work before.
STOP_GRACE = 30
# Engines from 27.0 on (API 1.46) set it for each service; older ones for all of theirs alone (moby #41371).
PRIVILEGES_SINCE = (1, 46)
NEVER_RAN = frozenset({"rejected", "orphaned"})
ENDED = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})


@dataclass(frozen=True, slots=True)
class SwarmNode:
    """`engine` is the URL of its own engine; empty when nobody told."""

    seen: EngineNode
    engine: str

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

    @property
    def runs(self) -> bool:
        return self.state == "running"


def labels_of(spec: AgentSpec, instance: str) -> dict[str, str]:
    return {
        "agentainer.instance": instance,
        "agentainer.pool": str(spec.pool_id),
        "agentainer.agent": str(spec.agent_id),
        "agentainer.boot": spec.nonce,
        "agentainer.epoch": str(spec.epoch),
    }


def task_template(
    spec: AgentSpec, image: str, *, instance: str, network: str, without: Iterable[str], api: tuple[int, ...]
) -> dict[str, Any]:
    """`without`: refs of nodes that lack the image or the network."""
    env = {**spec.contract_env(), "AGENTAINER_PORT": str(PORT), "HOME": "/tmp"}
    container: dict[str, Any] = {
        "Image": image,  # by its id: a name would be looked up in a registry
        "Hostname": "agent",
        "Env": [f"{name}={value}" for name, value in env.items()],
        "Labels": labels_of(spec, instance),
        "User": USER,
        "Init": True,
        "ReadOnly": True,
        "CapabilityDrop": ["ALL"],
        "StopGracePeriod": STOP_GRACE * SECOND,
        # noexec, nosuid and nodev are the engine's own options of such mounts.
        "Mounts": [
            {
                "Type": "tmpfs",
                "Target": "/tmp",
                "TmpfsOptions": {"SizeBytes": 64 * 1024**2, "Mode": 0o1777},
            }
        ],
        "Ulimits": [{"Name": "nofile", "Soft": 4096, "Hard": 4096}],
    }
    if api >= PRIVILEGES_SINCE:
        container["Privileges"] = {"NoNewPrivileges": True}
    return {
        "ContainerSpec": container,
        "Resources": {
            "Limits": {
                "NanoCPUs": int(spec.limits.cpu * SECOND),
                "MemoryBytes": spec.limits.memory,
                "Pids": spec.limits.pids,
            },
            "Reservations": {
                "NanoCPUs": int(min(RESERVED_CPUS, spec.limits.cpu) * SECOND),
                "MemoryBytes": min(RESERVED_MEMORY, spec.limits.memory),
            },
        },
        "RestartPolicy": {"Condition": "none"},  # what died is ours to replace
        "Placement": {"Constraints": _constraints(spec, without)},
        "Networks": [{"Target": network}],
        "LogDriver": {"Name": "json-file", "Options": {"max-size": "1m", "max-file": "2"}},
    }


def _constraints(spec: AgentSpec, without: Iterable[str]) -> list[str]:
    found = [f"node.id!={ref}" for ref in sorted(without)]
    if spec.place.capacity_type == "spot":
        found.append(f"node.labels.{CAPACITY_LABEL}==spot")
    elif spec.place.capacity_type:
        found.append(f"node.labels.{CAPACITY_LABEL}!=spot")  # a node without the label is on demand
    if spec.place.zone:
        found.append(f"node.labels.{ZONE_LABEL}=={spec.place.zone}")
    return found


def endpoint() -> dict[str, Any]:
    """A port of the node itself, which the engine chooses. No virtual address, no ingress mesh in between."""
    return {"Mode": "dnsrr", "Ports": [{"TargetPort": PORT, "PublishMode": "host", "Protocol": "tcp"}]}


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
    address = row["Status"].get("Addr", "")
    if address in ("", "0.0.0.0", "127.0.0.1"):  # what some managers say of themselves
        address = urlsplit(f"//{row.get('ManagerStatus', {}).get('Addr', '')}").hostname or address
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
    )
    return SwarmNode(seen, engine)


def read_tasks(rows: Iterable[Mapping[str, Any]]) -> list[SwarmTask]:
    return [task for row in rows if (task := _task(row)) is not None]


def _task(row: Mapping[str, Any]) -> SwarmTask | None:
    labels = row["Spec"].get("ContainerSpec", {}).get("Labels") or {}
    if "agentainer.agent" not in labels:
        return None
    status = row["Status"]
    ports = status.get("PortStatus", {}).get("Ports") or []
    return SwarmTask(
        ref=row["ID"],
        agent_id=UUID(labels["agentainer.agent"]),
        nonce=labels.get("agentainer.boot", ""),
        node=row.get("NodeID", ""),
        state=status["State"],
        removed=row.get("DesiredState") == "remove",
        container=status.get("ContainerStatus", {}).get("ContainerID", ""),
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
