"""What crosses the border of `pools`: frozen dataclasses, never ORM rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from aflow_site.kernel.errors import FlowError, Overloaded
from aflow_site.kernel.spool import Spool
from pools.domain.settings import BUILT_IN_IMAGE


class LeaseOutcome(StrEnum):
    """How a lease ended: `ok` and `error` keep the agent, `poison` destroys and replaces it."""

    OK = "ok"
    ERROR = "error"
    POISON = "poison"


@dataclass(frozen=True, slots=True)
class AgentKind:
    """What serves in an agent: the built-in Python agent (`image` None), an image that speaks the agent
    contract by itself, or with `commands` the built-in agent laid on any other image, whose programs it runs.
    `requirements`: packages that the built-in one has, in their canonical form.
    """

    image: str | None = None
    commands: bool = False
    requirements: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.requirements:
            return f"the built-in Python agent with {', '.join(self.requirements)}"
        if self.image is None:
            return "the built-in Python agent"
        return f"{self.image} for commands" if self.commands else self.image


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """What a workflow document or a person asks of a pool; `None` keeps the pool's (or the default) value.

    Times in seconds. `image` is an image reference, or `None` for the built-in Python agent.
    """

    name: str
    image: str | None = None
    commands: bool | None = None  # the image need not speak the agent contract: it gets an agent for commands
    requirements: Sequence[str] | None = None  # packages that the built-in agent's image gets (PEP 508)
    min_size: int | None = None
    max_size: int | None = None
    warm_up: bool | None = None
    max_uses: int | None = None
    idle_timeout: float | None = None
    preset: str | None = None  # aggressive | balanced | performance: sets what is not set by itself
    concurrency: int | None = None
    max_age: float | None = None
    memory_threshold: float | None = None
    error_threshold: int | None = None
    health_check_interval: float | None = None
    graceful_shutdown: float | None = None
    assignment: str | None = None
    scale_down_order: str | None = None
    cpu: float | None = None
    memory: int | None = None
    pids: int | None = None
    env: Mapping[str, str] | None = None
    secrets: Sequence[str] | None = None  # names; their values go into the environment
    network: str | None = None
    isolation: str | None = None
    capacity_type: str | None = None  # any | on_demand | spot
    zone: str | None = None  # empty: any
    price: float | None = None  # of an agent-hour
    weight: float | None = None  # of the owner's turns, where teams share the pool
    shares: Mapping[str, float] | None = None  # slugs of the teams that may lease too -> their weights


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool as seen from outside: its limits, and its figures at this moment."""

    id: UUID
    team_id: int
    team: str  # its slug
    name: str
    image: str
    min_size: int
    max_size: int
    warm_up: bool
    max_uses: int
    idle_timeout: float
    states: Mapping[str, int]  # starting, idle, active, draining, unhealthy -> number of agents
    utilization: float  # active / (idle + active), 0.0 when there is none
    waiting: int  # acquires in the queue
    leases: int  # live leases
    target_size: int
    waiting_since: datetime | None = None  # of the first in the queue
    wait_estimate: float | None = None  # seconds that whoever asks now will wait, where that is known
    standby: int = 0  # agents beyond the target, ready for others whose uses may be up soon
    wait_p50_ms: float | None = None
    wait_p99_ms: float | None = None
    problem: str | None = None  # one sentence when agents cannot be made
    problem_kind: str | None = None  # engine_away | placement | creation | crash_loop
    workflow: str | None = None  # whose document made it; None for pools made by people
    settings: Mapping[str, Any] = field(default_factory=dict)  # all of them, by name
    preset: str | None = None  # whose values it has, if they are one's
    price: float | None = None  # of an agent-hour, in the installation's currency
    rate: Decimal = Decimal(0)  # what an agent-hour costs now: its price, or else by its nodes
    drained: bool = False  # nobody gets a lease until it is resumed
    weight: float = 1.0  # of the owner's turns, where teams share the pool
    shares: Mapping[str, float] = field(default_factory=dict)  # other teams' slugs -> their weights

    @property
    def kind(self) -> AgentKind:
        """What serves in its agents."""
        return AgentKind(self.image, self.settings["commands"], tuple(self.settings["requirements"]))

    def serves(self, kind: AgentKind) -> bool:
        """Whether its agents are of that kind; they may have more packages."""
        own = self.kind
        same = (own.image, own.commands) == (kind.image or BUILT_IN_IMAGE, kind.commands)
        return same and set(kind.requirements) <= set(own.requirements)


