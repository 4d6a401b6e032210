"""Forecasts at work: out of the rows, over the board to the scaler, and to people over HTTP."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone

from pools.models import Pool, PoolShare
from scaling.domain.forecasting.history import DAY, History
from scaling.domain.rollup import WIDTH, number_of
from scaling.models import ArrivalHour, ForecastHour, PoolForecast, ScalingDecision, ScalingPolicy
from scaling.services import forecasting, learning
from scaling.services.board import Board, Wanted
from scaling.services.decisions import replay
from scaling.services.forecasting import LATE, PAUSE, Forecasting
from scaling.services.foreseeing import Foresight
from scaling.services.learning import Apprentice, Remote
from scaling.services.scaler import Scaler
from teams.domain.roles import Role
from tests.factories.pools import make_pool, make_team
from tests.fakes.deployed import Person
from tests.fakes.pools import until
from tests.integration.scaling.test_api import load_of

pytestmark = pytest.mark.django_db(transaction=True)

NO_LOADS = np.empty(0)
NOW = 1_800_000_000.0  # the beginning of an hour
QUIET, BUSY = 60, 720  # arrivals a minute, of five seconds each: five and sixty busy agents


def arrived(bin_number: int) -> int:
    """Each hour begins with five busy minutes; some arrive by chance."""
    return (BUSY if bin_number % 60 < 5 else QUIET) + bin_number * 7919 % 13


def keep_history(pool: Pool, first: int, end: int) -> None:
    """Bins from `first` to before `end`; `first` begins an hour."""
    rows = []
    for hour in range(first // 60, math.ceil(end / 60)):
        bins = [
            [arrived(n), arrived(n), 5.0 * arrived(n), 9] if first <= n < end else None
            for n in range(60 * hour, 60 * hour + 60)
        ]
        last = min(60 * hour + 59, end - 1)
        rows.append(
            ArrivalHour(
                team=pool.team,
                pool_id=pool.pk,
                hour=hour,
                bins=bins,
                last=last,
                asked=0,
                ended=0,
                held_seconds=0,
            )
        )
    ArrivalHour.objects.filter(pool_id=pool.pk, hour__in=[row.hour for row in rows]).delete()
    ArrivalHour.objects.bulk_create(rows)


def wanted(pool: Pool, predictor: str = "naive", horizon: int = 1) -> dict[Any, Wanted]:
    return {pool.pk: Wanted(pool.team_id, pool.name, predictor, horizon)}


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def forecasts(board: Board) -> Iterator[Forecasting]:
    found = Forecasting(board)
    yield found
    found.close()


def test_the_scaler_heeds_what_is_forecast_and_the_decision_says_so(
    board: Board, forecasts: Forecasting
) -> None:
    """An hour begins in a minute: the agents are made before anybody asks for one."""
    pool = make_pool(min_size=0, max_size=200)
    first = number_of(NOW) - 3 * DAY
    keep_history(pool, first, number_of(NOW))
    ScalingPolicy.objects.create(team=pool.team, pool=pool.name, values={"prediction": "on"})
    load_of(pool)
    scaler = Scaler(board=board)
    assert scaler.evaluate(1000.0, NOW + 1)[pool.pk].size == 0
    assert board.wanted == wanted(pool, horizon=2)  # no agent has started yet: five seconds are assumed
    forecasts.step(NOW + 1)
    assert (scaler.evaluate(1002.0, NOW + 3)[pool.pk].size or 0) > 60
    decision = ScalingDecision.objects.latest("pk")
    assert (decision.action, decision.reason) == ("scale_up", "forecast")
    assert 55 < (decision.predicted_load or 0) < 90
    seen = decision.signals["forecast"]
    assert (seen["quantile"], seen["on"], seen["forecaster"]) == (0.9, True, "naive")
    assert 0.85 <= seen["coverage"] <= 1
    assert "is expected at most (naive, 90%)" in decision.explanation
    assert replay(decision)[0]
    person = Person(pool.team)
    (told,) = person("GET", "forecasts/")[1]["results"]
    assert told["floor"] == seen["floor"] == decision.candidates["forecast"] > seen["load"]
    ScalingDecision.objects.update(at=timezone.now() - timedelta(hours=1))
    assert person("GET", "forecasts/")[1]["results"][0]["floor"] is None
    ScalingPolicy.objects.update(values={"prediction": "off"})
    scaler.evaluate(1004.0, NOW + 5)
    assert ScalingDecision.objects.latest("pk").predicted_load is None
    assert board.wanted == {}
    forecasts.step(NOW + 6)
    assert not PoolForecast.objects.exists()


def test_minutes_that_follow_are_forecast_and_held_against_what_came(
    board: Board, forecasts: Forecasting
) -> None:
    pool = make_pool()
    begin = number_of(NOW) - 30
    keep_history(pool, number_of(NOW) - 2 * DAY, begin)
    board.ask(wanted(pool))
    forecasts.step(begin * WIDTH)
    for minute in range(1, 11):
        keep_history(pool, number_of(NOW) - 60, begin + minute)
        forecasts.step((begin + minute) * WIDTH + 4)
        assert board.outlook(pool.pk, (begin + minute) * WIDTH + 4).guess.at == begin + minute
    row = ForecastHour.objects.get(pool_id=pool.pk, hour=begin // 60)
    for minute in range(10):
        high, median, came, forecaster = row.bins[(begin + minute) % 60]
        assert median <= high
        assert (came, forecaster) == (pytest.approx(arrived(begin + minute) * 5 / 60, abs=1e-3), "naive")


def test_figures_that_are_late_are_waited_for_and_then_missing(board: Board, forecasts: Forecasting) -> None:
    pool = make_pool()
    end = number_of(NOW)
    keep_history(pool, end - 2 * DAY, end)
    board.ask(wanted(pool))
    forecasts.step(NOW)
    assert board.outlooks[pool.pk].on
    forecasts.step(NOW + WIDTH + LATE - 1)
    assert board.outlooks[pool.pk].guess.at == end  # the last minute's figures may yet come
    for minute in range(1, 6):
        forecasts.step(NOW + minute * WIDTH + LATE + 1)
    assert (board.outlooks[pool.pk].on, board.outlooks[pool.pk].why) == (False, "missing")
    assert board.outlook(pool.pk, NOW + 5 * WIDTH) is not None
    keep_history(pool, end - DAY, end + 7)
    forecasts.step(NOW + 7 * WIDTH + 1)
    assert board.outlooks[pool.pk].on


def test_a_forecast_of_another_time_is_none(board: Board, forecasts: Forecasting) -> None:
    """The clock jumps an hour ahead and back again; forecasts go on."""
    pool = make_pool()
    end = number_of(NOW)
    keep_history(pool, end - 2 * DAY, end)
    board.ask(wanted(pool))
    forecasts.step(NOW)
    assert board.outlook(pool.pk, NOW + 3600) is None
    assert board.outlook(pool.pk, NOW - 3600) is None
    forecasts.step(NOW + 3 * 86_400)
    assert not board.outlooks[pool.pk].on
    forecasts.step(NOW)
    assert board.outlook(pool.pk, NOW).on


def test_who_learns_does_so_in_a_process_of_its_own(board: Board, forecasts: Forecasting) -> None:
    pool = make_pool()
    end = number_of(NOW) - 30
    keep_history(pool, number_of(NOW) - 2 * DAY, end)
    board.ask(wanted(pool, "ml-based"))
    forecasts.step(end * WIDTH)
    standings = {one.name: one for one in board.outlooks[pool.pk].standings}
    assert standings["ml-based"].outcomes > 500
    assert standings["ml-based"].problem == ""
    assert set(standings) == {"last", "naive", "ml-based"}
    apprentice = forecasts._apprentice
    assert apprentice is not None
    (process,) = apprentice._pool._processes.values()
    process.kill()
    keep_history(pool, end - 60, end + 1)
    forecasts.step((end + 1) * WIDTH + 1)  # it is noticed, told, and the naive one goes on
    keep_history(pool, end - 60, end + 2)
    forecasts.step((end + 2) * WIDTH + 1)
    assert board.outlooks[pool.pk].guess.at == end + 2
    problems = [one.problem for one in board.outlooks[pool.pk].standings]
    assert problems == ["", "", ""]  # it was started anew
    board.ask({})
    forecasts.step((end + 3) * WIDTH)
    assert apprentice._pool is None


def test_without_scikit_learn_the_naive_one_serves_and_the_api_says_so(
    board: Board, forecasts: Forecasting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    monkeypatch.setattr(Apprentice, "ask", lambda _self, work, *given: work(*given))
    pool = make_pool()
    now = time.time()
    first = number_of(now) // 60 * 60 - 2 * DAY
    keep_history(pool, first, number_of(now))
    board.ask(wanted(pool, "ml-based"))
    forecasts.step(now)
    (found,) = Person(pool.team)("GET", f"forecasts/?pool={pool.name}")[1]["results"]
    assert (found["on"], found["serving"], found["predictor"]) == (True, "naive", "ml-based")
    assert found["forecasters"][2]["problem"] == "scikit-learn is not installed"


def test_a_process_that_does_not_answer_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "PATIENCE", 0.0)
    apprentice = Apprentice()
    remote = Remote("pool", apprentice)
    assert not remote.fit(History(0, NO_LOADS), 1)
    assert remote.problem == learning.AWAY
    assert math.isnan(remote.guess(History(0, NO_LOADS), 0, 1)[0])
    apprentice.close()


def test_a_model_that_fails_costs_nobody_else_the_forecast(
    board: Board, forecasts: Forecasting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: Apprentice, _work: Any, *_given: Any) -> None:
        raise ValueError("odd figures")

    monkeypatch.setattr(Apprentice, "ask", broken)
    pool = make_pool()
    keep_history(pool, number_of(NOW) - 2 * DAY, number_of(NOW))
    board.ask(wanted(pool, "ml-based"))
    forecasts.step(NOW)
    outlook = board.outlooks[pool.pk]
    assert (outlook.on, outlook.serving) == (True, "naive")
    assert outlook.standings[2].problem.startswith("it failed")


def test_a_fault_with_one_pool_is_not_the_others(
    board: Board, forecasts: Forecasting, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = make_pool(), make_pool()
    for pool in (bad, good):
        keep_history(pool, number_of(NOW) - 2 * DAY, number_of(NOW))
    board.ask({**wanted(bad), **wanted(good)})
    begin, tried = Foresight.begin, []

    def failing(self: Foresight, end: int) -> Any:
        tried.append(self.pool_id)
        if self.pool_id == bad.pk:
            raise ZeroDivisionError
        return begin(self, end)

    monkeypatch.setattr(Foresight, "begin", failing)
    forecasts.step(NOW)
    assert set(board.outlooks) == {good.pk}
    forecasts.step(NOW + 10)
    assert tried.count(bad.pk) == 1  # it is left alone for a while
    monkeypatch.undo()
    forecasts.step(NOW + PAUSE + 1)
    assert set(board.outlooks) == {good.pk, bad.pk}


async def test_the_loop_writes_nothing_without_the_lead(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[float] = []
    asked = asyncio.Event()
    monkeypatch.setattr(forecasting, "EVERY", 0.01)

    class Leader:
        lead = False

        async def leads(self) -> bool:
            asked.set()
            return self.lead

    forecasts, leader = Forecasting(board), Leader()
    monkeypatch.setattr(forecasts, "step", steps.append)
    task = asyncio.create_task(forecasts.run(leader))
    board.ask({uuid4(): Wanted(1, "p", "naive", 1)})
    await asyncio.wait_for(asked.wait(), 60)
    assert steps == []
    leader.lead = True

    async def stepped() -> bool:
        return bool(steps)

    await until(stepped)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_who_asks_for_no_forecast_loads_nothing_for_it() -> None:
    """The web process and an idle controller stay as small as they were."""
    program = """
