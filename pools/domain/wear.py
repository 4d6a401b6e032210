"""How soon agents have no uses left, so that others are ready in their place.

Does not: bound uses (the lease scripts do), or make or retire agents (`sizing` says how many).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID

from pools.domain.sizing import share_of_life

REMEMBERED = 120.0  # seconds, or longer for agents that start slowly: work comes in bursts
SPAN = 0.5  # seconds: uses are counted over no less
LONGER = 1.5  # times the usual: what a start may take
KEPT = 2.0  # times the uses that make a replacement needed: until then it is kept, or it would come and go
STEP = 10  # of the uses within a start, those after which to look again, however many turns are near
FEW = 10  # of fewer uses one is too large a part to be given away


class Uses:
    """How many uses a pool may have within a start: the most that it had in so short a time of late.

    Made of readings of a counter, `at` a clock that only rises. Between two of them uses count as if they
    came in one moment: they may have. `expected`: what was known before; `within`: seconds."""

    def __init__(self, at: float, expected: float = 0.0) -> None:
        self.within = SPAN
        self._readings: deque[tuple[float, int]] = deque()
        self._peaks = deque([(at, expected)])  # each lower than those before

    def read(self, used: int, at: float) -> None:
        readings, peaks = self._readings, self._peaks
        if readings and used < readings[-1][1]:
            readings.clear()  # Redis began anew
        if not readings or used != readings[-1][1]:
            readings.append((at, used))
        while len(readings) > 1 and readings[1][0] <= at - self.within:
            readings.popleft()
        count = used - readings[0][1]
        while peaks and peaks[-1][1] <= count:
            peaks.pop()
        peaks.append((at, count))

    def expected(self, at: float) -> float:
        peaks = self._peaks
        while len(peaks) > 1 and peaks[0][0] < at - max(REMEMBERED, 2 * self.within):
            peaks.popleft()
        return peaks[0][1]


def worn_at(agent_id: UUID, max_uses: int) -> int:
    """After how many uses an agent leaves where a replacement is ready: its share of `max_uses`, and at least
    one before them all."""
    if max_uses < FEW:
        return max_uses
    return min(max_uses - 1, math.ceil(max_uses * share_of_life(agent_id)))


@dataclass(frozen=True, slots=True)
class Life:
    """Of an agent: the uses that nobody has yet, and whether it has had its share of them."""

    left: int
    worn: bool


def counted(lives: Sequence[Life]) -> list[int]:
    """The uses left of each, as replacements go by them. Of agents that are worn or at their last use a tenth
    is replaced whatever the pace, which counts as none left; the others as the pace wears them out, for the
    last use may be a long one."""
    due = sorted(life.left for life in lives if life.worn or life.left <= 0)
    now = max(1, len(lives) // 10)
    return (
        [0] * len(due[:now])
        + [max(1, left) for left in due[now:]]
        + [life.left for life in lives if not life.worn and life.left > 0]
    )


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
