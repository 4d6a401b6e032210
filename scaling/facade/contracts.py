"""What crosses the border of `scaling`: frozen dataclasses, never rows."""

from __future__ import annotations

from dataclasses import dataclass

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
