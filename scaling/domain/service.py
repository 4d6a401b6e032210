"""How long a lease is held on average: an exponentially weighted mean over those that ended."""

from __future__ import annotations

MEMORY = 100  # leases; the weight of older ones falls to 1/e


class ServiceTime:
    """`mean` in seconds; None until something ended."""

    def __init__(self) -> None:
        self.mean: float | None = None
        self._weight = 0.0

    def tell(self, ended: int, seconds: float) -> None:
        """So many leases ended, which were held for so many seconds together."""
        if ended <= 0:
            return
        keep = (1 - 1 / MEMORY) ** ended
        fresh = 1 - keep
        before = (self.mean or 0.0) * self._weight * keep
        self._weight = self._weight * keep + fresh
        self.mean = (before + fresh * seconds / ended) / self._weight
