"""Work that is known to come: told by those who know (schedules), and heeded as long as it lies ahead.

Held in the memory of the controller's process, where the scaler runs; whoever tells it tells all of it again.
"""

from __future__ import annotations

from collections.abc import Iterable

from scaling.facade.contracts import Expected

LATE = 3.0  # seconds: what was due a moment ago is about to ask for its agents

_expected: tuple[Expected, ...] = ()


def expect(coming: Iterable[Expected]) -> None:
    """In place of all that was told before."""
    global _expected
    _expected = tuple(coming)


def coming(team_id: int, pool: str, at: float, horizon: float) -> int:
    """Agents that the pool will be asked for between `at` (seconds since the epoch) and `horizon` s later."""
    return sum(
        one.agents
        for one in _expected
        if one.team_id == team_id and one.pool == pool and at - LATE <= one.at <= at + horizon
    )
