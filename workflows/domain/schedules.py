"""When a schedule is due: a cron line in a time zone.

`cronsim` knows Debian cron's rules for the days on which clocks change: a fixed time that the clock jumps
over is due right after the jump, one that comes twice is due once, and lines with `*` for the hour or the
minute follow elapsed time. Moments are UTC, and none comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

CatchUp = Literal["skip", "last", "all"]

ON_TIME = timedelta(seconds=60)  # what is due for no longer than this was not missed
MAX_CAUGHT_UP = 100


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    return frozenset(available_timezones() | {"UTC"})


def zone_of(name: str) -> tzinfo:
    """A zone of `known_zones`."""
    return UTC if name == "UTC" else ZoneInfo(name)


def cron_problem(cron: str, zone: str, now: datetime) -> str | None:
    """What is wrong with a line of cron, in a sentence; None when it is due some day."""
    if len(cron.split()) != 5:
        return "A cron line has five fields: minute, hour, day of month, month, day of week."
    try:
        CronSim(cron, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as exc:
        if "day-of-month" in str(exc) and _would_do_with_any_month(cron):
            return "This line never fires: none of its months has such a day."
        return f"This is not a cron line: {str(exc).replace('Bad ', 'look at the ')}."
    if next_moment(cron, zone, now) is None:
        return "This line never fires: no day fits it."
    return None


def _would_do_with_any_month(cron: str) -> bool:
    minute, hour, day, _month, weekday = cron.split()
    try:
        CronSim(f"{minute} {hour} {day} * {weekday}", datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError:
        return False
    return True


def moments_after(cron: str, zone: str, after: datetime) -> Iterator[datetime]:
    """Every moment later than `after`, in order; ends when there is none for fifty years."""
    last = after
    for local in CronSim(cron, after.astimezone(zone_of(zone))):
        moment = local.astimezone(UTC)
        # From within an hour that comes twice, the library gives moments of the first time again.
        if moment > last:
            last = moment
            yield moment


def next_moment(cron: str, zone: str, after: datetime) -> datetime | None:
    return next(moments_after(cron, zone, after), None)


def last_moments(cron: str, zone: str, first: datetime, until: datetime, limit: int) -> list[datetime]:
    """The latest moments from `first` to `until` (both included), at most `limit`, the oldest first.

    A year of minutes is not walked through: the search goes back in steps that grow.
    """
    span = timedelta(hours=2)
    while True:
        start = max(first - timedelta(seconds=1), until - span)
        found = []
        for moment in moments_after(cron, zone, start):
            if moment > until:
                break
            found.append(moment)
        if len(found) >= limit or start < first:
            return found[-limit:]
        span *= 4


@dataclass(frozen=True, slots=True)
class Due:
    """`fire`: moments that go off now, the oldest first; `late` are those of them that were missed.
    `missed` counts those that never will (`many`: more than were counted), up to `last_missed`."""

    fire: tuple[datetime, ...]
    late: frozenset[datetime]
    missed: int
    many: bool
    last_missed: datetime | None


def what_is_due(cron: str, zone: str, catch_up: CatchUp, due: datetime, now: datetime) -> Due:
    """What a schedule whose next moment was `due` has to do at `now`, after a pause of any length."""
    moments = last_moments(cron, zone, due, now, MAX_CAUGHT_UP + 1)
    late = [moment for moment in moments if now - moment > ON_TIME]
    if catch_up == "skip":
        fire = [moment for moment in moments if moment not in late]
    elif catch_up == "last":
        fire = moments[-1:]
    else:
        fire = moments[-MAX_CAUGHT_UP:]
    passed = [moment for moment in moments if moment not in fire]
    return Due(
        fire=tuple(fire),
        late=frozenset(late) & frozenset(fire),
        missed=len(passed),
        many=len(moments) > MAX_CAUGHT_UP,
        last_missed=passed[-1] if passed else None,
    )


def upcoming(cron: str, zone: str, now: datetime, count: int) -> list[datetime]:
    """The next moments in the schedule's own zone, so that people see when its clock changes."""
    local = zone_of(zone)
    return [moment.astimezone(local) for moment in islice(moments_after(cron, zone, now), count)]
