"""What crosses the border of `scaling`: frozen dataclasses, never rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expected:
    """The team's pool of that name will be asked for so many agents at `at`, seconds since the epoch."""

    team_id: int
    pool: str
    at: float
    agents: int
