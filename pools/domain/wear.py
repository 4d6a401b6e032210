"""How soon agents have no uses left, so that others are ready in their place.

Does not: bound uses (the lease scripts do), or make or retire agents (`sizing` says how many).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from itertools import accumulate
from uuid import UUID

from pools.domain.sizing import share_of_life

REMEMBERED = 120.0  # seconds at least: work comes in bursts
SPAN = 0.5  # seconds: uses are not counted over less
LONGER = 1.5  # times the usual: what a start may take
KEPT = 2.0  # times the uses that make a replacement needed: until then it is kept, or it would come and go
STEP = 10  # of the uses within a start, those after which to look again, however many turns are near
FEW = 10  # of fewer uses one is too large a part to be given away


class Uses:
    """How many uses a pool may have within a start: the most that it had in so short a time of late.

    Made of readings of a counter, which is taken to rise evenly between two of them. `expected`: what was
    known before."""

    def __init__(self, at: float, expected: float = 0.0) -> None:
        self._readings: deque[tuple[float, int]] = deque()
        self._peaks = deque([(at, expected)])  # each lower than those before

    def note(self, used: int, at: float, start_time: float) -> float:
        """The uses expected within one start that begins now. `at`: on a clock that only rises."""
        within = max(SPAN, start_time * LONGER)
        readings, peaks = self._readings, self._peaks
        if readings and used < readings[-1][1]:
            readings.clear()  # Redis began anew
        readings.append((at, used))
        while len(readings) > 1 and readings[1][0] <= at - within:
            readings.popleft()
        count = used - _between(readings, at - within)
        while peaks and peaks[-1][1] <= count:
            peaks.pop()
        peaks.append((at, count))
        while peaks[0][0] < at - max(REMEMBERED, 2 * within):
            peaks.popleft()
        return peaks[0][1]


def _between(readings: deque[tuple[float, int]], at: float) -> float:
    """What the counter was then: the first reading is of that time or before, if there is any."""
    began, used = readings[0]
    if len(readings) == 1 or began >= at:
        return used
    ended, later = readings[1]
    return used + (later - used) * (at - began) / (ended - began)


def worn_at(agent_id: UUID, max_uses: int) -> int:
    """After how many uses an agent leaves where a replacement is ready: its share of `max_uses`, and at least
    one before them all."""
    if max_uses < FEW:
        return max_uses
    return min(max_uses - 1, math.ceil(max_uses * share_of_life(agent_id)))


def wearing(left: Iterable[int], uses: float) -> int:
    """How many agents may have none left after so many more `uses`: as if those with the fewest `left` served
    first, so that it is never too few, whatever the order of assignment."""
    return sum(total <= uses for total in accumulate(sorted(left)))


def next_turn(left: Iterable[int], uses: float) -> int | None:
    """After how many uses to look again, where so many `uses` are expected within a start: one agent more may
    be worn then. None: no agent is left that could be."""
    for total in accumulate(sorted(left)):
        if total > uses:
            return max(1, math.ceil(total - uses), math.ceil(uses / STEP))
    return None
