"""What comes to each pool, kept minute by minute: the history that forecasts are made of.

One writer, the scaler under its lead. A bin that is kept is never written again: whoever leads next, or a
clock that is set back, adds to the history and does not change it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction

from pools.facade.contracts import PoolLoad
from scaling.domain.rollup import Closed, Counters, Rollup, number_of
from scaling.models import ArrivalHour, ForecastHour, PoolForecast
from scaling.selectors import arrivals as read
from scaling.selectors.arrivals import PER_HOUR
from teams.facade.api import slugs_of

log = logging.getLogger(__name__)

KEPT_HOURS = 16 * 24
PAGE = 1000
HELD_BACK = 10_000  # bins that wait for the database at most


@dataclass(frozen=True, slots=True)
class Kept:
    team_id: int
    pool_id: UUID
    closed: Closed


class Arrivals:
    """Reads the pools' counters at each evaluation, and hands out the bins that are over."""

    def __init__(self) -> None:
        self._rollups: dict[UUID, Rollup] = {}
        self._over: list[Kept] = []

    def see(self, loads: Sequence[PoolLoad], at: float) -> None:
        fresh = [load.pool_id for load in loads if load.pool_id not in self._rollups]
        last = read.newest(fresh) if fresh else {}
        for load in loads:
            counters = Counters(load.asked, load.ended, load.held_seconds)
            rollup = self._rollups.get(load.pool_id)
            if rollup is None:
                rollup = self._rollups[load.pool_id] = Rollup(at, counters, last.get(load.pool_id))
            for closed in rollup.see(at, counters, load.leases + load.waiting):
                self._over.append(Kept(load.team_id, load.pool_id, closed))
        del self._over[:-HELD_BACK]
        for pool_id in set(self._rollups) - {load.pool_id for load in loads}:
            del self._rollups[pool_id]

    @property
    def due(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self._over)

    def keep(self) -> None:
        """Writes them; what cannot be written is tried again at the next time."""
        over = list(self._over)
        keep(over)
        del self._over[: len(over)]


def keep(over: Sequence[Kept]) -> None:
    """Two who write the same hour at the same moment: the second finds the first one's row."""
    try:
        _keep(over)
    except IntegrityError:
        _keep(over)


@transaction.atomic
def _keep(over: Sequence[Kept]) -> None:
    teams = slugs_of(one.team_id for one in over)
    over = [one for one in over if one.team_id in teams]  # what a team has left behind is nobody's
    hours = {(one.pool_id, one.closed.number // PER_HOUR) for one in over}
    rows = {
        (row.pool_id, row.hour): row
        for row in ArrivalHour.objects.select_for_update()
        .filter(pool_id__in={pool_id for pool_id, _ in hours}, hour__in={hour for _, hour in hours})
        .order_by("pk")
    }
    for one in over:
        closed, key = one.closed, (one.pool_id, one.closed.number // PER_HOUR)
        row = rows.get(key)
        if row is None:
            row = rows[key] = ArrivalHour(
                team_id=one.team_id, pool_id=one.pool_id, hour=key[1], bins=[None] * PER_HOUR, last=0
            )
        minute = closed.number % PER_HOUR
        if row.bins[minute] is not None:
            continue
        seen = closed.bin
        row.bins[minute] = [seen.arrived, seen.ended, seen.held_seconds, seen.peak]
        if closed.number >= row.last:
            row.last = closed.number
            row.asked, row.ended = closed.after.asked, closed.after.ended
            row.held_seconds = closed.after.held_seconds
    known = [row for key, row in rows.items() if row.pk is not None and key in hours]
    ArrivalHour.objects.bulk_create([row for row in rows.values() if row.pk is None])
    ArrivalHour.objects.bulk_update(known, ["bins", "last", "asked", "ended", "held_seconds"])


def forget(at: float) -> None:
    """What is older than it can be of use, a page at a time. `at` in seconds since the epoch."""
    oldest = number_of(at) // PER_HOUR - KEPT_HOURS
    for model in (ArrivalHour, ForecastHour):
        while True:
            page = list(
                model.objects.filter(hour__lt=oldest).order_by("hour").values_list("pk", flat=True)[:PAGE]
            )
            model.objects.filter(pk__in=page).delete()
            if len(page) < PAGE:
                break
    kept = ArrivalHour.objects.values("pool_id")
    PoolForecast.objects.exclude(pool_id__in=kept).delete()