@dataclass(frozen=True, slots=True)
class AgentView:
    id: UUID
    pool: str
    pool_id: UUID | None  # None once the pool is gone
    team_id: int
    state: str  # starting | idle | active | draining | unhealthy | terminated
    health: str  # ok | unknown | failing
    uses: int
    last_used: datetime | None
    container: str
    node: str
    started_at: datetime
    ended_at: datetime | None
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class NodeView:
    """A machine of the container engine. `memory` in bytes, `price` per hour (None: not known)."""

    name: str
    address: str
    state: str  # ready | cordoned | draining | lost
    cpus: float
    memory: int
    price: Decimal | None
    capacity_type: str  # on_demand | spot
    zone: str
    agents: int  # live ones of all teams, deployed ones too
    note: str  # what is wrong with it, in sentences; empty when nothing is
    changed_at: datetime  # when its state last changed
    on_demand_price: Decimal | None = None  # of such a machine on demand, per hour
    leave_by: datetime | None = None  # its cloud takes it away then
    idle_price: Decimal | None = None  # per hour, for the part of it that no agent has; None: not known


@dataclass(frozen=True, slots=True)
class PoolLoad:
    """The signals from which a pool's size is decided. `asked`, `ended`, `held_seconds` are counters that
    only rise, until Redis loses its memory: acquires, leases that ended, and how long those were held
    together."""

    pool_id: UUID
    team_id: int
    name: str
    workflow: str | None
    min_size: int
    max_size: int
    warm_up: bool
    idle_timeout: float  # seconds
    concurrency: int  # leases at once on one agent
    starting: int  # agents
    idle: int
    active: int
    leaving: int  # on their way out
    leases: int
    waiting: int
    oldest_wait: float  # seconds
    asked: int
    ended: int
    held_seconds: float
    target_size: int
    drained: bool
    price: float | None  # of an agent-hour
    rate: Decimal  # what an agent-hour costs now: its price, or else by its nodes
    problem: str | None
    used_by: tuple[str, ...]  # the workflow that made it, and those of its team that count on it
    known: bool  # whether Redis knows the pool: else the figures say nothing
    spares: int  # replacements that the pool should have ready for agents that may be worn soon


@dataclass(frozen=True, slots=True)
class Lived:
    """A piece of an agent's life, from when it was asked for to its end. `rate` of an hour in the
    installation's currency; None when its pool is gone. `workflow`: whose document made the pool."""

    agent_id: UUID
    pool_id: UUID | None
    pool: str
    team_id: int
    workflow: str | None
    since: datetime
    until: datetime
    rate: Decimal | None


