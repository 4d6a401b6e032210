"""What every forecaster can do."""

from __future__ import annotations

from typing import Protocol

from scaling.domain.forecasting.history import History, Series


class Forecaster(Protocol):
    """Guesses, for a bin, the largest load of that bin and of those after it inside the horizon, from nothing
    but the bins before it. Guesses are log(1 + load): a margin on that scale is a share of the load."""

    name: str
    problem: str  # why it cannot guess, as a sentence; empty otherwise

    def fit(self, past: History, horizon: int) -> bool:
        """Learns from the past; whether it can guess now."""
        ...

    def guess(self, past: History, since: int, horizon: int) -> Series:
        """One guess for each index of the past from `since` on, and one more for the bin that comes next.
        NaN: no guess."""
        ...
