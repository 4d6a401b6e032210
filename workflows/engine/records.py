"""A run as its driver holds it in memory: a cache of the rows, written back under the run's fence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from workflows.domain.document import Document
from workflows.domain.states import RunState, StepState

MAX_WAITS = 500
MAX_AGENTS = 1000  # told one by one; the rest of a step that uses up agents is told together
OTHERS = "others"


@dataclass(slots=True)
class Usage:
    """What a step cost in leases: how many, on which agents, and how long each was waited for."""

    leases: int = 0
    agents: dict[str, int] = field(default_factory=dict)  # agent id -> requests
    waits_ms: list[float] = field(default_factory=list)  # the first MAX_WAITS
    busy_ms: float = 0.0  # the sum of the requests' times
    spent: dict[str, list[float]] = field(default_factory=dict)  # pool -> [ms, billionths of the currency]

    def leased(self, wait_seconds: float) -> None:
        self.leases += 1
        if len(self.waits_ms) < MAX_WAITS:
            self.waits_ms.append(round(wait_seconds * 1000, 3))

    def used(self, agent_id: UUID, seconds: float, pool: str, rate: float) -> None:
        """`rate`: of the agent, in the currency by the second."""
        self.busy_ms = round(self.busy_ms + seconds * 1000, 3)
        spent = self.spent.setdefault(pool, [0.0, 0.0])
        spent[0] += seconds * 1000
        spent[1] += seconds * rate * 1e9
        key = str(agent_id)
        if key not in self.agents and len(self.agents) >= MAX_AGENTS:
            key = OTHERS
        self.agents[key] = self.agents.get(key, 0) + 1

    def as_dict(self) -> dict[str, Any]:
        """A copy: the writer's thread must not see what still moves."""
        return {
            "leases": self.leases,
            "agents": dict(self.agents),
            "waits_ms": list(self.waits_ms),
            "busy_ms": self.busy_ms,
            "spent": {pool: [round(ms, 3), round(nanos)] for pool, (ms, nanos) in self.spent.items()},
        }


def _nobody() -> None:
    """Nobody plans by this step."""


@dataclass(slots=True)
class StepRecord:
    """`key` is the step's id, with the iterations around it in front when it stands in a loop.

    `collects`: its output is the list of its items' outputs, which are rows. `turned` is called after each
    change of its state: whoever plans by it must hear of it.
    """

    pk: int
    key: str
    type: str
    position: int
    pool: str
    needs: tuple[str, ...]
    collects: bool = False
    state: StepState = StepState.PENDING
    attempts: int = 0
    losses: int = 0
    excused: int = 0
    retry_at: datetime | None = None
    due_at: datetime | None = None
    reason: str = ""
    progress: Any = None
    overrides: dict[str, Any] | None = None  # read only: people change it
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    agent_id: UUID | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    running: int = 0  # items in flight; not stored, counted from the rows
    usage: Usage = field(default_factory=Usage)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    turned: Callable[[], None] = field(default=_nobody, repr=False, compare=False)


@dataclass(slots=True)
class ItemRecord:
    index: int
    input: Any
    state: StepState = StepState.QUEUED
    attempts: int = 0
    losses: int = 0
    excused: int = 0
    retry_at: datetime | None = None
    cause: str | None = None
    output: Any = None
    error: dict[str, Any] | None = None
    agent_id: UUID | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(slots=True)
class RunRecord:
    """`steps` holds the document's own steps, and those of the iterations that are under way."""

    id: UUID
    team_id: int
    workflow: str
    version: int
    document: Document
    params: dict[str, Any]
    state: RunState
    fence: int
    created_at: datetime
    steps: dict[str, StepRecord]
    created_by: str = ""
    tags: tuple[str, ...] = ()
    priority: int = 0
    depth: int = 0
    parent_run: UUID | None = None
    deadline: datetime | None = None
    output: Any = None
    error: dict[str, Any] | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A decision or a signal that no step has used yet."""

    pk: int
    kind: str  # decision | signal
    name: str
    payload: Any
    author: str
    at: datetime


@dataclass(frozen=True, slots=True)
class News:
    """What others have written about a run since its driver last looked."""

    wakes: int
    cancelled: bool
    paused: bool
    messages: tuple[Message, ...]
    overrides: dict[str, dict[str, Any]]  # step key -> settings
