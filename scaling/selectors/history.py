"""What came to a pool: the one place that knows where arrivals are kept, for those who replay them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from scaling.selectors.arrivals import bins_of

WIDTH = 60.0  # seconds of a bin


def arrivals_of(pool_id: UUID, hours: float, now: datetime) -> list[float]:
    """Arrivals at the pool in each minute of the last `hours` that are over, the oldest first; it begins with
    the first minute of which something is known. A minute in which nobody watched counts none."""
    end = int(now.timestamp() // WIDTH)
    since = end - max(1, round(hours * 3600 / WIDTH))
    bins = bins_of(pool_id, since, end)
    known = next((place for place, found in enumerate(bins) if found), len(bins))
    return [float(found.arrived) if found else 0.0 for found in bins[known:]]
