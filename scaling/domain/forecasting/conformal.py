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

    @property
    def ready(self) -> bool:
        return len(self._misses) >= 30

    def margin(self) -> float:
        """What is to be added to the guess."""
        return self.at(self._level)

    def at(self, level: float) -> float:
        """The misses' quantile; beyond the largest (or smallest) of them the span of all is added."""
        misses = np.fromiter(self._misses, dtype=float)
        if level >= 1:
            return float(misses.max() + (misses.max() - np.median(misses)) * (level - 1) * 10)
        return float(np.quantile(misses, max(0.0, level)))

    def tell(self, miss: float, held: bool) -> None:
        """`held`: whether the forecast with its margin was not below what came."""
        self._misses.append(miss)
        self._level += GAMMA * (self.quantile - held)
        self._level = min(1.2, max(0.0, self._level))
