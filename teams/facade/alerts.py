"""The door for whoever finds something that a team should be told of.

Duties: alerts are raised once for each cause, resolved when the cause has ended, and sent to the team's
channels. Does not: decide what is worth an alert.
"""

from __future__ import annotations

from teams.domain.alerts import AlertKind
from teams.selectors.alerts import open_subjects
from teams.services.alerts.raising import Cause, raise_alert, resolve_alert, settle
from teams.services.alerts.timer import deliver_forever

__all__ = [
    "AlertKind",
    "Cause",
    "deliver_forever",
    "open_subjects",
    "raise_alert",
    "resolve_alert",
    "settle",
]
