"""A pool's load in the past, as an array of bins (`rollup` says how wide they are and what a load is)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling.domain.rollup import WIDTH

Series = np.ndarray  # of floats; NaN where nothing is known

DAY = round(86_400 / WIDTH)  # bins
WEEK = 7 * DAY
KEPT = 15 * DAY


@dataclass(frozen=True, slots=True)
class History:
    """`loads[i]` is the mean number of busy agents that bin `first + i` needed, bins counted from the epoch;
    NaN: nobody watched."""

    first: int
    loads: Series

    def __len__(self) -> int:
        return len(self.loads)

    @property
    def end(self) -> int:
        """The bin that comes next."""
        return self.first + len(self.loads)

    def until(self, index: int) -> History:
        """What was known before the bin of that index (not its number)."""
        return History(self.first, self.loads[:index])

    def with_load(self, load: float) -> History:
        """One bin more, and the oldest one less when enough are kept."""
        kept = self.loads[max(0, len(self.loads) - KEPT + 1) :]
        return History(self.end - len(kept), np.append(kept, load))


NOTHING = History(0, np.empty(0))


def coming_maxima(loads: Series, horizon: int) -> Series:
    """For each bin the largest load of it and the `horizon - 1` after it; NaN where one is not known."""
    if len(loads) < horizon:
        return np.full(len(loads), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(loads, horizon)
    return np.concatenate((windows.max(axis=1), np.full(horizon - 1, np.nan)))


def known_share(loads: Series) -> float:
    return float(np.mean(~np.isnan(loads))) if len(loads) else 0.0
