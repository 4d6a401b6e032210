"""Simple scaling with alarms and a cooldown.

Source: Amazon EC2 Auto Scaling, "Step and simple scaling policies": an alarm on a metric's mean over a period
changes the capacity by a percentage (PercentChangeInCapacity, rounded: a value above 1 down, one between 0
and 1 up to 1, and the other way round below 0), and then nothing changes until the cooldown is over.
"""

from __future__ import annotations

import math

from scaling.simulator.plant import Observation


def percent_change(size: int, percent: float) -> int:
    """By how many a pool of `size` changes: 12.7 is 12, 0.67 is 1, -0.58 is -1, -6.67 is -6."""
    change = size * percent / 100
    if 0 < abs(change) < 1:
        return 1 if change > 0 else -1
    return math.trunc(change)


class Threshold:
    """`high` and `low` are utilizations (0 to 1), `period` and `cooldown` seconds."""

    def __init__(
        self,
        high: float = 0.8,
        low: float = 0.3,
        percent: float = 25.0,
        period: float = 60.0,
        cooldown: float = 60.0,
        minimum: int = 1,
    ) -> None:
        self._high, self._low, self._percent = high, low, percent
        self._period, self._cooldown, self._minimum = period, cooldown, minimum
        self._samples: list[float] = []
        self._quiet_until = 0.0
        self._next = period

    def decide(self, seen: Observation) -> int:
        # A pool without agents that somebody waits for is as full as can be.
        self._samples.append(seen.busy / seen.ready if seen.ready else float(seen.waiting > 0))
        if seen.at < self._next:
            return max(self._minimum, seen.target)
        mean = sum(self._samples) / len(self._samples)
        self._samples.clear()
        self._next = seen.at + self._period
        change = 0
        if seen.at >= self._quiet_until:
            if mean > self._high:
                change = max(1, percent_change(seen.target, self._percent))
            elif mean < self._low:
                change = percent_change(seen.target, -self._percent)
        if change:
            self._quiet_until = seen.at + self._cooldown
        return max(self._minimum, seen.target + change)
