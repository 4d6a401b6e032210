"""When schedules are due, also on the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.schedules import (
    MAX_CAUGHT_UP,
    cron_problem,
    known_zones,
    last_moments,
    next_moment,
    upcoming,
    what_is_due,
)

NOW = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def local(cron: str, zone: str, after: str, count: int) -> list[str]:
    return [moment.isoformat() for moment in upcoming(cron, zone, at(after), count)]


def test_the_next_moment_is_later_than_now() -> None:
    assert next_moment("30 10 * * *", "UTC", NOW) == NOW + timedelta(days=1)
    assert next_moment("30 10 * * *", "UTC", NOW - timedelta(seconds=1)) == NOW
    assert next_moment("0 9 * * MON-FRI", BERLIN, NOW) == at("2026-11-26T09:00+01:00")


def test_a_time_that_the_clock_jumps_over_is_due_right_after() -> None:
    assert local("30 2 * * *", BERLIN, "2026-03-28T12:00Z", 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_a_time_that_comes_twice_is_due_once() -> None:
    assert local("30 2 * * *", BERLIN, "2026-10-24T12:00Z", 2) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]
    # Asked between the two, nothing is due a second time.
    assert local("30 2 * * *", BERLIN, "2026-10-25T00:45Z", 1) == ["2026-10-26T02:30:00+01:00"]
    assert local("30 2 * * *", BERLIN, "2026-10-25T01:15Z", 1) == ["2026-10-26T02:30:00+01:00"]


def test_lines_with_stars_follow_elapsed_time() -> None:
    assert local("0 * * * *", BERLIN, "2026-10-24T23:30Z", 4) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
        "2026-10-25T04:00:00+01:00",
    ]
    assert local("*/30 * * * *", BERLIN, "2026-03-29T00:15Z", 3) == [
        "2026-03-29T01:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T03:30:00+02:00",
    ]


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("0 0 29 2 *", None),
        ("0 0 31 2 1-5", None),  # with both days named, either of them will do
        ("* * * *", "five fields"),
        ("0 0 0 1 1 *", "five fields"),
        ("", "five fields"),
        ("60 * * * *", "look at the minute"),
        ("* 24 * * *", "look at the hour"),
        ("* * * * SUNDAY", "look at the day-of-week"),
        ("*/0 * * * *", "look at the minute"),
        ("٣ * * * *", "look at the minute"),
    ],
)
def test_what_is_wrong_with_a_line(cron: str, told: str | None) -> None:
    problem = cron_problem(cron, BERLIN, NOW)
    assert (told is None and problem is None) or (told is not None and told in (problem or ""))


@given(st.text(st.sampled_from("0123456789*/,-#L W MONx"), max_size=30))
def test_no_line_is_too_odd_to_be_judged(cron: str) -> None:
    if cron_problem(cron, "UTC", NOW) is None:
        assert next_moment(cron, "UTC", NOW) is not None


def test_zones() -> None:
    assert {"UTC", BERLIN, "Asia/Kolkata"} <= known_zones()
    assert "../../etc/passwd" not in known_zones()


# --- after a pause ---------------------------------------------------------------------------------------


def test_on_time() -> None:
    for catch_up in ("skip", "last", "all"):
        due = what_is_due("* * * * *", "UTC", catch_up, NOW, NOW + timedelta(seconds=1))
        assert (due.fire, due.missed, due.late) == ((NOW,), 0, frozenset())


def test_after_a_pause_of_an_hour() -> None:
    first, now = NOW, NOW + timedelta(hours=1, seconds=5)
    every = [NOW + timedelta(minutes=10 * n) for n in range(7)]
    skipped = what_is_due("*/10 * * * *", "UTC", "skip", first, now)
    assert (skipped.fire, skipped.missed, skipped.last_missed) == ((every[-1],), 6, every[-2])
    last = what_is_due("*/10 * * * *", "UTC", "last", first, now)
    assert (last.fire, last.missed) == ((every[-1],), 6)
    everything = what_is_due("*/10 * * * *", "UTC", "all", first, now)
    assert (everything.fire, everything.missed) == (tuple(every), 0)
    assert everything.late == frozenset(every[:-1])


def test_when_nothing_is_due_at_this_moment() -> None:
    now = NOW + timedelta(hours=5)
    assert what_is_due("30 10 * * *", "UTC", "skip", NOW, now).fire == ()
    assert what_is_due("30 10 * * *", "UTC", "skip", NOW, now).last_missed == NOW
    assert what_is_due("30 10 * * *", "UTC", "last", NOW, now).fire == (NOW,)


def test_catching_up_is_bounded() -> None:
    year = what_is_due("* * * * *", "UTC", "all", NOW - timedelta(days=365), NOW)
    assert len(year.fire) == MAX_CAUGHT_UP
    assert year.fire[-1] == NOW
    assert (year.missed, year.many) == (1, True)


CRONS = st.sampled_from(
    ["* * * * *", "*/7 * * * *", "30 2 * * *", "0,30 1-3 * * *", "15 */2 * * *", "0 * * * 0", "5 2 29 * *"]
)
ZONES = st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
# Around the changes of spring and autumn in all of these zones.
STARTS = st.sampled_from(
    [datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 3, 28, tzinfo=UTC)]
) | st.sampled_from(
    [datetime(2026, 4, 4, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC)]
)
SECONDS = st.integers(0, 36 * 3600)


@given(CRONS, ZONES, STARTS, SECONDS, SECONDS, st.integers(1, 50))
def test_moments_do_not_depend_on_when_they_are_asked_for(
    cron: str, zone: str, start: datetime, one: int, other: int, limit: int
) -> None:
    first, until = start + timedelta(seconds=min(one, other)), start + timedelta(seconds=max(one, other))
    whole = last_moments(cron, zone, start - timedelta(days=1), until, 10_000)
    assert all(earlier < later for earlier, later in pairwise(whole))
    wanted = [moment for moment in whole if moment >= first]
    assert last_moments(cron, zone, first, until, limit) == wanted[-limit:]
    upcoming_one = next_moment(cron, zone, first - timedelta(seconds=1))
    if wanted:
        assert upcoming_one == wanted[0]
