"""Arrival traces: counts of arrivals in bins of equal width, as CSV holds them.

Does not: draw arrivals (`workload` does).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from aflow_site.kernel.errors import Fault, InvalidInput

MOST_BINS = 5_000_000
MOST_COUNT = 1e9  # in a bin
_WIDTH_IN_NAME = re.compile(r"_(\d+)s(?:\.csv)?$")


@dataclass(frozen=True, slots=True)
class Trace:
    """`counts[i]` arrivals came between `i * width` and `(i + 1) * width` seconds from the trace's start."""

    width: float
    counts: tuple[float, ...]

    @property
    def seconds(self) -> float:
        return self.width * len(self.counts)


def width_of(name: str) -> float | None:
    """The bins' width in seconds that a file's name tells, as in `arrivals_300s.csv`."""
    found = _WIDTH_IN_NAME.search(name)
    return float(found[1]) if found else None


def read(lines: Iterable[str], name: str = "") -> Trace:
    """From CSV with the columns `second_offset` and `count`; bins that are left out count nothing.

    Raises `InvalidInput` with the lines at fault (the first ten of them).
    """
    rows, faults = _rows(lines)
    if not rows and not faults:
        faults.append(
            Fault("", "The trace holds no bins: below the header, each line is an offset and a count.")
        )
    if faults:
        raise InvalidInput("The trace cannot be read.", faults=faults[:10])
    width = width_of(name) or _smallest_step(sorted(rows))
    last = max(rows)
    bins = round(last / width) + 1
    if bins > MOST_BINS:
        raise InvalidInput(f"The trace spans {bins:,} bins of {width:g} s; {MOST_BINS:,} are the most.")
    counts = [0.0] * bins
    for offset, count in rows.items():
        at = offset / width
        if abs(at - round(at)) > 1e-6:
            raise InvalidInput(
                f"The offset {offset:g} is not on the grid of {width:g} s that the others are on."
            )
        counts[round(at)] = count
    return Trace(width, tuple(counts))


def _rows(lines: Iterable[str]) -> tuple[dict[float, float], list[Fault]]:
    rows: dict[float, float] = {}
    faults: list[Fault] = []
    reader = csv.reader(lines)
    header = [cell.strip() for cell in next(reader, [])]
    if header[:2] != ["second_offset", "count"]:
        return rows, [Fault("line 1", "The first line must be the header second_offset,count.")]
    for cells in reader:
        if not cells or len(faults) > 10:
            continue
        place = f"line {reader.line_num}"
        try:
            offset, count = float(cells[0]), float(cells[1])
        except (ValueError, IndexError):
            faults.append(Fault(place, "Two numbers are expected here: an offset in seconds and a count."))
            continue
        if not (0 <= offset < float("inf") and 0 <= count <= MOST_COUNT):
            faults.append(
                Fault(place, f"Offsets must be finite, counts at most {MOST_COUNT:g}, none below 0.")
            )
        elif offset in rows:
            faults.append(Fault(place, f"The offset {offset:g} stands there twice."))
        else:
            rows[offset] = count
    return rows, faults


def _smallest_step(offsets: list[float]) -> float:
    if len(offsets) < 2:
        return 60.0
    return min(after - before for before, after in pairwise(offsets))
