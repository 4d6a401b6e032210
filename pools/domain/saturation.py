"""When a pool is saturated: more wait than it serves, for some time; and when it is so no more.

Pure; times are monotonic seconds, passed in.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SaturationRule:
    """So many waiters (at least), all the time for so many seconds. The end takes as long as the beginning:
    a queue that comes and goes does not raise one alert after the other."""

    waiting: int = 10
    seconds: float = 60.0


@dataclass(slots=True)
class Saturation:
    """Of one pool. `saturated` begins as what was known before."""

    saturated: bool = False
    turning_since: float | None = None  # since when it has looked otherwise

    def see(self, waiting: int, now: float, rule: SaturationRule) -> bool:
        """Whether the pool is saturated by now."""
        if (waiting >= rule.waiting) == self.saturated:
            self.turning_since = None
            return self.saturated
        if self.turning_since is None:
            self.turning_since = now
        if now - self.turning_since >= rule.seconds:
            self.saturated, self.turning_since = not self.saturated, None
        return self.saturated
