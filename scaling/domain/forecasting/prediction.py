"""A pool's prediction: several forecasters run side by side, the best of them serves, if it pays.

Each makes a forecast whenever a bin is over; what came decides which of them serves (the smallest pinball
loss of the last day) and whether it is heeded at all. Before that they are tried on the days that are known.

Does not: know agents, nor when to fit (the caller does, where it costs nobody anything).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from scaling.domain.decisions import TRUSTED
from scaling.domain.forecasting.history import DAY, NOTHING, History, known_share
from scaling.domain.forecasting.naive import LastValue, Season
from scaling.domain.forecasting.outlook import Guess, Outcome, Outlook, Standing, Why
from scaling.domain.forecasting.port import Forecaster
from scaling.domain.forecasting.track import Track

TRIED = 2 * DAY  # bins of the past on which forecasters are tried
FEWEST = 60  # outcomes
BETTER = 0.98  # of the other's loss: who serves stays until another is that good, and so for on and off
KNOWN = 0.9  # of a day's bins
REFIT = DAY // 2  # bins


class Prediction:
    def __init__(self, horizon: int, forecasters: Sequence[Forecaster] = ()) -> None:
        self.horizon = horizon
        self._benchmark = Track(LastValue())
        self._tracks = [Track(one) for one in forecasters or (Season(),)]
        self._serving = self._tracks[0]
        self._on = False
        self.past = NOTHING

    def prime(self, past: History) -> list[Outcome]:
        """Tries each forecaster on the last days, fitted to what came before those. Slow: up to seconds.

        Returns the outcomes of the one that serves now."""
        self.past = past
        since = max(len(past) - TRIED, min(DAY, len(past)), len(past) * 2 // 3)
        found = {}
        for track in (self._benchmark, *self._tracks):
            found[track.forecaster.name] = self._try(track, past, since)
        self._choose()
        return found[self._serving.forecaster.name]

    def _try(self, track: Track, past: History, since: int) -> list[Outcome]:
        outcomes: list[Outcome] = []
        most = self._most
        if track.forecaster.fit(past.until(since), self.horizon):
            for offset, raw in enumerate(track.forecaster.guess(past, since, self.horizon)[:-1]):
                index = since + offset
                outcomes += track.settle(past.until(index), self.horizon)
                track.add(past.first + index, float(raw), most)
            outcomes += track.settle(past, self.horizon)
        if track.forecaster.fit(past, self.horizon):
            track.add(past.end, float(track.forecaster.guess(past, len(past), self.horizon)[-1]), most)
        return outcomes

    def refit(self) -> None:
        """To all that is known. Slow."""
        for track in self._tracks:
            track.forecaster.fit(self.past, self.horizon)

    def see(self, load: float) -> list[Outcome]:
        """A bin is over, with that load (NaN: not known). Returns the outcomes of the one that served."""
        self.past = self.past.with_load(load)
        settled: list[Outcome] = []
        most = self._most
        for track in (self._benchmark, *self._tracks):
            outcomes = track.settle(self.past, self.horizon)
            if track is self._serving:
                settled = outcomes
            raw = track.forecaster.guess(self.past, len(self.past), self.horizon)[-1]
            track.add(self.past.end, float(raw), most)
        self._choose()
        return settled

    @property
    def _most(self) -> float:
        """Twice the largest load that is known: what is more than that, the scaler answers when it comes."""
        known = self.past.loads[~np.isnan(self.past.loads)]
        return 2 * float(known.max()) if known.size else 0.0

    def _choose(self) -> None:
        """The least loss serves; it is on while it is better than the last value."""
        served = self._serving.standing.pinball
        for track in self._tracks:
            loss = track.standing.pinball
            if loss is not None and (served is None or loss < served * BETTER):
                self._serving, served = track, loss
        if self._serving.newest is None:
            able = [track for track in self._tracks if track.newest is not None]
            self._serving = able[0] if able else self._serving
        benchmark = self._benchmark.standing.pinball
        if served is not None and benchmark is not None:
            self._on = served <= benchmark * (1.0 if self._on else BETTER)

    @property
    def outlook(self) -> Outlook:
        guess = self._serving.newest
        if guess is not None and math.isnan(guess.high):
            guess = None
        standing = self._serving.standing
        why = self._why(guess, standing)
        return Outlook(
            why == Why.PAYS,
            why,
            standing.name,
            self.horizon,
            guess,
            standing.coverage,
            tuple(track.standing for track in (self._benchmark, *self._tracks)),
        )

    def _why(self, guess: Guess | None, standing: Standing) -> str:
        if len(self.past) < DAY or known_share(self.past.loads[-DAY:]) < KNOWN:
            return Why.NO_SEASON.value
        if standing.outcomes < FEWEST:
            return Why.UNTRIED.value
        if guess is None:
            return Why.MISSING.value
        if (standing.coverage or 0.0) < TRUSTED:
            return Why.COVERAGE.value
        return Why.PAYS.value if self._on else Why.NO_BETTER.value
