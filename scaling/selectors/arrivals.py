"""Reads of what came to a pool, minute by minute, and of what had been forecast."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Max

from scaling.domain.rollup import Bin, Closed, Counters
from scaling.models import ArrivalHour, ForecastHour

PER_HOUR = 60  # bins


def bins_of(pool_id: UUID, first: int, end: int) -> list[Bin | None]:
    """From bin `first` to before `end`, numbered since the epoch; None where nobody watched."""
    return [Bin(*values) if values else None for values in _between(ArrivalHour, pool_id, first, end)]


def forecasts_of(pool_id: UUID, first: int, end: int) -> list[tuple[float, float, float, str] | None]:
    """For each bin what was expected of the horizon that began with it: at most, in the median, what came,
    and who said so."""
    return [tuple(values) if values else None for values in _between(ForecastHour, pool_id, first, end)]


def _between(
    model: type[ArrivalHour] | type[ForecastHour], pool_id: UUID, first: int, end: int
) -> list[list[Any] | None]:
    found: list[list[Any] | None] = [None] * max(0, end - first)
    rows = model.objects.filter(
        pool_id=pool_id, hour__gte=first // PER_HOUR, hour__lte=max(0, end - 1) // PER_HOUR
    )
    for hour, bins in rows.values_list("hour", "bins"):
        for minute, values in enumerate(bins):
            place = hour * PER_HOUR + minute - first
            if values and 0 <= place < len(found):
                found[place] = values
    return found


def first_bin(pool_id: UUID, since: int) -> int | None:
    """The oldest bin that is kept from `since` on, or one of the same hour before it; None: there is none."""
    hours = ArrivalHour.objects.filter(pool_id=pool_id, hour__gte=since // PER_HOUR)
    row = hours.order_by("hour").values_list("hour", "bins").first()
    if row is None:
        return None
    minute = next((place for place, values in enumerate(row[1]) if values), 0)
    return row[0] * PER_HOUR + minute


def newest(pool_ids: Iterable[UUID]) -> dict[UUID, Closed]:
    """The last bin of each pool that was kept, with the counters at its end."""
    ids = list(pool_ids)
    hours = ArrivalHour.objects.filter(pool_id__in=ids).values("pool_id").annotate(hour=Max("hour"))
    newest_hours = {row["pool_id"]: row["hour"] for row in hours}
    rows = ArrivalHour.objects.filter(pool_id__in=newest_hours, hour__in=set(newest_hours.values()))
    return {
        row.pool_id: Closed(
            row.last,
            Bin(*(row.bins[row.last % PER_HOUR] or (0, 0, 0.0, 0))),
            Counters(row.asked, row.ended, row.held_seconds),
        )
        for row in rows
        if newest_hours[row.pool_id] == row.hour
    }
