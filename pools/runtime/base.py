"""The port to whatever runs agents, with its promises; the contract suite holds every runtime to them.

Promises of every runtime:
- `create` is idempotent by agent id: called twice, one agent exists. It returns when the agent was started,
  which is before its /health answers.
- `remove` is idempotent, ends whatever the agent runs, and returns when nothing of it is left.
- `list_agents` tells every agent of this installation, running or dead, and no other's.
- `events` tells each death of an agent once or more, within a second of it.
- No call blocks the loop. Failures are `RuntimeFault`s with a sentence for people.

Does not: decide when to create or remove, check health, or know pools.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

# The image of agents that run `code` and `handler` steps; runtimes build or provide it themselves.
BUILT_IN_IMAGE = "agentainer/python-agent"


class RuntimeFault(Exception):
    """The text is one sentence that says what is wrong and how to mend it."""


class ImageMissing(RuntimeFault):
    pass


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
    reaches the outside, too."""

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
    """`ref` is the runtime's own name for the agent; `created_at` in seconds since 1970."""

    agent_id: UUID
    ref: str
    address: str
    node: str
    running: bool
    nonce: str
    created_at: float


@dataclass(frozen=True, slots=True)
class AgentDeath:
    agent_id: UUID
    out_of_memory: bool = False


class Runtime(Protocol):
    name: str
    isolates: bool  # whether agents are kept from each other and from the machine

    async def start(self) -> None: ...

    async def close(self) -> None:
        """Lets go of the engine; agents live on (those of `memory` cannot)."""

    async def ping(self) -> None:
        """Raises `EngineAway`."""

    async def ensure_image(self, image: str) -> str:
        """The exact reference to run. Raises `ImageMissing`."""

    async def create(self, spec: AgentSpec) -> AgentHandle: ...

    async def remove(self, agent_id: UUID, *, grace: float = 0.0) -> None:
        """Gives the agent `grace` seconds to finish, then ends it."""

    async def list_agents(self) -> list[AgentHandle]: ...

    def events(self) -> AsyncIterator[AgentDeath]: ...

    async def tidy(self) -> None:
        """After the last agent of this installation: what was made for all of them goes too."""

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        """The last lines of what the agent wrote; empty for an unknown agent."""
