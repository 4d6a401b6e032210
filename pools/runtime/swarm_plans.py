"""What a swarm's manager is told of an agent: its service, in JSON. Pure functions.

Shapes: https://docs.docker.com/engine/api/v1.41/ (Service).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pools.domain.nodes import CAPACITY_LABEL, ZONE_LABEL
from pools.domain.placement import ANYWHERE, Place
from pools.domain.room import RESERVED_CPUS, RESERVED_MEMORY
from pools.runtime.base import AgentSpec, Limits
from pools.runtime.docker import PORT
from pools.runtime.images import USER
from pools.runtime.swarm_shapes import EGRESS, POOLED, SECOND

# When somebody else drains the node. What we remove ourselves was out of work before.
STOP_GRACE = 30
# Engines from 27.0 on (API 1.46) set it for each service; older ones for all of theirs alone (moby #41371).
PRIVILEGES_SINCE = (1, 46)


@dataclass(frozen=True, slots=True)
class Plan:
    """A service to be, without what is known only when it is made: its image's id, its network, and the nodes
    that cannot take it. `kind` is the label with the agent's id, `log` the size of one of its two log files.
    """

    agent_id: UUID
    kind: str
    name: str
    image: str
    env: Mapping[str, str] = field(repr=False)
    labels: Mapping[str, str]
    limits: Limits
    port: int = PORT
    hostname: str = "agent"
    mounts: tuple[Mapping[str, Any], ...] = ()
    place: Place = ANYWHERE
    log: str = "1m"
    egress: bool = False

    def template(
        self, image: str, *, network: str, without: Iterable[str], api: tuple[int, ...]
    ) -> dict[str, Any]:
        """`image` is an id: a name would be looked up in a registry. `without`: refs of nodes that lack the
        image or the network."""
        return {
            "ContainerSpec": self._container(image, api),
            "Resources": self._resources(),
            "RestartPolicy": {"Condition": "none"},  # what died is ours to replace
            "Placement": {"Constraints": self._constraints(without)},
            "Networks": [{"Target": network}],
            "LogDriver": {"Name": "json-file", "Options": {"max-size": self.log, "max-file": "2"}},
        }

    @property
    def all_labels(self) -> dict[str, str]:
        """Of the service, by which the swarm finds its tasks, and of the container."""
        return {**self.labels, **({EGRESS: "yes"} if self.egress else {})}

    def endpoint(self) -> dict[str, Any]:
        """A port of the node itself, which the engine chooses. No virtual address, no ingress mesh in
        between."""
        port = {"TargetPort": self.port, "PublishMode": "host", "Protocol": "tcp"}
        return {"Mode": "dnsrr", "Ports": [port]}

    def _container(self, image: str, api: tuple[int, ...]) -> dict[str, Any]:
        env = {**self.env, "AGENTAINER_PORT": str(self.port), "HOME": "/tmp"}
        container: dict[str, Any] = {
            "Image": image,
            "Hostname": self.hostname,
            "Env": [f"{name}={value}" for name, value in env.items()],
            "Labels": self.all_labels,
            "User": USER,
            "Init": True,
            "ReadOnly": True,
            "CapabilityDrop": ["ALL"],
            "StopGracePeriod": STOP_GRACE * SECOND,
            "Mounts": [tmpfs("/tmp", 64 * 1024**2), *map(dict, self.mounts)],
            "Ulimits": [{"Name": "nofile", "Soft": 4096, "Hard": 4096}],
        }
        if api >= PRIVILEGES_SINCE:
            container["Privileges"] = {"NoNewPrivileges": True}
        return container

    def _resources(self) -> dict[str, Any]:
        return {
            "Limits": {
                "NanoCPUs": int(self.limits.cpu * SECOND),
                "MemoryBytes": self.limits.memory,
                "Pids": self.limits.pids,
            },
            "Reservations": {
                "NanoCPUs": int(min(RESERVED_CPUS, self.limits.cpu) * SECOND),
                "MemoryBytes": min(RESERVED_MEMORY, self.limits.memory),
            },
        }

    def _constraints(self, without: Iterable[str]) -> list[str]:
        found = [f"node.id!={ref}" for ref in sorted(without)]
        if self.place.capacity_type == "spot":
            found.append(f"node.labels.{CAPACITY_LABEL}==spot")
        elif self.place.capacity_type:
            found.append(f"node.labels.{CAPACITY_LABEL}!=spot")  # a node without the label is on demand
        if self.place.zone:
            found.append(f"node.labels.{ZONE_LABEL}=={self.place.zone}")
        return found


def tmpfs(path: str, size: int, *, read_only: bool = False) -> dict[str, Any]:
    """noexec, nosuid and nodev are the engine's own options of such mounts."""
    options = {"SizeBytes": size, "Mode": 0o1777}
    return {"Type": "tmpfs", "Target": path, "TmpfsOptions": options, "ReadOnly": read_only}


def plan_of(spec: AgentSpec, *, instance: str, name: str) -> Plan:
    """Of a pool's agent."""
    return Plan(
        agent_id=spec.agent_id,
        kind=POOLED,
        name=name,
        image=spec.image,
        env=spec.contract_env(),
        labels={
            "agentainer.instance": instance,
            "agentainer.pool": str(spec.pool_id),
            POOLED: str(spec.agent_id),
            "agentainer.boot": spec.nonce,
            "agentainer.epoch": str(spec.epoch),
        },
        limits=spec.limits,
        place=spec.place,
        egress=spec.egress,
    )
