"""The port to whatever runs agents, with its promises; the contract suite holds every runtime to them.

Promises of every runtime:
- `create` is idempotent by agent id: called twice, one agent exists. It returns when the agent was started,
  which is before its /health answers.
- `remove` is idempotent, ends whatever the agent runs, and returns when nothing of it is left.
- `list_agents` tells every agent of this installation, running or dead, and no other's.
- `events` tells each death of an agent once or more, within a second of it.
- No call blocks the loop. Failures are `RuntimeFault`s with a sentence for people.
- `can` says what else it promises (`Capability`); the contract suite holds it to that.

Does not: decide when to create or remove, check health, know pools, or choose between nodes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from pools.domain import settings
from pools.domain.nodes import Availability, facts_of
from pools.domain.placement import ANYWHERE, Place, refusal

ONE_MACHINE = "Machines join a swarm alone: set AFLOW_RUNTIME=swarm."
BUILT_IN_IMAGE = settings.BUILT_IN_IMAGE


class Capability(StrEnum):
    OUTLIVES = "outlives"  # agents live on when the process that made them ends
    CORDONS = "cordons"  # nodes can be cordoned and drained
    GROWS = "grows"  # machines join it as nodes, and leave
    NO_CAPABILITIES = "no_capabilities"  # agents run without any right of root
    NO_NEW_PRIVILEGES = "no_new_privileges"  # and cannot get one; else the engine's own setting decides
    READ_ONLY_ROOT = "read_only_root"
    LIMITS = "limits"  # of memory, processors and processes
    CLOSED_NETWORK = "closed_network"  # neither other agents nor the outside are in reach
    BUNDLES = "bundles"  # its built-in agents run functions out of uploaded bundles
    DEPLOYS = "deploys"  # agents outside of pools, too (`pools.runtime.deployed`)
    MEASURES = "measures"  # it tells how much memory and CPU an agent uses
    ANY_IMAGE = "any_image"  # commands run in images that know nothing of agents
    REQUIREMENTS = "requirements"  # packages are installed into its built-in agents' image


class RuntimeFault(Exception):
    """The text is one sentence that says what is wrong and how to mend it."""


class ImageMissing(RuntimeFault):
    pass


class NotInstalled(RuntimeFault):
    """The requirements were refused, after whatever may pass by itself was tried again."""


class NotSupported(RuntimeFault):
    """This runtime cannot do it, now or ever."""


class EngineAway(RuntimeFault):
    """The container engine does not answer; nothing is known about its agents."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an agent may use at most: cores, bytes, processes."""

    cpu: float = 1.0
    memory: int = 512 * 1024**2
    pids: int = 256


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """`env` is added to the contract's own variables; `token` is good for this agent only. `egress`: it
    reaches the outside, too. `place` is where it may run."""

    agent_id: UUID
    pool_id: UUID
    pool_name: str
    image: str
    nonce: str
    epoch: int
    token: str
    control_url: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    egress: bool = False
    place: Place = ANYWHERE

    def contract_env(self) -> dict[str, str]:
        return {
            **self.env,
            "AGENTAINER_AGENT_ID": str(self.agent_id),
            "AGENTAINER_POOL": self.pool_name,
            "AGENTAINER_URL": self.control_url,
            "AGENTAINER_TOKEN": self.token,
        }


@dataclass(frozen=True, slots=True)
class AgentHandle:
    """`ref` is the runtime's own name for the agent; `created_at` in seconds since 1970.

    `node` is the name of an `EngineNode`. `lost`: that node is, so the agent may run there, out of reach.
    """

    agent_id: UUID
    ref: str
    address: str
    node: str
    running: bool
    nonce: str
    created_at: float
    lost: bool = False


@dataclass(frozen=True, slots=True)
class AgentUse:
    """`memory` in bytes, without file cache that could go; `cpu_seconds` since its start (None: not told)."""

    memory: int
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AgentDeath:
    agent_id: UUID
    out_of_memory: bool = False
    node_lost: bool = False


