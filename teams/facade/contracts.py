from __future__ import annotations

from dataclasses import dataclass

from teams.domain.roles import Role

__all__ = ["FirstTeam", "Role", "TeamContext", "TeamSummary"]


@dataclass(frozen=True, slots=True)
class TeamSummary:
    id: int
    slug: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class TeamContext:
    """On whose behalf a request acts: a user, in one team, with at most `role`'s rights."""

    id: int
    slug: str
    name: str
    role: Role
    user_id: int
    username: str


@dataclass(frozen=True, slots=True)
class FirstTeam:
    team_id: int
    token: str  # shown once; only its hash is kept