@dataclass(frozen=True, slots=True)
class PricedPool:
    """Whose agents a program leases, and what an hour of one costs."""

    id: UUID
    team_id: int
    name: str
    concurrency: int
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Steering:
    """The size that a pool shall have from now on, between its limits; None: by its own demand. `ceiling`:
    the most agents that may be, even if that is below `min_size` and somebody waits; None: the pool's own
    limit. `why`: the reason with which those above it leave. `spares`: how many replacements of agents that
    still serve there may be beside the size; None: as many as the ceiling leaves room for.

    `prefer_spot`: agents above what is usual go to spot nodes, of a pool that does not say itself where they
    go; without `spot_fallback` they wait for such nodes when there are none."""

    size: int | None
    ceiling: int | None = None
    why: str = "budget"  # or scale_down
    prefer_spot: bool = False
    spot_fallback: bool = True
    spares: int | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to send requests to one agent until `expires_at` (heartbeats move it).

    `uses_left` bounds how many requests this lease may send (the agent's remaining `max_uses`).
    `wait_seconds` is the time from the call of acquire to the grant.
    """

    token: str
    pool_id: UUID
    agent_id: UUID
    address: str  # host:port
    fence: int
    expires_at: datetime
    uses_left: int
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class Code:
    """Python source that the agent runs: `main` is called with each input as keyword arguments. A parameter
    named `ctx` that the input does not give gets the SDK's `Context`."""

    sha256: str
    source: str


@dataclass(frozen=True, slots=True)
class Handler:
    """A `module:function` out of an uploaded bundle (a zip archive, by content hash)."""

    target: str
    bundle_sha256: str
    load_bundle: Callable[[], bytes] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Command:
    """A program of the agent's image and its arguments: each input goes to its stdin as JSON, what it prints
    on stdout is the output, as JSON, and stderr is the log."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AgentError:
    """What the body raised, or why its answer cannot be used."""

    type: str
    message: str
    traceback: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"type": self.type, "message": self.message, "traceback": self.traceback}


@dataclass(frozen=True, slots=True)
class LogLine:
    at: datetime
    stream: str  # stdout | stderr | log
    text: str
    item: int = 0  # position in Invocation.inputs


class Listener(Protocol):
    """Hears what bodies say while their request is open, and answers what they ask. `item` is a position in
    `Invocation.inputs`.

    The first three are called from the loop, in the order of what was said; they return at once and do not
    raise. Each `call` runs as a task of its own, which is cancelled with its request; none is left when
    `invoke` returns. What it raises reaches the body as an error: a `FlowError` by its code and detail,
    anything else as `internal_error`.
    """

    def log(self, line: LogLine) -> None: ...

    def progress(self, value: Any, item: int) -> None:
        """`value` is any JSON value; with a word on it, it is {"value": …, "message": …}."""

    def metric(self, name: str, value: float, item: int) -> None:
        """`value` is finite."""

    async def call(self, op: str, args: Mapping[str, Any], item: int) -> Any:
        """The result, which is any JSON value. `op` is such as "state.increment"."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One request to an agent. `inputs` holds one element per item; `batch` tells a batch of one from a
    single input. `runs` is None for an image that brings its own behaviour.

    With a `listener` logs go to it as they arise, and bodies may call. Without one logs come with the
    result, progress and metrics go nowhere, and calls fail as `not_supported`.

    `spool_above`: bytes of an answer to a single input above which its output may come as a `LargeOutput`.
    """

    inputs: tuple[Any, ...]
    batch: bool
    runs: Code | Handler | Command | None
    # run_id, step_id, item_index(es), attempt, params; "stream": "results" has bodies fetch these by calls
    context: Mapping[str, Any]
    timeout: float
    path: str = "/invoke"
    listener: Listener | None = field(default=None, repr=False, compare=False)
    spool_above: int | None = None  # None: never


@dataclass(frozen=True, slots=True)
class LargeOutput:
    """An output that nobody has held as a whole: `text` is its JSON, as `to_json` writes it."""

    text: Spool
    holds_nul: bool  # whether a string in it has a NUL character


@dataclass(frozen=True, slots=True)
class ItemResult:
    """Exactly one of `output` (any JSON value, or a `LargeOutput`) and `error` counts: `error is None` means
    success."""

    output: Any = None
    error: AgentError | None = None


@dataclass(frozen=True, slots=True)
class InvocationResult:
    results: tuple[ItemResult, ...]  # one per input, in order
    logs: tuple[LogLine, ...] = ()  # empty when a listener heard them
    startup_seconds: float | None = (
        None  # what the request took beside its bodies; None: the agent does not tell
    )


@dataclass(frozen=True, slots=True)
class LeaseView:
    """A live lease as its team sees it: without its token, which is its holder's alone."""

    pool: str
    agent_id: UUID
    holder: str
    fence: int
    expires_at: datetime


class LeaseTimeout(Overloaded):
    """No agent came free before the caller's deadline."""

    code = "lease_timeout"
    title = "No agent came free in time"


class LeaseLost(FlowError):
    """The lease expired, was revoked, or was fenced by a newer one: the result must not be used.

    `interrupted` tells that its agent's machine is taken away: the work has nothing to do with that.
    """

    code = "lease_lost"
    status = 409
    title = "The lease is gone"
    interrupted = False


class AgentLost(FlowError):
    """The agent died or became unreachable during the request; the work may be tried on another.

    `began` is False when the body cannot have begun: then it has nothing to do with the loss. Nor has it when
    its machine is taken away (`interrupted`).
    """

    code = "agent_lost"
    status = 502
    title = "The agent was lost"
    interrupted = False

    def __init__(self, detail: str, *, began: bool = True) -> None:
        super().__init__(detail)
        self.began = began


class AgentTimeout(FlowError):
    """The request ran longer than its time-out; the agent was told to stop it."""

    code = "timeout"
    status = 504
    title = "The step ran out of time"


class PoolNotFound(FlowError):
    code = "not_found"
    status = 404
    title = "No such pool"
