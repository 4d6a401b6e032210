"""Forecasts: intervals that hold, forecasters that know the time of day, and when they are heeded."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from scaling.domain.forecasting.conformal import Adaptive
from scaling.domain.forecasting.history import DAY, KEPT, NOTHING, WEEK, History, coming_maxima
from scaling.domain.forecasting.learned import Learned, NotInstalled, features_of
from scaling.domain.forecasting.naive import LastValue, Season, same_time, trailing_mean
from scaling.domain.forecasting.outlook import Outlook, Why, forecast_of, horizon_of
from scaling.domain.forecasting.prediction import FEWEST, Prediction
from scaling.domain.forecasting.track import pinball
from scaling.domain.policies import Policy
from scaling.domain.staffing import staff, z_of


def noisy(loads: np.ndarray, seed: int = 0) -> np.ndarray:
    """Poisson arrivals of five seconds each."""
    return np.random.default_rng(seed).poisson(loads * 12) / 12


def spiked(days: int, height: float = 40.0, seed: int = 0) -> np.ndarray:
    """Ten busy agents, and for five minutes of each hour many more."""
    minutes = np.arange(days * DAY)
    return noisy(10 + height * (minutes % 60 < 5), seed)


def random_walk(days: int) -> np.ndarray:
    steps = np.random.default_rng(4).normal(0, 0.02, days * DAY)
    return noisy(10 * np.exp(np.cumsum(steps) - np.cumsum(steps).mean()))


def figures(outlook: Outlook) -> tuple[dict[str, float], float]:
    """Each forecaster's loss by its name, and the coverage of the one that serves."""
    losses = {one.name: one.pinball for one in outlook.standings if one.pinball is not None}
    assert outlook.coverage is not None
    return losses, outlook.coverage


def played(prediction: Prediction, loads: np.ndarray, known: int) -> Outlook:
    prediction.prime(History(0, loads[:known]))
    for load in loads[known:]:
        prediction.see(float(load))
    return prediction.outlook


# --- intervals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drift", [0.0, 1.0], ids=["steady", "drifting"])
def test_intervals_hold_as_often_as_they_are_asked_to(drift: float) -> None:
    random = np.random.default_rng(1)
    intervals, held = Adaptive(0.9), []
    for step in range(4000):
        miss = float(random.normal(0, 1 + drift * step / 500) + drift * step / 200)
        if intervals.ready:
            held.append(intervals.margin() >= miss)
        intervals.tell(miss, not held or held[-1])
    for begin in range(500, 3500, 1000):
        assert 0.87 <= np.mean(held[begin : begin + 1000]) <= 0.93


def test_the_pinball_loss_is_least_at_the_quantile() -> None:
    came = np.random.default_rng(0).exponential(10, 4000)
    loss = {q: np.mean([pinball(float(np.quantile(came, q)), c) for c in came]) for q in (0.8, 0.9, 0.96)}
    assert min(loss, key=lambda q: loss[q]) == 0.9


# --- the past ---------------------------------------------------------------------------------------------


def test_the_largest_that_comes() -> None:
    assert coming_maxima(np.array([1.0, 5.0, 2.0, 1.0]), 2).tolist()[:3] == [5.0, 5.0, 2.0]
    assert math.isnan(coming_maxima(np.array([1.0, 5.0]), 2)[-1])
    assert np.isnan(coming_maxima(np.array([1.0]), 2)).all()
    assert math.isnan(coming_maxima(np.array([1.0, np.nan, 1.0]), 2)[0])


def test_a_history_is_bounded() -> None:
    past = NOTHING
    for load in range(5):
        past = past.with_load(load)
    assert (len(past), past.end) == (5, 5)
    long = History(7, np.zeros(KEPT)).with_load(3.0)
    assert (len(long), long.end, long.loads[-1]) == (KEPT, KEPT + 8, 3.0)


def test_means_and_maxima_pass_over_what_is_not_known() -> None:
    loads = np.array([1.0, np.nan, 3.0, np.nan])
    assert trailing_mean(loads, 0, 2).tolist()[1:] == [1.0, 1.0, 3.0, 3.0]
    assert math.isnan(trailing_mean(loads, 0, 2)[0])
    assert same_time(np.array([1.0, 2.0, 9.0, 4.0]), 3, 2, 2).tolist() == [9.0, 9.0]


# --- forecasters ------------------------------------------------------------------------------------------


def test_the_season_knows_yesterdays_peak_and_last_weeks() -> None:
    loads = np.full(WEEK + 10, 2.0)
    loads[5] = 50.0  # a week before
    loads[WEEK + 7 - DAY] = 30.0  # a day before
    guesses = np.expm1(Season().guess(History(0, loads), WEEK + 4, 2))
    assert guesses.round(3).tolist() == [50.0, 50.0, 30.0, 30.0, 2.0, 2.0, 2.0]
    assert not Season().fit(History(0, loads[: DAY - 1]), 2)


def test_no_guess_after_bins_that_nobody_watched() -> None:
    past = History(0, np.array([2.0] * 5 + [np.nan] * 5))
    for forecaster in (LastValue(), Season()):
        guesses = forecaster.guess(past, 3, 1)
        assert not np.isnan(guesses[:5]).any()
        assert np.isnan(guesses[5:]).all()


def test_features_come_from_before() -> None:
    """Whatever follows, what is known at a bin stays the same."""
    loads = spiked(3)
    one = features_of(History(60, loads[: 2 * DAY]), 2 * DAY, 2)
    other = features_of(History(60, loads), 2 * DAY, 2)
    assert one.shape[0] == 1
    np.testing.assert_array_equal(one[0], other[0])


