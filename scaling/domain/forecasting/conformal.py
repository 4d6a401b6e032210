"""From a forecaster's guess to a quantile that holds: adaptive conformal inference.

Source: Gibbs and Candès, "Adaptive Conformal Inference Under Distribution Shift" (2021). Of the last misses
(what came less what was guessed) the quantile at level 1 - alpha is added to the guess; alpha itself moves
after each outcome by a step of gamma, up where the last forecasts held too often and down where they failed
too often. So the share of those that hold comes to what was asked for, whatever the load does: over n
outcomes it is off by at most (1 + gamma) / (gamma n).
"""

from __future__ import annotations

from collections import deque

import numpy as np

GAMMA = 0.01
REMEMBERED = 720  # misses: half a day


class Adaptive:
    """Misses and guesses are told and asked for on one scale, whatever it is."""

    def __init__(self, quantile: float) -> None:
        self.quantile = quantile
        self._level = quantile  # 1 - alpha
        self._misses: deque[float] = deque(maxlen=REMEMBERED)
        self._sorted: np.ndarray | None = None

    @property
    def ready(self) -> bool:
        return len(self._misses) >= 30

    def margin(self) -> float:
        """What is to be added to the guess."""
        return self.at(self._level)

    def at(self, level: float) -> float:
        """The misses' quantile; beyond the largest, more and more of their upper half's span is added."""
        if self._sorted is None:
            self._sorted = np.sort(np.fromiter(self._misses, dtype=float))
        misses = self._sorted
        place = min(1.0, max(0.0, level)) * (len(misses) - 1)
        below = int(place)
        above = min(below + 1, len(misses) - 1)
        found = float(misses[below] + (misses[above] - misses[below]) * (place - below))
        return found + max(0.0, level - 1) * 5 * float(misses[-1] - misses[len(misses) // 2])

    def tell(self, miss: float, held: bool | None = None) -> None:
        """`held`: whether the forecast with its margin was not below what came; None: it had none yet."""
        self._misses.append(miss)
        self._sorted = None
        if held is not None:
            self._level += GAMMA * (self.quantile - held)
            self._level = min(1.2, max(0.0, self._level))
