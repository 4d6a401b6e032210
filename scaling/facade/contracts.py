"""What crosses the border of `scaling`: frozen dataclasses, never rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

SCHEDULED, NEXT_STEPS = "schedule", "lookahead"


@dataclass(frozen=True, slots=True)
class Expected:
    """The team's pool of that name will be asked for so many agents at `at`, seconds since the epoch. `by`:
    how that is known, by a schedule or by the steps that live runs are at."""

    team_id: int
    pool: str
    at: float
    agents: int
    by: str = NEXT_STEPS


@dataclass(frozen=True, slots=True)
class Worked:
    """That agents of `owner`'s pool were at work for a workflow, and what that cost in billionths of the
    currency. `own`: the pool is one that the workflow's document made."""

    team_id: int
    owner_id: int
    workflow: str
    pool: str
    own: bool
    at: datetime
    milliseconds: int
    nanos: int


@dataclass(frozen=True, slots=True)
class BudgetTerms:
    """What work must know of a budget: whom it pays for, and whether it holds anybody up."""

    id: UUID
    team_id: int
    scope: str  # team | pool | workflow
    target: str
    enforced: bool
