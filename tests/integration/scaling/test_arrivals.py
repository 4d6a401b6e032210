"""Arrivals by the minute in rows: true across restarts, and whoever writes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from channels.db import database_sync_to_async

from pools.facade.contracts import PoolLoad, Steering
from pools.models import Pool
from scaling.domain.rollup import Bin, Closed, Counters, number_of
from scaling.models import ArrivalHour
from scaling.selectors.arrivals import bins_of, first_bin
from scaling.services import scaler
from scaling.services.arrivals import KEPT_HOURS, Arrivals, Kept, forget
from tests.factories.pools import make_pool
from tests.fakes.pools import until
from tests.integration.scaling.test_api import load_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

AT = 1_800_000_000.0  # the beginning of an hour
FIRST = number_of(AT)


def seen(load: PoolLoad, asked: int, *, leases: int = 0, waiting: int = 0) -> PoolLoad:
    return replace(load, asked=asked, ended=asked, held_seconds=2.0 * asked, leases=leases, waiting=waiting)


def watched(arrivals: Arrivals, load: PoolLoad, since: int, until: int) -> None:
    """One arrival a second, from second to second after `AT`."""
    for second in range(since, until, 5):
        arrivals.see([seen(load, 1000 + second, leases=3, waiting=second % 7)], AT + second)


@pytest.fixture
def pool() -> Pool:
    return make_pool()


@pytest.fixture
def load(pool: Pool) -> PoolLoad:
    return load_of(pool)


def test_they_are_kept_by_the_minute_and_one_row_holds_an_hour(load: PoolLoad) -> None:
    arrivals = Arrivals()
    watched(arrivals, load, 0, 3800)
    assert arrivals.due
    arrivals.keep()
    assert not arrivals.due
    assert [row.hour for row in ArrivalHour.objects.order_by("hour")] == [FIRST // 60, FIRST // 60 + 1]
    bins = bins_of(load.pool_id, FIRST, FIRST + 64)
    assert bins[1] == Bin(60, 60, 120.0, peak=9)
    assert [one.arrived if one else None for one in bins] == [None, *[60] * 62, None]
    assert first_bin(load.pool_id, FIRST - 100) == FIRST + 1


def test_a_restart_loses_no_arrivals(load: PoolLoad) -> None:
    first = Arrivals()
    watched(first, load, 0, 150)
    first.keep()
    watched(first, load, 150, 170)  # what it saw since is lost with it
    second = Arrivals()
    watched(second, load, 400, 425)
    second.keep()
    bins = bins_of(load.pool_id, FIRST + 1, FIRST + 8)
    assert [one.arrived for one in bins[:6]] == [60] * 6
    assert bins[6] is None


def test_an_absence_that_is_long_leaves_a_gap(load: PoolLoad) -> None:
    for since in (0, 7200):
        arrivals = Arrivals()
        watched(arrivals, load, since, since + 185)
        arrivals.keep()
    bins = bins_of(load.pool_id, FIRST, FIRST + 123)
    assert [place for place, one in enumerate(bins) if one] == [1, 2, 121, 122]


def test_what_is_kept_is_not_written_again(load: PoolLoad) -> None:
    """Two controllers at once, of which one lost the lead without knowing it yet."""
    first, second = Arrivals(), Arrivals()
    watched(first, load, 0, 185)
    for second_at in range(0, 250, 5):
        second.see([seen(load, 1000 + 9 * second_at)], AT + second_at)
    first.keep()
    second.keep()
    bins = bins_of(load.pool_id, FIRST + 1, FIRST + 4)
    assert [one.arrived for one in bins] == [60, 60, 540]
    assert ArrivalHour.objects.count() == 1


def test_a_clock_that_is_set_back_changes_nothing_that_is_kept(load: PoolLoad) -> None:
    arrivals = Arrivals()
    watched(arrivals, load, 0, 605)
    arrivals.keep()
    before = bins_of(load.pool_id, FIRST, FIRST + 20)
    for second in range(0, 900, 5):
        arrivals.see([seen(load, 1605 + 3 * second)], AT + second)
    arrivals.keep()
    after = bins_of(load.pool_id, FIRST, FIRST + 20)
    assert after[:10] == before[:10]
    assert [one.arrived for one in after[10:14]] == [180] * 4


def test_a_team_that_is_gone_holds_nobody_up(load: PoolLoad) -> None:
    gone = replace(load, team_id=load.team_id + 1000, pool_id=uuid4())
    arrivals = Arrivals()
    for second in range(0, 185, 5):
        arrivals.see([seen(load, second), seen(gone, second)], AT + second)
    arrivals.keep()
    assert not arrivals.due
    assert set(ArrivalHour.objects.values_list("pool_id", flat=True)) == {load.pool_id}


class Helm:
    """The controller, which may have lost the lead."""

    def __init__(self) -> None:
        self.leading = False
        self.asked = asyncio.Event()

    def steer(self, sizes: dict[UUID, Steering], valid: float) -> None:
        pass

    async def woken(self, within: float) -> None:
        pass

    async def leads(self) -> bool:
        self.asked.set()
        return self.leading


async def test_only_who_leads_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    load = await database_sync_to_async(lambda: load_of(make_pool()))()
    monkeypatch.setattr(scaler, "NOT_FASTER_THAN", 0.01)
    helm, steering = Helm(), scaler.Scaler()
    monkeypatch.setattr(steering.arrivals, "see", lambda _loads, _at: None)
    closed = Closed(FIRST, Bin(1, 1, 2.0), Counters(1, 1, 2.0))
    steering.arrivals._over = [Kept(load.team_id, load.pool_id, closed)]
    task = asyncio.create_task(steering.run(helm))
    await asyncio.wait_for(helm.asked.wait(), 60)
    helm.asked.clear()
    await asyncio.wait_for(helm.asked.wait(), 60)
    exists = database_sync_to_async(ArrivalHour.objects.exists)
    assert not await exists()
    helm.leading = True
    await until(exists)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_pools_are_kept_apart_and_forgotten_when_they_are_gone(load: PoolLoad) -> None:
    other = load_of(make_pool())
    arrivals = Arrivals()
    for second in range(0, 125, 5):
        arrivals.see([seen(load, second), seen(other, 2 * second)], AT + second)
    arrivals.see([seen(load, 125)], AT + 125)
    arrivals.see([seen(load, 130), seen(other, 999)], AT + 130)
    arrivals.keep()
    assert [bins_of(one.pool_id, FIRST + 1, FIRST + 2)[0].arrived for one in (load, other)] == [60, 120]


def test_old_hours_are_forgotten(load: PoolLoad) -> None:
    for hours in (0, 1, KEPT_HOURS + 5):
        arrivals = Arrivals()
        for second in range(0, 125, 5):
            arrivals.see([seen(load, second)], AT + 3600 * hours + second)
        arrivals.keep()
    forget(AT + 3600 * (KEPT_HOURS + 5))
    assert [row.hour - FIRST // 60 for row in ArrivalHour.objects.all()] == [KEPT_HOURS + 5]