def test_the_learned_one_knows_the_spikes_to_come() -> None:
    loads = spiked(4)
    outlook = played(Prediction(1, [Season(), Learned()]), loads[: 3 * DAY + 120], 3 * DAY)
    losses, coverage = figures(outlook)
    assert (outlook.on, outlook.serving) == (True, "ml-based")
    assert losses["ml-based"] < losses["last"] / 2
    assert 0.87 <= coverage <= 0.94


def test_without_scikit_learn_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(NotInstalled, match="scikit-learn is not installed"):
        Learned().fit(History(0, spiked(1)), 1)


# --- when it is heeded ------------------------------------------------------------------------------------


def test_a_season_that_repeats_is_heeded_and_foresees_the_peak() -> None:
    loads = spiked(4)
    prediction = Prediction(2)
    outlook = played(prediction, loads[: 3 * DAY + 180], 3 * DAY)
    assert (outlook.on, outlook.why, outlook.serving) == (True, Why.PAYS, "naive")
    assert 0.87 <= figures(outlook)[1] <= 0.93
    before, after = prediction.outlook.guess.high, []
    for load in spiked(5, seed=9)[4 * DAY : 4 * DAY + 59]:
        prediction.see(float(load))
        after.append(prediction.outlook.guess.high)
    assert before > 40  # the hour begins now
    assert max(after[10:50]) < 25
    assert after[-1] > 40


def test_it_switches_itself_off_where_the_last_value_does_as_well() -> None:
    outlook = played(Prediction(1), random_walk(4)[: 3 * DAY + 60], 3 * DAY)
    assert (outlook.on, outlook.why) == (False, Why.NO_BETTER)
    losses, coverage = figures(outlook)
    assert losses["naive"] > losses["last"] * 0.98
    assert 0.87 <= coverage <= 0.93


def test_it_is_off_without_a_season_of_history() -> None:
    loads = spiked(3)
    prediction = Prediction(1)
    assert played(prediction, loads, DAY - 10)
    prediction = Prediction(1)
    outlook = played(prediction, loads[: DAY - 1], DAY // 2)
    assert (outlook.on, outlook.why) == (False, Why.NO_SEASON)
    for load in loads[DAY - 1 : DAY + DAY // 2]:
        prediction.see(float(load))
    assert prediction.outlook.on


def test_an_empty_history_is_no_fault() -> None:
    prediction = Prediction(1)
    assert prediction.prime(NOTHING) == []
    assert (prediction.outlook.why, prediction.outlook.guess) == (Why.NO_SEASON, None)
    prediction.see(math.nan)
    prediction.see(3.0)
    assert prediction.outlook.guess is None  # nothing is known of its misses


def test_figures_that_are_missing_switch_it_off_until_they_are_back() -> None:
    prediction = Prediction(1)
    assert played(prediction, spiked(3), 3 * DAY).on
    for _ in range(5):
        prediction.see(math.nan)
    assert (prediction.outlook.on, prediction.outlook.why) == (False, Why.MISSING)
    prediction.see(10.0)
    assert prediction.outlook.on


def test_forecasts_that_fail_too_often_are_off_until_they_have_adapted() -> None:
    """A load that is steady for a day, and then grows faster and faster."""
    prediction = Prediction(1)
    prediction.prime(History(0, np.full(DAY, 10.0)))
    for minute in range(100):
        prediction.see(10 * math.exp(0.002 * max(0, minute - 78) ** 2))
    assert (prediction.outlook.on, prediction.outlook.why) == (False, Why.COVERAGE)
    for _ in range(600):
        prediction.see(10.0)
    assert prediction.outlook.why != Why.COVERAGE


def test_the_better_one_serves_and_few_outcomes_decide_nothing() -> None:
    class Wild(Season):
        name = "wild"

        def guess(self, past: History, since: int, horizon: int) -> np.ndarray:
            guesses = super().guess(past, since, horizon)
            return guesses + np.arange(since, since + len(guesses)) % 7

    outlook = played(Prediction(1, [Wild(), Season()]), spiked(3)[: 2 * DAY + 60], 2 * DAY)
    assert outlook.serving == "naive"
    prediction = Prediction(1)
    prediction.prime(History(0, spiked(1)))
    for load in spiked(1)[: FEWEST // 2]:
        prediction.see(float(load))
    assert prediction.outlook.why == Why.UNTRIED


def test_the_floor_is_staffed_for_the_load_that_is_expected_at_most() -> None:
    prediction = Prediction(2)
    outlook = played(prediction, spiked(3), 3 * DAY)
    policy = Policy(max=100, prediction=True)
    forecast = forecast_of(outlook, policy)
    assert forecast.load == outlook.guess.high > outlook.guess.median == forecast.median
    assert forecast.floor == staff(outlook.guess.high, z_of(0.7))
    assert forecast_of(outlook, policy, slots=4).load == pytest.approx(forecast.load / 4)
    assert (forecast.quantile, forecast.coverage, forecast.on) == (0.9, outlook.coverage, True)


def test_the_horizon_reaches_until_a_new_agent_serves() -> None:
    starts = (0.5, 3.0, 10.0, 30.0, 60.0, 70.0, 200.0)
    assert [horizon_of(start, 2.0) for start in starts] == [1, 1, 2, 2, 2, 3, 5]
