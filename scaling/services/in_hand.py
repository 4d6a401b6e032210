"""What `workflows` tells the treasury of runs that have not ended: what their steps were at work for, which
is charged to the ledger at their end and counts for the budgets of workflows before that; and in which pools
work rests until a budget has enough.

Held in the memory of the controller's process, where budgets are kept; who tells it tells all of it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scaling.domain.budgets import HeldUp

Pool = tuple[int, str]  # the owner's team and the name

_work: dict[tuple[int, str], int] = {}
_resting: dict[Pool, tuple[float, float]] = {}  # since when, and what the next call may cost


def tell(work: Mapping[tuple[int, str], int], resting: Mapping[Pool, float], at: float) -> None:
    """In place of all that was told before. `work` in billionths of the currency, by team and workflow,
    without what was done in the workflows' own pools; `resting`: what the next call may cost, in the
    currency; `at` in monotonic seconds."""
    global _work, _resting
    _work = dict(work)
    _resting = {pool: (_resting.get(pool, (at, 0.0))[0], cost) for pool, cost in resting.items()}


def work_of(team_id: int, workflow: str) -> int:
    return _work.get((team_id, workflow), 0)


def rests(pools: Iterable[Pool], at: float) -> HeldUp:
    """The work that has rested longest in one of these pools."""
    found = [(at - _resting[pool][0], _resting[pool][1]) for pool in pools if pool in _resting]
    return HeldUp(*max(found, default=(0.0, 0.0)))
