"""The only door to teams: who asks, for which team, with which rights, and who did what.

Does not: show secrets to people, or know about workflows and pools. Alerts have a door of their own
(`teams.facade.alerts`).
"""

from __future__ import annotations

from teams.domain.labels import Labels
from teams.selectors.access import by_session, by_token, slugs_of, team_ids, teams_of
from teams.selectors.limits import all_limits, limits_of
from teams.selectors.secrets import list_secrets
from teams.services.audit import acting, audit, came_by, forget_audit
from teams.services.first_start import bootstrap_first_team, issue_token
from teams.services.secrets import SecretLost, delete_secret, secret_values, set_secret

__all__ = [
    "Labels",
    "SecretLost",
    "acting",
    "all_limits",
    "audit",
    "bootstrap_first_team",
    "by_session",
    "by_token",
    "came_by",
    "delete_secret",
    "forget_audit",
    "issue_token",
    "limits_of",
    "list_secrets",
    "secret_values",
    "set_secret",
    "slugs_of",
    "team_ids",
    "teams_of",
]
