from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from teams.domain.origin import Via
from teams.domain.roles import Role

__all__ = ["FirstTeam", "Role", "TeamContext", "TeamLimits", "TeamSummary", "Via"]


@dataclass(frozen=True, slots=True)
class TeamSummary:
    id: int
    slug: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class TeamContext:
    """On whose behalf a request acts: a user, in one team, with at most `role`'s rights. `staff`: one of the
    platform's own people, who may act on what belongs to no team."""

    id: int
    slug: str
    name: str
    role: Role
    user_id: int
    username: str
    staff: bool = False


@dataclass(frozen=True, slots=True)
class TeamLimits:
    """What a team's admins set. None: no limit of runs, and the platform's own retention."""

    team_id: int
    slug: str
    name: str
    max_concurrent_runs: int | None
    capacity_weight: float  # of its share, where there are not agents enough for all teams
    retention_days: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class FirstTeam:
    team_id: int
    token: str  # shown once; only its hash is kept


@dataclass(frozen=True, slots=True)
class SecretView:
    """That there is a secret; its value is shown to nobody."""

    name: str
    author: str
    changed_at: datetime
