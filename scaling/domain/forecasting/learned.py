"""The learned forecaster: gradient-boosted trees for the quantile of what comes.

scikit-learn's HistGradientBoostingRegressor with the quantile loss, on log(1 + load), over recent means and
maxima, the same time yesterday and a week ago, and the clock. It is imported when a model is fitted: only the
process that fits pays for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling.domain.forecasting.history import DAY, WEEK, History, Series, coming_maxima
from scaling.domain.forecasting.naive import same_time, trailing_mean

QUANTILE = 0.9
FEWEST = 500  # examples
MOST = 14 * DAY
MEANS = (1, 2, 3, 5, 10, 20, 40, 90)  # bins
MAXIMA = (5, 15, 60)


class NotInstalled(RuntimeError):
    """scikit-learn is missing."""

    def __init__(self) -> None:
        super().__init__("scikit-learn is not installed")


class Learned:
    name = "ml-based"
    problem = ""

    def __init__(self) -> None:
        self._model: Any = None
        self._columns = np.empty(0, dtype=int)  # what there is: no week ago in the first week

    def fit(self, past: History, horizon: int) -> bool:
        """Raises NotInstalled."""
        try:
            from sklearn.ensemble import HistGradientBoostingRegressor  # large: see above
            from threadpoolctl import threadpool_limits
        except ImportError as exc:
            raise NotInstalled from exc
        threadpool_limits(1, user_api="openmp")  # so small a model is no work for several threads
        first = max(0, len(past) - MOST)
        features = features_of(past, first, horizon)[:-1]
        wanted = np.log1p(coming_maxima(past.loads, horizon))[first:]
        usable = ~np.isnan(wanted) & ~np.isnan(features[:, 0])
        if usable.sum() < FEWEST:
            return self._model is not None
        self._columns = np.flatnonzero(~np.isnan(features[usable]).all(axis=0))
        self._model = HistGradientBoostingRegressor(
            loss="quantile",
            quantile=QUANTILE,
            max_iter=120,
            learning_rate=0.06,
            max_leaf_nodes=15,
            min_samples_leaf=60,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=0,
        ).fit(features[usable][:, self._columns], wanted[usable])
        return True

    def guess(self, past: History, since: int, horizon: int) -> Series:
        if self._model is None:
            return np.full(len(past) + 1 - since, np.nan)
        features = features_of(past, since, horizon)
        found = self._model.predict(features[:, self._columns])
        return np.where(np.isnan(features[:, 0]), np.nan, found)


def features_of(past: History, since: int, horizon: int) -> np.ndarray:
    """A row for each index from `since` on and for the next one, of what was known before it."""
    loads = past.loads
    means = [trailing_mean(loads, since, over) for over in MEANS]
    before = [
        same_time(loads, since, period, horizon, around) for period in (DAY, WEEK) for around in (0, 5, 20)
    ]
    # How today compares with then, just before.
    level = trailing_mean(loads, since, 30)
    then = [trailing_mean(loads, since, 30, lag=period) for period in (DAY, WEEK)]
    hours = (past.first + np.arange(since, len(loads) + 1)) % DAY / DAY * 2 * np.pi
    days = (past.first + np.arange(since, len(loads) + 1)) // DAY % 7
    scaled = [np.log1p(one) for one in (*means, *_maxima(loads, since), *before, level, *then)]
    columns = [*scaled, np.log1p(level) - np.log1p(then[0]), np.sin(hours), np.cos(hours), days]
    return np.column_stack(columns)


def _maxima(loads: Series, since: int) -> list[Series]:
    found = []
    for over in MAXIMA:
        padded = np.concatenate((np.full(over, np.nan), loads))[since:]
        found.append(np.fmax.reduce(np.lib.stride_tricks.sliding_window_view(padded, over), axis=1))
    return found
