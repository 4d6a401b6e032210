"""The Knative Pod Autoscaler.

Source: Knative documentation, "Configuring concurrency", "Additional autoscaling configuration" and the
KPA-specific settings: every 2 s, desired = ceil(mean concurrency / (target times target utilization)) over a
stable window of 60 s; over a panic window of a tenth of it too, and when that one asks for 200 % of the ready
pods, panic: for 60 s the size only rises. At most to 1000 times the size upwards and to one half downwards;
to zero when the stable window saw nothing, after a grace period of 30 s.
"""

from __future__ import annotations

import math
from collections import deque

from scaling.simulator.plant import Observation


class Kpa:
    """`target` is the concurrency of one agent that is aimed at (container concurrency times utilization)."""

    def __init__(
        self,
        target: float = 0.7,
        *,
        stable: float = 60.0,
        panic: float = 6.0,
        threshold: float = 2.0,
        up_rate: float = 1000.0,
        down_rate: float = 2.0,
        period: float = 2.0,
        grace: float = 30.0,
    ) -> None:
        self._target, self._stable, self._panic, self._threshold = target, stable, panic, threshold
        self._up, self._down, self._period, self._grace = up_rate, down_rate, period, grace
        self._samples: deque[float] = deque(maxlen=round(stable))
        self._next = period
        self._panic_since: float | None = None
        self._panic_size = 0
        self._empty_since: float | None = None

    def decide(self, seen: Observation) -> int:
        self._samples.append(seen.concurrency)
        if seen.at < self._next:
            return seen.target
        self._next += self._period
        stable = sum(self._samples) / len(self._samples)
        recent = list(self._samples)[-round(self._panic) :]
        burst = sum(recent) / len(recent)
        ready = max(1, seen.ready)
        highest, lowest = math.ceil(self._up * ready), math.floor(ready / self._down)
        want_stable = min(max(math.ceil(stable / self._target), lowest), highest)
        want_panic = min(max(math.ceil(burst / self._target), lowest), highest)
        if math.ceil(burst / self._target) / ready >= self._threshold:
            self._panic_since = seen.at
        elif self._panic_since is not None and seen.at - self._panic_since >= self._stable:
            self._panic_since, self._panic_size = None, 0
        if self._panic_since is not None:
            self._panic_size = max(self._panic_size, want_panic, want_stable)
            return self._panic_size
        return self._to_zero(seen, want_stable, stable)

    def _to_zero(self, seen: Observation, wanted: int, stable: float) -> int:
        if stable > 0:
            self._empty_since = None
            return max(1, wanted)
        if seen.target == 0:
            return 0
        self._empty_since = self._empty_since if self._empty_since is not None else seen.at
        return 0 if seen.at - self._empty_since >= self._grace else 1
