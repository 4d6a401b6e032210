"""A run as its driver holds it in memory: a cache of the rows, written back under the run's fence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from workflows.domain.document import Document
from workflows.domain.states import RunState, StepState

MAX_WAITS = 500


@dataclass(slots=True)
class Usage:
    """What a step cost in leases: how many, on which agents, and how long each was waited for."""

    leases: int = 0
    agents: dict[str, int] = field(default_factory=dict)  # agent id -> requests
    waits_ms: list[float] = field(default_factory=list)  # the first MAX_WAITS

    def leased(self, wait_seconds: float) -> None:
        self.leases += 1
        if len(self.waits_ms) < MAX_WAITS:
            self.waits_ms.append(round(wait_seconds * 1000, 3))

    def used(self, agent_id: UUID) -> None:
        key = str(agent_id)
        self.agents[key] = self.agents.get(key, 0) + 1

    def as_dict(self) -> dict[str, Any]:
        return {"leases": self.leases, "agents": self.agents, "waits_ms": self.waits_ms}


@dataclass(slots=True)
class StepRecord:
    pk: int
    key: str
    type: str
    pool: str
    needs: tuple[str, ...]
    state: StepState = StepState.PENDING
    attempts: int = 0
    losses: int = 0
    retry_at: datetime | None = None
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


@dataclass(slots=True)
class ItemRecord:
    index: int
    input: Any
    state: StepState = StepState.QUEUED
    attempts: int = 0
    losses: int = 0
    retry_at: datetime | None = None
    output: Any = None
    error: dict[str, Any] | None = None
    agent_id: UUID | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(slots=True)
class RunRecord:
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
    output: Any = None
    error: dict[str, Any] | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancelled: bool = False
