"""What steps of runs that have not ended were at work for, told by `workflows`: it is charged to the ledger
at the run's end, and counts for the budgets of workflows before that.

Held in the memory of the controller's process, where budgets are kept; who tells it tells all of it again.
"""

from __future__ import annotations

from collections.abc import Mapping

_live: dict[tuple[int, str], int] = {}


def tell(nanos: Mapping[tuple[int, str], int]) -> None:
    """By team and workflow, in place of all that was told before; without the workflows' own pools."""
    global _live
    _live = dict(nanos)


def of(team_id: int, workflow: str) -> int:
    return _live.get((team_id, workflow), 0)
