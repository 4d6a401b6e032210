"""The lease scripts: their text, their names, and the shapes of their answers.

Every change of a lease is one script, so it happens whole or not at all, by the clock of the Redis server.
The scripts build their keys from a prefix, hence need one Redis (with replicas), not a Redis Cluster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from uuid import UUID

NAMES = (
    "acquire",
    "withdraw",
    "release",
    "park",
    "resume",
    "reclaim",
    "take_back",
    "heartbeat",
    "sweep",
    "register",
    "remove",
    "drain",
    "retire_idle",
    "put_pool",
    "wake_at",
    "drop_pool",
    "figures",
    "agents",
    "begin_epoch",
    "lead",
)


# Bodies that may wait in one agent: each is a process, and all of them share the agent's memory.
MOST_PARKED = 16
CLOCK = "clock.lua"
COMMON = ("common.lua", "serving.lua", "queue.lua")


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    text: bytes
    sha: bytes


@cache
def load(clock: str | None = None) -> dict[str, Script]:
    """All scripts by name, each with the common parts in front of it.

    `clock`: another clock than the server's, for tests: Lua that sets `now`.
    """
    folder = files(__package__) / "lua"
    common = "\n".join(
        [
            clock or (folder / CLOCK).read_text(),
            f"local MOST_PARKED = {MOST_PARKED}",
            *((folder / part).read_text() for part in COMMON),
        ]
    )
    scripts = {}
    for name in NAMES:
        text = f"{common}\n{(folder / (name + '.lua')).read_text()}".encode()
        sha = hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
        scripts[name] = Script(name, text, sha)
    return scripts


@dataclass(frozen=True, slots=True)
class Grant:
    """A lease as Redis tells it. Times in milliseconds; `expires_ms` and `now_ms` by the server's clock."""

    token: str
    agent_id: UUID
    address: str
    boot: str
    nonce: str
    fence: int
    expires_ms: int
    uses_left: int
    wait_ms: int
    idle_ms: int
    now_ms: int

    @classmethod
    def parse(cls, text: bytes) -> Grant:
        token, agent, address, boot, nonce, *numbers = text.decode().split("|")
        return cls(token, UUID(agent), address, boot, nonce, *map(int, numbers))


@dataclass(frozen=True, slots=True)
class Answer:
    """What an acquire or a withdrawal came to. `outcome`: granted, waiting, timeout, full, no_epoch,
    unknown, no_pool, withdrawn, returned, none."""

    outcome: str
    grant: Grant | None = None

    @classmethod
    def parse(cls, reply: list[bytes]) -> Answer:
        return cls(reply[0].decode(), Grant.parse(reply[1]) if len(reply) > 1 else None)


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """A pool as Redis sees it. `version` changes whenever another figure may have, save the last three; -1 =
    unknown to Redis.

    Counters since Redis knows the pool: `asked` acquires that got a lease or a place in the queue, `ended`
    leases, which were held for `held_ms` together, and `used` requests that those sent. `oldest_ms`: how long
    the first in line has waited; `wake_at`, `expected`, `spares`: see
    `AsyncLeases.wake_at`."""

    version: int = -1
    idle: int = 0
    leases: int = 0
    waiting: int = 0
    agents: int = 0
    condemned: int = 0
    wait_ms: int = 0
    wait_count: int = 0
    asked: int = 0
    ended: int = 0
    held_ms: int = 0
    oldest_ms: int = 0
    used: int = 0
    wake_at: int = 0
    expected: int = 0
    spares: int = 0


@dataclass(frozen=True, slots=True)
class ServingAgent:
    """An agent as Redis sees it. `state`: idle, leased, draining (leased, its last), condemned. `leases`: how
    many it has, of which `parked` ones run nothing; `promised`: requests that it has served or its leases may
    send; `tenant`: the team it served last ("" for none); `born_ms` by the server's clock; `held_ms`: what
    its leases that ended took together."""

    id: UUID
    pool_id: UUID
    state: str
    uses: int
    last_used_ms: int
    boot: str
    drain: str
    leases: int
    tenant: str
    born_ms: int
    parked: int = 0
    promised: int = 0
    held_ms: int = 0

    @classmethod
    def parse_all(cls, reply: Iterable[bytes]) -> list[ServingAgent]:
        found = []
        for text in reply:
            agent, pool, state, uses, used, boot, drain, leases, tenant, *more = text.decode().split("|")
            born, parked, reserved, held = map(int, more)
            found.append(
                cls(
                    UUID(agent),
                    UUID(pool),
                    state,
                    int(uses),
                    int(used or 0),
                    boot,
                    drain,
                    int(leases),
                    tenant,
                    born,
                    parked,
                    int(uses) + reserved,
                    held,
                )
            )
        return found


@dataclass(frozen=True, slots=True)
class Keys:
    """The few keys that are read outside scripts; the rest is in `lua/common.lua`."""

    prefix: str

    @property
    def nudge(self) -> str:
        return f"{self.prefix}:nudge"

    @property
    def epoch(self) -> str:
        return f"{self.prefix}:epoch"

    @property
    def fence(self) -> str:
        return f"{self.prefix}:fence"

    @property
    def stream(self) -> str:
        return f"{self.prefix}:stream"

    def client(self, client: str) -> str:
        return f"{self.prefix}:client:{client}"

    def agent(self, agent_id: UUID) -> str:
        return self.agent_of(str(agent_id))

    def agent_of(self, agent_id: str) -> str:
        return f"{self.prefix}:agent:{agent_id}"

    def lease(self, token: str) -> str:
        return f"{self.prefix}:lease:{token}"

    def interrupted(self, agent_id: UUID) -> str:
        return f"{self.prefix}:interrupted:{agent_id}"

    def startup(self, mode: str) -> str:
        return f"{self.prefix}:startup:{mode}"

    def pool_hash(self, pool_id: UUID) -> str:
        return f"{self.prefix}:pool:{pool_id}"

    def pool(self, pool_id: UUID, part: str) -> str:
        return f"{self.prefix}:pool:{pool_id}:{part}"


def wait_of(entry: bytes) -> tuple[int, int]:
    """How long somebody waited for a lease, and when that ended, in milliseconds (0: written before ends
    were)."""
    wait, _, at = entry.partition(b":")
    return int(wait), int(at or 0)


def prefix_of(instance: str) -> str:
    """Two installations may share one Redis."""
    return f"aflow:{instance}:pools"