import sys, django
django.setup()
import aflow_site.urls, scaling.facade.api
print([name for name in ("numpy", "scipy", "sklearn") if name in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# --- over HTTP --------------------------------------------------------------------------------------------


def test_people_see_what_was_forecast_and_what_came(board: Board, forecasts: Forecasting) -> None:
    person = Person(make_team(), Role.VIEWER)
    pool = make_pool(person.team)
    now = time.time()
    keep_history(pool, number_of(now) // 60 * 60 - 2 * DAY, number_of(now))
    board.ask(wanted(pool, horizon=2))
    forecasts.step(now)
    (found,) = person("GET", f"forecasts/?pool={pool.name}&hours=2")[1]["results"]
    assert (found["pool"], found["on"], found["why"], found["serving"]) == (pool.name, True, "pays", "naive")
    assert found["explanation"].startswith("The forecast is a floor of the size: its loss is below")
    assert (found["horizon"], found["quantile"]) == (120.0, 0.9)
    assert found["load"] >= found["median"]
    names = [one["name"] for one in found["forecasters"]]
    assert names == ["last", "naive"]
    assert found["forecasters"][1]["pinball"] < found["forecasters"][0]["pinball"]
    assert found["forecasters"][1]["coverage"] == found["coverage"] > 0.85
    series = found["series"]
    assert len(series) == 120
    told = [point for point in series if point["forecast"] is not None]
    assert len(told) > 100
    assert all(point["load"] is not None and point["forecaster"] == "naive" for point in told)
    assert any(point["came"] > 50 for point in told)
    assert [one["pool"] for one in person("GET", "forecasts/")[1]["results"]] == [pool.name]
    PoolForecast.objects.update(at=timezone.now() - timedelta(hours=1))
    (old,) = person("GET", "forecasts/")[1]["results"]
    assert (old["on"], old["why"]) == (False, "missing")


def test_a_pool_without_prediction_shows_what_came() -> None:
    person = Person(make_team())
    pool = make_pool(person.team)
    keep_history(pool, number_of(time.time()) // 60 * 60 - 60, number_of(time.time()))
    (found,) = person("GET", f"forecasts/?pool={pool.name}")[1]["results"]
    assert (found["on"], found["why"], found["forecasters"]) == (False, "not_asked", [])
    assert len(found["series"]) == 24 * 60
    assert found["series"][-2]["load"] is not None
    assert person("GET", "forecasts/")[1]["results"] == []


def test_forecasts_belong_to_their_team() -> None:
    owner, stranger = make_team(), make_team()
    pool = make_pool(owner)
    PoolShare.objects.create(pool=pool, team=stranger)  # its agents, not its figures
    PoolForecast.objects.create(
        pool_id=pool.pk, team=owner, pool=pool.name, predictor="naive", outlook={}, at=datetime.now(UTC)
    )
    assert Client().get("/api/v1/forecasts/").status_code == 401
    other = Person(stranger, Role.ADMIN)
    assert other("GET", "forecasts/")[1]["results"] == []
    assert other("GET", f"forecasts/?pool={pool.name}")[0] == 404
    assert len(Person(owner)("GET", "forecasts/")[1]["results"]) == 1


@pytest.mark.parametrize(
    "query", ["pool=nobody", "hours=0", "hours=x", "hours=999", "cursor=%00", "limit=-1"]
)
def test_bad_questions_are_refused(query: str) -> None:
    person = Person(make_team())
    pool = make_pool(person.team)
    query = query if query.startswith("pool") or "hours" not in query else f"pool={pool.name}&{query}"
    assert person("GET", f"forecasts/?{query}")[0] in (400, 404)
