"""Quantiles of what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence


def nearest_rank(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed; None without values."""
    if not values:
        return None
    # 0.07 of 100 values are 7.000000000000001 to the machine, and 7 to us.
    rank = math.ceil(round(share * len(values), 9))
    return sorted(values)[max(rank, 1) - 1]