@dataclass(frozen=True, slots=True)
class EngineNode:
    """A machine as its engine sees it. `ref` is the engine's own id; names differ within one engine.

    `memory` in bytes; `note` says in a sentence why no agent is placed here, where that is so; `since` is
    when the engine first knew it, where it tells that.
    """

    ref: str
    name: str
    address: str
    heard: bool  # the engine hears of it
    availability: Availability
    cpus: float
    memory: int
    labels: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    since: datetime | None = None

    @property
    def takes_agents(self) -> bool:
        return self.heard and self.availability is Availability.ACTIVE


@dataclass(frozen=True, slots=True)
class Invitation:
    """`address` is where a machine joins (host:port), `token` the secret that lets it."""

    address: str
    token: str = field(repr=False)


class Runtime(Protocol):
    name: str
    isolates: bool  # whether agents are kept from each other and from the machine
    can: frozenset[Capability]

    async def start(self) -> None: ...

    async def close(self) -> None:
        """Lets go of the engine; agents live on (those of `memory` cannot)."""

    async def ping(self) -> None:
        """Raises `EngineAway`."""

    async def ensure_image(
        self, image: str, *, commands: bool = False, requirements: Sequence[str] = ()
    ) -> str:
        """The exact reference to run. With `commands` it is one like the image in which the built-in agent
        serves, and takes commands. With `requirements` (canonical; of the built-in image alone) it has these
        packages: made once, which may take minutes. Raises `ImageMissing`, `NotSupported` where `can` lacks
        `REQUIREMENTS`, and `NotInstalled` with the installer's last words."""

    async def create(self, spec: AgentSpec) -> AgentHandle:
        """Raises `RuntimeFault`, where no node is as the agent wants it, too."""

    async def remove(self, agent_id: UUID, *, grace: float = 0.0) -> None:
        """Gives the agent `grace` seconds to finish, then ends it."""

    async def list_agents(self) -> list[AgentHandle]: ...

    def events(self) -> AsyncIterator[AgentDeath]: ...

    async def nodes(self) -> list[EngineNode]:
        """Every machine of the engine, at least one."""

    async def set_availability(self, node: str, wanted: Availability) -> None:
        """`node` is a ref. Raises `NotSupported` where `can` lacks `CORDONS`, `RuntimeFault` if it left."""

    async def invite(self) -> Invitation:
        """What a machine needs to join. Raises `NotSupported` where `can` lacks `GROWS`."""

    async def label_node(self, node: str, labels: Mapping[str, str]) -> None:
        """Sets these labels, and leaves the others. `node` is a ref. Raises as `invite`, `RuntimeFault`."""

    async def forget_node(self, node: str) -> None:
        """Of a machine that is gone; unknown ones are no fault. `node` is a ref. Raises as `invite`."""

    async def prune_images(self, requirements: Collection[tuple[str, ...]]) -> None:
        """Removes what was made of this installation's lists of requirements, save for those that are named
        (canonical). What an agent runs on stays where it runs."""

    async def upkeep(self) -> None:
        """Called every few seconds: brings up to date what agents need beside themselves."""

    async def tidy(self) -> None:
        """After the last agent of this installation: what was made for all of them goes too."""

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        """The last lines of what the agent wrote; empty for an unknown agent."""

    async def use_of(self, agent_id: UUID, ref: str) -> AgentUse | None:
        """What the agent of that `AgentHandle.ref` uses; None when it cannot be told."""


class OneMachine:
    """For engines that no other machine joins."""

    async def invite(self) -> Invitation:
        raise NotSupported(ONE_MACHINE)

    async def label_node(self, node: str, labels: Mapping[str, str]) -> None:
        raise NotSupported(ONE_MACHINE)

    async def forget_node(self, node: str) -> None:
        raise NotSupported(ONE_MACHINE)

    async def prune_images(self, requirements: Collection[tuple[str, ...]]) -> None:
        """Those without containers make none."""

    async def upkeep(self) -> None:
        """There is nothing that changes beside agents."""


def check_place(place: Place, node: EngineNode) -> None:
    """For engines of one node. Raises `RuntimeFault`."""
    why = refusal(place, [(node.name, facts_of(node.labels))])
    if why is not None:
        raise RuntimeFault(why)
