"""What came to a pool: the one place that knows where arrivals are kept."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from itertools import pairwise

from scaling.models import ScalingDecision

WIDTH = 60.0  # seconds of a bin
# A decision is kept every minute that the pool is watched: after a longer silence nothing is known.
HOLDS = 120.0  # seconds


def arrivals_of(team_id: int, pool: str, hours: float, now: datetime) -> list[float]:
    """Arrivals at the team's pool in each minute of the last `hours`, the oldest first; it begins with the
    first minute of which something is known. Empty: nothing is.

    They come from the rates of arrivals that the scaler saw when it decided.
    """
    begin = now - timedelta(hours=hours)
    rows = ScalingDecision.objects.filter(team_id=team_id, pool=pool, at__gte=begin, at__lt=now)
    seen = [
        (at.timestamp(), float(signals["arrival_rate"]))
        for at, signals in rows.order_by("at").values_list("at", "signals").iterator()
    ]
    if not seen:
        return []
    start, end = seen[0][0], now.timestamp()
    counts = [0.0] * max(1, math.ceil((end - start) / WIDTH))
    for (at, rate), (until, _) in pairwise([*seen, (end, 0.0)]):
        _spread(counts, at - start, min(until, at + HOLDS) - start, rate)
    return counts


def _spread(counts: list[float], begin: float, end: float, rate: float) -> None:
    """Adds `rate` a second to the bins that the stretch touches."""
    while begin < end:
        place = int(begin / WIDTH)
        if place >= len(counts):
            return
        stop = min(end, (place + 1) * WIDTH)
        counts[place] += (stop - begin) * rate
        begin = stop
