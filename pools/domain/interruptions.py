"""Notices that a machine is taken away: what they say, and how the time that is left is used.

The cloud gives about two minutes (EC2: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/
spot-instance-termination-notices.html). Until shortly before the end leases may finish; then they are
revoked, so that their work begins elsewhere for a reason that is known.
Does not: read a clock, or end anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from aflow_site.kernel.errors import Fault, InvalidInput

USUAL_NOTICE = timedelta(seconds=120)
LONGEST_NOTICE = timedelta(hours=1)
# Before the machine goes: enough to revoke leases and to end what is at work there.
LAST_MOMENTS = timedelta(seconds=15)
ACTIONS = ("terminate", "stop", "hibernate")


def last_moments(leave_by: datetime, now: datetime) -> bool:
    """Whether what is still at work there has to end now."""
    return now >= leave_by - LAST_MOMENTS


def read_notice(body: Mapping[str, Any], now: datetime) -> datetime:
    """When the machine goes, out of what its instance metadata says: `{"action", "time"}`, the time in
    ISO 8601 with its zone; without one, in two minutes. Never later than in an hour, nor in the past.

    Raises `InvalidInput`.
    """
    if body.get("action", ACTIONS[0]) not in ACTIONS:
        raise _refused("action", f"It must be one of {', '.join(ACTIONS)}.")
    text = body.get("time")
    if text is None:
        return now + USUAL_NOTICE
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise _refused("time", "A time such as 2026-11-25T22:10:00Z is expected here.")
    return min(max(at, now), now + LONGEST_NOTICE)


def _refused(path: str, message: str) -> InvalidInput:
    return InvalidInput("The notice cannot be read.", faults=[Fault(path, message)])
