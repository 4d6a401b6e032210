"""Work that is known to come: told by those who know (schedules, the steps of live runs), and heeded as long
as it lies ahead.

Held in the memory of the controller's process, where the scaler runs; whoever tells it tells all of it again.
"""

from __future__ import annotations

from collections.abc import Iterable

from scaling.facade.contracts import NEXT_STEPS, SCHEDULED, Expected

LATE = 6.0  # seconds: what was due a moment ago is about to ask for its agents

_expected: tuple[Expected, ...] = ()


def expect(coming: Iterable[Expected]) -> None:
    """In place of all that was told before."""
    global _expected
    _expected = tuple(coming)


def coming(team_id: int, pool: str, at: float, horizon: float) -> tuple[int, str]:
    """Agents that the pool will be asked for between `at` (seconds since the epoch) and `horizon` seconds
    later, and how most of that is known."""
    found = {NEXT_STEPS: 0, SCHEDULED: 0}
    for one in _expected:
        if one.team_id == team_id and one.pool == pool and at - LATE <= one.at <= at + horizon:
            found[one.by] += one.agents
    return sum(found.values()), max(found, key=lambda by: found[by])
