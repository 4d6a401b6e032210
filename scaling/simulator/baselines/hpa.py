"""The Horizontal Pod Autoscaler of Kubernetes, version 2.

Source: Kubernetes documentation, "Horizontal Pod Autoscaling": every 15 s,
desired = ceil(current * metric / target), nothing where the ratio is within 0.1 of 1; pods that are not ready
are set aside when the ratio is computed, and count as using nothing where that would scale up; of the
recommendations of the last 300 s the largest holds down-scaling back; upwards the larger of 100 % and 4 pods
are added in 15 s, downwards 100 % may go.
"""

from __future__ import annotations

import math
from collections import deque

from scaling.simulator.plant import Observation

TOLERANCE = 0.1


def desired(ready: int, unready: int, metric: float, target: float, size: int) -> int:
    """`metric` is the mean over the ready pods. Unready pods dampen an increase (they count as idle)."""
    if ready == 0:
        return size
    ratio = metric / target
    if abs(ratio - 1.0) <= TOLERANCE:
        return size
    if not unready or ratio < 1.0:
        return math.ceil(ratio * ready)
    dampened = metric * ready / (ready + unready) / target
    if abs(dampened - 1.0) <= TOLERANCE or dampened < 1.0:
        return size
    return math.ceil(dampened * (ready + unready))


class Behaviour:
    """What stands between a recommendation and the size: stabilization and rates. Times in seconds."""

    def __init__(self, window: float = 300.0, period: float = 15.0, percent: float = 100.0, pods: int = 4):
        self._window, self._period, self._percent, self._pods = window, period, percent, pods
        self._recommended: deque[tuple[float, int]] = deque()
        self._sizes: deque[tuple[float, int]] = deque()

    def apply(self, at: float, size: int, recommended: int) -> int:
        self._recommended.append((at, recommended))
        while self._recommended[0][0] <= at - self._window:
            self._recommended.popleft()
        while self._sizes and self._sizes[0][0] <= at - self._period:
            self._sizes.popleft()
        self._sizes.append((at, size))
        if recommended > size:
            before = min(held for _, held in self._sizes)
            limit = max(math.ceil(before * (1 + self._percent / 100)), before + self._pods)
            return min(recommended, limit)
        return min(size, max(value for _, value in self._recommended))


class Hpa:
    """On utilization (busy of ready), or with `concurrency` on jobs per agent, those that wait too."""

    def __init__(
        self,
        target: float = 0.7,
        *,
        concurrency: bool = False,
        period: float = 15.0,
        window: float = 300.0,
        minimum: int = 1,
    ) -> None:
        self._target, self._concurrency, self._period, self._minimum = target, concurrency, period, minimum
        self._behaviour = Behaviour(window)
        self._next = period
        self._samples: list[float] = []

    def decide(self, seen: Observation) -> int:
        jobs = seen.concurrency if self._concurrency else min(seen.concurrency, seen.ready)
        self._samples.append(jobs)
        if seen.at < self._next:
            return max(self._minimum, seen.target)
        self._next += self._period
        total = sum(self._samples) / len(self._samples)
        self._samples.clear()
        size = max(self._minimum, seen.target)
        metric = total / seen.ready if seen.ready else 0.0
        wanted = desired(seen.ready, seen.starting, metric, self._target, size)
        return self._behaviour.apply(seen.at, size, max(self._minimum, wanted))
