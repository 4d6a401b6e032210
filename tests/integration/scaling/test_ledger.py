"""The ledger against independent counts: every second of every agent, once, at its price."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from pools.domain.agents import AgentState
from pools.models import Agent, Node, Pool
from pools.selectors.prices import rate_of
from scaling.domain.bins import bin_of
from scaling.domain.budgets import crossed
from scaling.domain.money import cost
from scaling.models import Budget, CapacitySpend, Meter, WorkSpend
from scaling.selectors import spend
from scaling.selectors.budgets import figures
from scaling.services.ledger import Metering, pieces
from tests.factories.pools import make_pool, make_team

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

START = datetime(2027, 3, 1, 10, 7, tzinfo=UTC)


def lived(pool: Pool, since: float, until: float | None, **values: Any) -> Agent:
    """From and to so many seconds after START; None: it lives on."""
    end = None if until is None else START + timedelta(seconds=until)
    return Agent.objects.create(
        pool=pool,
        team=pool.team,
        pool_name=pool.name,
        nonce="n",
        state=(AgentState.IDLE if end is None else AgentState.GONE).value,
        started_at=START + timedelta(seconds=since),
        ended_at=end,
        **values,
    )


def meter(seconds: float, metering: Metering | None = None) -> None:
    (metering or Metering()).meter(START + timedelta(seconds=seconds))


def totals(**where: Any) -> tuple[int, int]:
    found = CapacitySpend.objects.filter(**where).aggregate(Sum("milliseconds"), Sum("nanos"))
    return found["milliseconds__sum"] or 0, found["nanos__sum"] or 0


def test_pieces_of_a_time_add_up_to_it() -> None:
    random = Random(1)
    for _ in range(200):
        since = START + timedelta(seconds=random.uniform(0, 5000))
        until = since + timedelta(seconds=random.uniform(0, 9000))
        found = list(pieces(since, until))
        assert sum(ms for _, ms in found) == (until - since) // timedelta(milliseconds=1)
        assert all(place == bin_of(place) and 0 < ms <= 900_000 for place, ms in found)


def test_whoever_meters_and_however_often_each_second_counts_once() -> None:
    pool = make_pool(price=Decimal("3.6"))
    random = Random(7)
    meter(0)
    lives = []
    for _ in range(60):
        since = random.randrange(0, 3_000)
        until = random.choice([None, since + random.randrange(1, 3_000)])
        lived(pool, since, until)
        lives.append((since, 4_000 if until is None else min(until, 4_000)))
    now = 0
    while now < 4_000:
        now = min(4_000, now + random.randrange(1, 700))
        meter(now)  # another controller each time
        meter(now - 1)  # one whose clock is behind
    seconds = sum(until - since for since, until in lives)
    assert totals() == (seconds * 1000, seconds * 1_000_000)
    assert Meter.objects.get().until == START + timedelta(seconds=4_000)


def test_nothing_is_counted_from_before_the_first_look() -> None:
    lived(make_pool(price=Decimal(1)), -500, None)
    meter(0)
    assert totals() == (0, 0)
    meter(10)
    assert totals()[0] == 10_000


def test_bins_are_quarters_of_an_hour() -> None:
    lived(make_pool(price=Decimal("3.6")), 0, None)
    meter(0)
    meter(1000)  # from 10:07:00 to 10:23:40
    rows = CapacitySpend.objects.order_by("bin").values_list("bin", "milliseconds")
    assert [(place.minute, ms) for place, ms in rows] == [(0, 480_000), (15, 520_000)]


def test_the_price_comes_from_the_pool_else_the_node_else_the_settings(settings: LazySettings) -> None:
    settings.AFLOW_AGENT_PRICE = Decimal("7.2")
    Node.objects.create(
        ref="n",
        name="dear",
        state="ready",
        cpus=4.0,
        memory=16 * 1024**3,
        price=Decimal("36"),
        capacity_type="on_demand",
        changed_at=START,
    )
    half_gib: dict[str, Any] = {"cpu": 0.5, "memory": 512 * 1024**2}
    lived(make_pool(name="own", price=Decimal("3.6"), **half_gib), 0, None, node="dear")
    lived(make_pool(name="by-cores", **{**half_gib, "cpu": 2.0}), 0, None, node="dear")
    lived(make_pool(name="by-memory", **{**half_gib, "memory": 4 * 1024**3}), 0, None, node="dear")
    lived(make_pool(name="unknown", **half_gib), 0, None, node="elsewhere")
    meter(0)
    meter(10)
    costs = {name: totals(pool=name)[1] for name in ("own", "by-cores", "by-memory", "unknown")}
    assert costs == {
        "own": 10_000_000,  # 3.6 an hour for 10 s
        "by-cores": 50_000_000,  # half of the cores of 36
        "by-memory": 25_000_000,  # a quarter of the memory
        "unknown": 20_000_000,
    }
    asked = {pool.name: cost(10_000, rate_of(pool)) for pool in Pool.objects.all()}
    assert asked == costs, "what a program's lease reserves is what is metered"


def test_agents_of_a_deleted_pool_cost_what_they_cost_before() -> None:
    pool = make_pool(price=Decimal("3.6"), name="goes")
    agent = lived(pool, 0, None)
    metering = Metering()
    meter(0, metering)
    meter(10, metering)
    Agent.objects.filter(pk=agent.pk).update(
        state=AgentState.GONE.value, ended_at=START + timedelta(seconds=15), pool=None
    )
    pool.delete()
    meter(20, metering)
    assert totals(pool="goes") == (15_000, 15_000_000)


def test_lines_add_up_and_teams_are_apart() -> None:
    team, other = make_team(), make_team()
    lived(make_pool(team, name="a", price=Decimal("3.6"), workflow="w"), 0, None)
    lived(make_pool(team, name="b", price=Decimal("0.000001")), 0, None)
    lived(make_pool(other, name="a", price=Decimal(36)), 0, None)
    meter(0)
    meter(3_333)
    end = START + timedelta(hours=2)
    lines = spend.by_pool(team.pk, bin_of(START), end)
    assert [line.name for line in lines] == ["a", "b"]
    whole = spend.of_team(team.pk, "t", bin_of(START), end)
    assert whole.nanos == sum(line.nanos for line in lines) == totals(team=team)[1]
    assert all(line.idle_nanos == line.nanos - line.busy_nanos >= 0 for line in lines)
    (own,) = spend.by_workflow(team.pk, bin_of(START), end)
    assert (own.name, own.nanos) == ("w", totals(team=team, pool="a")[1])


def paid(pool: Pool, at: datetime, amount: str) -> None:
    CapacitySpend.objects.create(
        team=pool.team, pool=pool.name, bin=bin_of(at), milliseconds=1, nanos=int(Decimal(amount) * 10**9)
    )


def a_budget(pool: Pool, period: str, **values: Any) -> Budget:
    of_pool: dict[str, Any] = {"scope": "pool", "target": pool.name, **values}
    return Budget.objects.create(team=pool.team, period=period, currency="USD", limit=Decimal(20), **of_pool)


@pytest.mark.parametrize("period", ["hour", "day", "month"])
def test_a_few_cents_in_a_periods_first_minute_are_no_forecast_of_a_fortune(period: str) -> None:
    row = a_budget(make_pool(name="young"), period)
    first = datetime(2027, 3, 1, 0, 1, tzinfo=UTC)
    paid(Pool.objects.get(), first, "0.05")
    seen = figures(row, first, None)
    assert seen.spent == pytest.approx(0.05)
    assert seen.forecast < 2.0, "and not 0.05 * 43,200"
    assert crossed(seen.spent, seen.forecast, 20.0) == ()


def test_what_was_spent_before_a_period_tells_what_it_will_cost() -> None:
    pool = make_pool(name="steady")
    first = datetime(2027, 3, 1, 0, 1, tzinfo=UTC)
    for hours in range(1, 24):
        paid(pool, first - timedelta(hours=hours), "0.1")
    paid(pool, first, "0.002")
    seen = figures(a_budget(pool, "month"), first, None)
    assert seen.forecast == pytest.approx(31 * 2.3, rel=0.02), "2.3 a day"
    assert crossed(seen.spent, seen.forecast, 20.0) == ("forecast",)
    assert figures(a_budget(pool, "hour"), first, None).forecast == pytest.approx(0.1, rel=0.2)


def test_budgets_that_are_looked_at_together_share_a_reading() -> None:
    team = make_team()
    one, two = make_pool(team, name="one", workflow="w"), make_pool(team, name="two")
    for pool, amount in ((one, "1"), (two, "2")):
        CapacitySpend.objects.create(
            team=team,
            pool=pool.name,
            workflow=pool.workflow or "",
            bin=bin_of(START),
            milliseconds=1,
            nanos=int(amount) * 10**9,
        )
    work: dict[str, Any] = {"team": team, "owner": team, "bin": bin_of(START), "milliseconds": 1}
    WorkSpend.objects.create(workflow="w", pool="two", nanos=5 * 10**8, own=False, **work)
    WorkSpend.objects.create(workflow="w", pool="one", nanos=7 * 10**8, own=True, **work)
    rows = [
        a_budget(one, "month"),
        a_budget(two, "month"),
        a_budget(one, "month", scope="team", target=""),
        a_budget(one, "month", scope="workflow", target="w"),
    ]
    tally = spend.Tally()
    with CaptureQueriesContext(connection) as asked:
        found = [figures(row, START + timedelta(minutes=1), None, tally).spent for row in rows]
    assert found == pytest.approx([1.0, 2.0, 3.0, 1.5])
    assert len(asked) == 2, "of agents' time, and of work in others' pools"
