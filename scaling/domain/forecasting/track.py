"""One forecaster's record: its forecasts with their margins, what came, and how good they were."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from scaling.domain.forecasting.conformal import Adaptive
from scaling.domain.forecasting.history import DAY, History
from scaling.domain.forecasting.outlook import QUANTILE, Guess, Outcome, Standing
from scaling.domain.forecasting.port import Forecaster

HIGHEST = 50.0  # logarithm of a load
ROLLING = DAY  # outcomes that coverage and loss are of


def pinball(forecast: float, came: float, quantile: float = QUANTILE) -> float:
    """The loss that the true quantile makes smallest (Koenker and Bassett, 1978)."""
    miss = came - forecast
    return quantile * miss if miss >= 0 else (quantile - 1) * miss


class Track:
    def __init__(self, forecaster: Forecaster) -> None:
        self.forecaster = forecaster
        self.newest: Guess | None = None
        self._intervals = Adaptive(QUANTILE)
        self._open: deque[Guess] = deque()
        self._losses: deque[float] = deque(maxlen=ROLLING)
        self._held: deque[bool] = deque(maxlen=ROLLING)

    def settle(self, past: History, horizon: int) -> list[Outcome]:
        """The outcomes of those guesses whose horizon lies in the past now."""
        found = []
        while self._open and self._open[0].at + horizon <= past.end:
            guess = self._open.popleft()
            begin = guess.at - past.first
            came = float(np.max(past.loads[begin : begin + horizon])) if begin >= 0 else math.nan
            if math.isnan(came):
                continue
            outcome = Outcome(guess, came)
            miss = math.log1p(came) - guess.raw
            if math.isnan(guess.high):
                self._intervals.tell(miss)
            else:
                self._intervals.tell(miss, outcome.held)
                self._losses.append(pinball(guess.high, came))
                self._held.append(outcome.held)
                found.append(outcome)
        return found

    def add(self, at: int, raw: float, most: float) -> None:
        """The forecaster's guess for the horizon that begins with bin `at`; NaN: it has none. No forecast is
        beyond `most` busy agents, whatever the misses were."""
        if math.isnan(raw):
            self.newest = None
            return
        high = median = math.nan
        if self._intervals.ready:
            high, median = (
                min(most, max(0.0, math.expm1(min(raw + margin, HIGHEST))))
                for margin in (self._intervals.margin(), self._intervals.at(0.5))
            )
        self.newest = Guess(at, raw, high, median)
        self._open.append(self.newest)

    @property
    def standing(self) -> Standing:
        number = len(self._losses)
        return Standing(
            self.forecaster.name,
            number,
            sum(self._losses) / number if number else None,
            sum(self._held) / number if number else None,
            self.forecaster.problem,
        )
