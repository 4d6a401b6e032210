"""How fast work arrives now: the rate since its last change, found by a test for change points.

A short window follows a burst and its own noise alike; a long one is calm and late. So the rate is the mean
over all that came since the rate last changed, and each second the windows of 4 to 240 s that end now are
held against what came before them: two Poisson rates differ where 2(√r₁ - √r₂) / √(1/T₁ + 1/T₂) is beyond the
threshold (the variance-stabilizing transform of Anscombe, 1948, in the form of Huffman's two-sample test,
1984). Arrivals that come in bunches are noisier than Poisson's: the index of dispersion of the stretch widens
the test.

Does not: know service times or agents.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

WINDOWS = (4, 6, 8, 12, 16, 20, 30, 40, 60, 90, 120, 180, 240)  # seconds
LONGEST = 600  # seconds that count at most
UP, DOWN = 4.0, 5.0  # thresholds: standard deviations
SHORTEST_DOWN = 20  # a lull of less is none
BUNCHES = 10  # seconds from which on the dispersion is believed


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` arrivals, the mean over the last `over` seconds, in which `count` came."""

    per_second: float
    over: int
    count: int


class Arrivals:
    """Told of each second's arrivals in turn; `rate` is what they say."""

    def __init__(self) -> None:
        self._totals: deque[int] = deque([0], maxlen=LONGEST + 1)  # after each second, since the beginning
        self._squares: deque[int] = deque([0], maxlen=LONGEST + 1)
        self._since = 0  # the length of the present stretch in seconds
        self.quiet = 0  # seconds since the last one arrived

    def tell(self, count: int) -> None:
        """So many arrived in the second that has just ended."""
        self._totals.append(self._totals[-1] + count)
        self._squares.append(self._squares[-1] + count * count)
        self._since = min(self._since + 1, LONGEST)
        self.quiet = 0 if count else self.quiet + 1
        self._cut()

    @property
    def rate(self) -> Rate:
        count = self._totals[-1] - self._totals[-1 - self._since]
        return Rate(count / max(1, self._since), self._since, count)

    def _cut(self) -> None:
        """Where a window differs from what came before it, the stretch begins anew with that window."""
        totals, since = self._totals, self._since
        newest, oldest = totals[-1], totals[-1 - since]
        spread = 0.0
        strongest, cut = 1.0, 0
        for window in WINDOWS:
            rest = since - window
            if rest <= 2:
                break
            middle = totals[-1 - window]
            now, before = (newest - middle) / window, (middle - oldest) / rest
            change = 2 * (math.sqrt(now + 0.25 / window) - math.sqrt(before + 0.25 / rest))
            strength = change / math.sqrt(1 / window + 1 / rest)
            if strength > 0:
                strength /= UP
            elif window >= SHORTEST_DOWN:
                strength /= -DOWN
            if strength > strongest:
                spread = spread or self._spread()
                if strength > strongest * spread:
                    strongest, cut = strength / spread, window
        if cut:
            self._since = cut

    def _spread(self) -> float:
        """√ of the index of dispersion, at least 1 (that of a Poisson process)."""
        if self._since < BUNCHES:
            return 1.0
        count = self._totals[-1] - self._totals[-1 - self._since]
        squares = self._squares[-1] - self._squares[-1 - self._since]
        if not count:
            return 1.0
        mean = count / self._since
        return math.sqrt(max(1.0, (squares / self._since - mean * mean) / mean))
