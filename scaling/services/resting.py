"""For which budgets work rests until they have enough: told by `workflows`, whose parked runs ask nobody.

Held in the memory of the controller's process, where budgets are kept; who tells it tells all of it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from scaling.domain.budgets import NOBODY, HeldUp

_resting: dict[UUID, tuple[float, float]] = {}  # since when, and what the next call may cost


def tell(resting: Mapping[UUID, float], at: float) -> None:
    """In place of all that was told before: by budget what the first call that waits for it may cost, in the
    currency; `at` in monotonic seconds."""
    global _resting
    _resting = {budget: (_resting.get(budget, (at, 0.0))[0], cost) for budget, cost in resting.items()}


def rests(budget: UUID, at: float) -> HeldUp:
    """The work that rests until this budget has enough."""
    if budget not in _resting:
        return NOBODY
    since, cost = _resting[budget]
    return HeldUp(at - since, cost)
