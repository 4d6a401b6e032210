"""A histogram that forgets: what was long ago weighs less and less.

After the Kubernetes vertical pod autoscaler's recommender (kubernetes/autoscaler,
vertical-pod-autoscaler/pkg/recommender/util: decaying_histogram.go, histogram_options.go): buckets that grow
by a constant factor, and weights that double with each half-life, so that adding is all that is ever done.

Pure; times are seconds, passed in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LARGEST_EXPONENT = 100  # of two; weights are divided before they leave the range of floats
NEGLIGIBLE = 1e-6  # of the total


@dataclass(frozen=True, slots=True)
class Buckets:
    """The first ends at `first`, each other is wider by `ratio`; the last takes what is larger than `top`."""

    first: float
    top: float
    ratio: float = 1.05

    @property
    def last(self) -> int:
        return math.ceil(math.log(self.top * (self.ratio - 1) / self.first + 1, self.ratio)) - 1

    def of(self, value: float) -> int:
        if value < self.first:
            return 0
        return min(self.last, int(math.log(value * (self.ratio - 1) / self.first + 1, self.ratio)))

    def end(self, bucket: int) -> float:
        """Where the next begins: a sum of a geometric series."""
        return self.first * (self.ratio ** (bucket + 1) - 1) / (self.ratio - 1)


@dataclass(slots=True)
class Histogram:
    """`weights` by bucket, as of `since`; a sample that comes a half-life later weighs twice as much."""

    buckets: Buckets
    half_life: float
    since: float = 0.0
    weights: dict[int, float] = field(default_factory=dict)

    def add(self, value: float, weight: float, at: float) -> None:
        self._shift(at)
        bucket = self.buckets.of(value)
        self.weights[bucket] = self.weights.get(bucket, 0.0) + weight * self._factor(at)

    def take_back(self, value: float, weight: float, at: float) -> None:
        """A sample that was added as of the same moment is none after all."""
        bucket = self.buckets.of(value)
        left = self.weights.get(bucket, 0.0) - weight * self._factor(at)
        if left > NEGLIGIBLE * self.total:
            self.weights[bucket] = left
        else:
            self.weights.pop(bucket, None)

    @property
    def total(self) -> float:
        return sum(self.weights.values())

    def percentile(self, share: float) -> float | None:
        """The end of the bucket up to which so much of the weight lies; None without any."""
        wanted, so_far = share * self.total, 0.0
        for bucket in sorted(self.weights):
            so_far += self.weights[bucket]
            if so_far >= wanted * (1 - 1e-9):
                return self.buckets.end(bucket)
        return None

    def _factor(self, at: float) -> float:
        return float(2 ** ((at - self.since) / self.half_life))

    def _shift(self, at: float) -> None:
        """Moves `since` on, before the weights get too large."""
        if not self.weights:
            self.since = at
        elif (at - self.since) / self.half_life > LARGEST_EXPONENT:
            before = self.since
            self.since = at
            factor = 2 ** ((before - at) / self.half_life)
            self.weights = {
                bucket: weight * factor for bucket, weight in self.weights.items() if weight * factor
            }

    # --- as rows hold it ---------------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        return {
            "since": self.since,
            "weights": {str(bucket): weight for bucket, weight in self.weights.items()},
        }

    def load(self, content: Mapping[str, Any]) -> None:
        self.since = float(content.get("since", 0.0))
        found = content.get("weights", {})
        self.weights = {int(bucket): float(weight) for bucket, weight in found.items()}
