"""The only door to teams: who asks, for which team, with which rights, and who did what.

Does not: send mail, keep secrets, or know about workflows and pools.
"""

from __future__ import annotations

from teams.selectors.access import by_session, by_token, team_ids, teams_of
from teams.selectors.limits import all_limits, limits_of
from teams.services.audit import acting, audit, came_by, forget_audit
from teams.services.first_start import bootstrap_first_team, issue_token

__all__ = [
    "acting",
    "all_limits",
    "audit",
    "bootstrap_first_team",
    "by_session",
    "by_token",
    "came_by",
    "forget_audit",
    "issue_token",
    "limits_of",
    "team_ids",
    "teams_of",
]
