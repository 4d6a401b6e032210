"""Arrivals in bins of a minute: what a pool's counters rose by, told to the bins in which it happened.

Counters go on while nobody reads them: what came while the scaler was away is shared out evenly over those
minutes, so that the sums are true; after an absence of more than `MOST_SHARED` bins, or when the counters
began anew, those bins are not known, which is not the same as empty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 60.0  # seconds
MOST_SHARED = 15  # bins
SERVICE_OVER = 200.0  # leases; the weight of older ones falls to 1/e


@dataclass(frozen=True, slots=True)
class Counters:
    """Acquires, leases that ended, and the seconds that those were held together; they only rise, until Redis
    loses its memory."""

    asked: int
    ended: int
    held_seconds: float


@dataclass(frozen=True, slots=True)
class Bin:
    """What happened in one bin: arrivals, leases that ended and how many seconds those were held together,
    and the most places that were asked for at once (leased and waited for)."""

    arrived: int
    ended: int
    held_seconds: float
    peak: int = 0


@dataclass(frozen=True, slots=True)
class Closed:
    """A bin that is over, by its number since the epoch. `after`: the counters at its end."""

    number: int
    bin: Bin
    after: Counters


def number_of(at: float) -> int:
    """The bin of a moment, seconds since the epoch."""
    return math.floor(at / WIDTH)


class Rollup:
    """One pool's. `last` is the last bin that was kept: what came since then is known by the counters."""

    def __init__(self, at: float, counters: Counters, last: Closed | None = None) -> None:
        self._at, self._counters = at, counters
        self._number = number_of(at)
        self._whole = False  # whether the present bin was watched from its beginning
        self._arrived, self._ended, self._held, self._peak = 0, 0, 0.0, 0
        if last is not None and last.number < self._number and _rose(last.after, counters):
            self._number, self._whole = last.number + 1, True
            self._at, self._counters = self._number * WIDTH, last.after

    def see(self, at: float, counters: Counters, peak: int) -> list[Closed]:
        """The bins that are over. `at` may jump: bins that are skipped by more than a little, and one that
        the clock goes back into, are not known."""
        began, before = self._at, self._counters
        self._at, self._counters = at, counters
        number = number_of(at)
        if at < began or number - self._number > MOST_SHARED or not _rose(before, counters):
            self._begin(number, whole=False)
            self._peak = peak
            return []
        found: list[Closed] = []
        told = before
        while self._number < number:
            edge = (self._number + 1) * WIDTH
            then = _between(before, counters, (edge - began) / (at - began))
            self._add(told, then, peak)
            told = then
            if self._whole:
                closed = Bin(self._arrived, self._ended, round(self._held, 3), self._peak)
                found.append(Closed(self._number, closed, then))
            self._begin(self._number + 1, whole=True)
        self._add(told, counters, peak)
        return found

    def _begin(self, number: int, *, whole: bool) -> None:
        self._number, self._whole = number, whole
        self._arrived, self._ended, self._held, self._peak = 0, 0, 0.0, 0

    def _add(self, before: Counters, after: Counters, peak: int) -> None:
        self._arrived += after.asked - before.asked
        self._ended += after.ended - before.ended
        self._held += after.held_seconds - before.held_seconds
        self._peak = max(self._peak, peak)


def _rose(before: Counters, after: Counters) -> bool:
    return after.asked >= before.asked and after.ended >= before.ended


def _between(before: Counters, after: Counters, share: float) -> Counters:
    return Counters(
        before.asked + round((after.asked - before.asked) * share),
        before.ended + round((after.ended - before.ended) * share),
        before.held_seconds + (after.held_seconds - before.held_seconds) * share,
    )


def loads_of(bins: Sequence[Bin | None]) -> list[float | None]:
    """The mean number of busy places that each bin's arrivals need: their number, times what a lease lasted
    about then, by the bin's width. None where nobody watched, and until a lease has ended."""
    found: list[float | None] = []
    mean = weight = 0.0
    for seen in bins:
        if seen is None:
            found.append(None)
            continue
        if seen.ended > 0:
            keep = weight * (1 - 1 / SERVICE_OVER) ** seen.ended
            fresh = 1 - (1 - 1 / SERVICE_OVER) ** seen.ended
            mean = (mean * keep + fresh * seen.held_seconds / seen.ended) / (keep + fresh)
            weight = keep + fresh
        known = weight > 0 or not seen.arrived
        found.append(seen.arrived * mean / WIDTH if known else None)
    return found
