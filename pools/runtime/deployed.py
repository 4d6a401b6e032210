"""The port to deployed agents: those that people start, stop and pause by hand, beside the pools' own.

Promises of every runtime that has this port (the contract suite holds each to what it declares):
- What is made here is not among `Runtime.list_agents`, nor the other way round: labels tell kinds apart.
- `start`, `stop`, `pause`, `unpause` and `remove` are idempotent: what is so already is left alone. `stop`
  and `remove` of the unknown do nothing. `start` takes up the container that is there, of any generation.
- A named volume belongs to a team, is made when it is first used, can be written by the agent, and stays when
  the agent goes (where it declares them).
- One on a node that is lost has ended; `start` places it elsewhere.
- `events` tells of each change of a container's state once or more, within a second.
- No call blocks the loop. Failures are `RuntimeFault`s with a sentence for people.

Does not: decide anything, restart what died, or keep records (labels are the record).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from pools.domain.deployments import Reality
from pools.runtime.base import Runtime, RuntimeFault


class Capability(StrEnum):
    """What a runtime can do for a deployed agent beyond making, starting and ending it."""

    IMAGES = "images"  # images other than the built-in one
    PAUSE = "pause"
    USAGE = "usage"
    FOLLOW = "follow"  # the log as it is written
    LIMITS = "limits"  # holds CPU and memory to what was asked
    VOLUMES = "volumes"  # named ones, and others


SPAN = 0.1  # seconds, of which the share of a CPU is told


class NotCapable(RuntimeFault):
    """This runtime cannot do it; the sentence says which can."""


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """Exactly one of `name`, `tmpfs` (bytes) and `host`."""

    path: str
    name: str | None = None
    tmpfs: int | None = None
    host: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class DeploySpec:
    """`env` has the values of secrets in it, and is not kept."""

    agent_id: UUID
    team_id: int
    name: str
    image: str
    generation: int
    token: str
    port: int = 8000
    cpu: float = 1.0
    memory: int = 512 * 1024**2  # bytes
    volumes: tuple[VolumeSpec, ...] = ()
    egress: bool = False
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    control_url: str = ""

    @property
    def nonce(self) -> str:
        """What tells containers of one agent apart."""
        return str(self.generation)

    def contract_env(self) -> dict[str, str]:
        return {
            **self.env,
            "AGENTAINER_AGENT_ID": str(self.agent_id),
            "AGENTAINER_POOL": "",
            "AGENTAINER_URL": self.control_url,
            "AGENTAINER_TOKEN": self.token,
        }


@dataclass(frozen=True, slots=True)
class DeployedHandle:
    """`address` is empty while nothing listens; `exit_code` and `out_of_memory` tell of one that ended.
    `lost`: it counts as ended because its node is out of reach; it may run there."""

    agent_id: UUID
    ref: str
    address: str
    node: str
    reality: Reality
    generation: int
    exit_code: int | None = None
    out_of_memory: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """At one moment. `cpu` is in CPUs (1.0: one of them is busy); None at the first of a series.
    `cpu_seconds` is all that it used since its start. Bytes."""

    at: datetime
    cpu: float | None
    memory: int
    memory_limit: int | None
    received: int | None  # by the network, since the start; None where it is not counted
    sent: int | None
    processes: int | None = None
    cpu_seconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "at": self.at.isoformat(),
            "cpu": None if self.cpu is None else round(self.cpu, 4),
            "memory": self.memory,
            "memory_limit": self.memory_limit,
            "received": self.received,
            "sent": self.sent,
            "processes": self.processes,
            "cpu_seconds": None if self.cpu_seconds is None else round(self.cpu_seconds, 3),
        }


class DeployedAgents(Protocol):
    capabilities: frozenset[Capability]

    async def start(self, spec: DeploySpec) -> DeployedHandle:
        """Makes its container when there is none; it runs now, or ended at once. Raises `ImageMissing`,
        `NotCapable`."""

    async def stop(self, agent_id: UUID, *, grace: float) -> None:
        """Gives it `grace` seconds to finish. A paused one is thawed first."""

    async def pause(self, agent_id: UUID) -> None:
        """Freezes it as it is. Raises `NotCapable`."""

    async def unpause(self, agent_id: UUID) -> None: ...

    async def remove(self, agent_id: UUID, *, grace: float = 0.0) -> None: ...

    async def list_deployed(self) -> list[DeployedHandle]: ...

    def events(self) -> AsyncIterator[UUID]:
        """The agents whose container changed its state."""

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        """The last lines; empty for an unknown agent."""

    def follow(self, agent_id: UUID, tail: int = 100) -> AsyncIterator[str]:
        """The last lines, then what is written from now on; ends when the agent does. Pieces of text."""

    def usage(self, agent_id: UUID) -> AsyncIterator[Usage]:
        """About once a second, until the agent ends. Raises `NotCapable`."""

    async def usage_now(self, agent_id: UUID, ref: str) -> Usage | None:
        """Of the container of that `DeployedHandle.ref`, with its share of a CPU; None when it does not run.
        Takes `SPAN` where this machine runs it, else a second. Raises `NotCapable`."""

    async def remove_volume(self, team_id: int, name: str) -> None:
        """One that is in use stays."""


def deployed_agents_of(runtime: Runtime) -> DeployedAgents:
    """Raises `NotCapable`."""
    found: DeployedAgents | None = getattr(runtime, "deployed", None)
    if found is None:
        raise NotCapable(
            f"The runtime {runtime.name} does not run deployed agents; docker, swarm and process do."
        )
    return found


async def second_of(series: AsyncIterator[Usage]) -> Usage | None:
    """The first of a series that tells the share of a CPU, and no more of it; None when it ended before."""
    async with contextlib.aclosing(series) as readings:  # type: ignore[type-var]
        last = None
        async for last in readings:
            if last.cpu is not None:
                break
        return last
