"""Forecasters that need no fitting: what was last, and what was at this time of the day or week."""

from __future__ import annotations

from functools import reduce

import numpy as np

from scaling.domain.forecasting.history import DAY, WEEK, History, Series

SMOOTHED = 3  # bins: one alone is mostly chance


class LastValue:
    """The load stays as it is: what any forecast has to beat."""

    name = "last"
    problem = ""

    def fit(self, past: History, horizon: int) -> bool:
        return True

    def guess(self, past: History, since: int, horizon: int) -> Series:
        known: Series = np.log1p(last(past.loads, since))
        return known


class Season:
    """The load stays as it is, or becomes what it was at this time yesterday or a week ago: the largest."""

    name = "naive"
    problem = ""

    def fit(self, past: History, horizon: int) -> bool:
        return len(past) >= DAY

    def guess(self, past: History, since: int, horizon: int) -> Series:
        loads = past.loads
        before = [same_time(loads, since, period, horizon) for period in (DAY, WEEK)]
        known = last(loads, since)
        return np.where(np.isnan(known), np.nan, np.log1p(reduce(np.fmax, before, known)))


def last(loads: Series, since: int) -> Series:
    """The mean of the last known bins, at each index from `since` on and at the next one."""
    return trailing_mean(loads, since, SMOOTHED)


def trailing_mean(loads: Series, since: int, over: int, lag: int = 0) -> Series:
    """Of the `over` bins that end `lag` bins before each index; NaN where none of them is known."""
    first = max(0, since - lag - over)
    ends = np.arange(since, len(loads) + 1) - lag - first
    loads = loads[first:]
    known = ~np.isnan(loads)
    totals = np.concatenate(([0.0], np.cumsum(np.where(known, loads, 0.0))))
    counts = np.concatenate(([0], np.cumsum(known)))
    begins = np.maximum(0, ends - over)
    ends = np.maximum(0, ends)
    number = counts[ends] - counts[begins]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(number > 0, (totals[ends] - totals[begins]) / number, np.nan)


def same_time(loads: Series, since: int, period: int, horizon: int, around: int = 0) -> Series:
    """The largest load one period ago, over the horizon and `around` bins before and after it."""
    size = horizon + 2 * around
    begins = np.arange(since, len(loads) + 1) - period - around
    found = np.full(len(begins), np.nan)
    inside = np.flatnonzero((begins >= 0) & (begins + size <= len(loads)))
    if inside.size:
        low, high = begins[inside[0]], begins[inside[-1]] + size
        windows = np.lib.stride_tricks.sliding_window_view(loads[low:high], size)
        found[inside] = np.fmax.reduce(windows, axis=1)
    return found
