"""The only door to teams: who asks, for which team, with which rights.

Does not: send mail, keep secrets, or know about workflows and pools.
"""

from __future__ import annotations

from teams.selectors.access import by_session, by_token, teams_of
from teams.services.first_start import bootstrap_first_team, issue_token

__all__ = ["bootstrap_first_team", "by_session", "by_token", "issue_token", "teams_of"]
