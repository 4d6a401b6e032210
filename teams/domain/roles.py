"""Roles of a team's members, each including the rights of the ones before it."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    VIEWER = "viewer"  # sees everything of the team but secrets
    EDITOR = "editor"  # changes workflows and starts runs
    OPERATOR = "operator"  # changes pools, agents, and cancels others' runs
    ADMIN = "admin"  # members, tokens, budgets

    def includes(self, needed: Role) -> bool:
        return _RANK[self] >= _RANK[needed]


_RANK = {role: rank for rank, role in enumerate(Role)}
