"""The scaler's rules, one by one; and that each field of a policy changes what it decides."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from scaling.domain.decisions import Action, Decision, Forecast, Reason, Signals, as_record, signals_from
from scaling.domain.memory import Memory
from scaling.domain.policies import PRESETS, Metric, Policy, faults_of, of_preset
from scaling.domain.scaler import decide, spares
from scaling.domain.staffing import staff, z_of

STEADY = Signals(
    at=1000.0,
    target=18,
    ready=18,
    starting=0,
    leased=12,
    waiting=0,
    arrival_rate=2.4,
    service_time=5.0,
    utilization=0.66,
    highest=18,
)
WIDE = Policy(max=100)


def test_square_root_staffing() -> None:
    """The reference load runs at the target utilization; larger pools fuller, smaller ones emptier."""
    z = z_of(0.7)
    assert 25 / staff(25, z) == pytest.approx(0.7, abs=0.01)
    assert 400 / staff(400, z) > 0.85
    assert 2 / staff(2, z) < 0.5
    assert staff(0, z) == 0


def test_a_steady_load_is_held() -> None:
    decision = decide(STEADY, WIDE)
    assert (decision.action, decision.reason, decision.target_size) == (Action.HOLD, Reason.HOLD, 18)


def test_more_arrivals_scale_up_because_of_response_times() -> None:
    decision = decide(replace(STEADY, arrival_rate=4.8), WIDE)
    assert (decision.action, decision.reason) == (Action.SCALE_UP, Reason.RESPONSE_TIME)
    assert decision.target_size == staff(24, z_of(0.7))


def test_a_queue_scales_up_by_what_agents_that_come_free_cannot_serve() -> None:
    slow = replace(STEADY, service_time=300.0, arrival_rate=0.04, leased=18, waiting=5, start_time=3.0)
    assert decide(slow, WIDE).target_size == 23
    assert decide(slow, WIDE).reason == Reason.QUEUE_DEPTH
    quick = replace(STEADY, target=20, ready=20, leased=20, waiting=3)  # 20 come free in 5 s
    assert decide(quick, WIDE).action == Action.HOLD


def test_down_goes_to_the_largest_wish_of_the_window() -> None:
    quiet = replace(STEADY, arrival_rate=0.2, leased=1, highest=9, target=18)
    down = decide(quiet, replace(WIDE, scale_down_rate=1.0))
    assert (down.action, down.target_size, down.reason) == (Action.SCALE_DOWN, 9, Reason.IDLE)
    assert decide(replace(quiet, highest=18), WIDE).clamped_by == ("down_window",)


def test_old_figures_decide_nothing() -> None:
    decision = decide(replace(STEADY, arrival_rate=50.0, age=60.0), WIDE)
    assert (decision.action, decision.clamped_by) == (Action.HOLD, ("stale",))


def test_nothing_shrinks_before_a_window_was_watched() -> None:
    decision = decide(replace(STEADY, arrival_rate=0, leased=0, highest=0, watched=20.0), WIDE)
    assert (decision.action, decision.clamped_by) == (Action.HOLD, ("just_started",))


def test_the_budget_comes_last_and_beats_the_minimum() -> None:
    decision = decide(replace(STEADY, affordable=3), replace(WIDE, min=5))
    assert (decision.target_size, decision.reason, decision.clamped_by[-1]) == (3, Reason.BUDGET, "budget")
    assert decide(replace(STEADY, arrival_rate=10, room=20), WIDE).reason == Reason.CAPACITY


def test_a_forecast_is_a_floor_if_it_is_to_be_trusted() -> None:
    forecast = Forecast(floor=40, quantile=0.9, coverage=0.9, load=30, forecaster="naive")
    seen = replace(STEADY, forecast=forecast)
    assert decide(seen, replace(WIDE, prediction=True)).reason == Reason.FORECAST
    assert decide(seen, WIDE).action == Action.HOLD
    doubtful = replace(seen, forecast=replace(forecast, coverage=0.7))
    assert decide(doubtful, replace(WIDE, prediction=True)).action == Action.HOLD
    useless = replace(seen, forecast=replace(forecast, on=False))
    assert decide(useless, replace(WIDE, prediction=True)).action == Action.HOLD


def test_a_forecast_never_shrinks_a_pool() -> None:
    low = Forecast(floor=1, quantile=0.9, coverage=0.9, load=0.2, forecaster="naive")
    for seen in (STEADY, BUSY, replace(STEADY, waiting=40), QUIET):
        with_it = decide(replace(seen, forecast=low), replace(WIDE, prediction=True))
        assert with_it.target_size == decide(seen, WIDE).target_size


# Each field, another value for it, and a moment at which that alone changes the decision.
QUIET = replace(STEADY, arrival_rate=0.2, leased=1, highest=0)
BUSY = replace(STEADY, arrival_rate=12.0)
CHANGES: dict[str, tuple[Any, Signals]] = {
    "min": (17, QUIET),
    "max": (30, BUSY),
    "target_utilization": (0.5, STEADY),
    "scale_up_threshold": (0.5, replace(STEADY, target=10, ready=16)),
    "scale_down_threshold": (0.65, replace(STEADY, utilization=0.4, highest=0)),
    "cooldown": (600.0, replace(QUIET, since_up=60.0)),
    "dead_band": (0.0, STEADY),
    "step_up": (2, BUSY),
    "step_down": (1, QUIET),
    "scale_up_rate": (1.5, BUSY),
    "scale_down_rate": (1.0, QUIET),
    "metrics": ((Metric.QUEUE_DEPTH,), BUSY),
    "scale_to_zero": (False, replace(STEADY, target=2, ready=2, arrival_rate=0, leased=0, highest=0)),
    "min_idle": (15, STEADY),
    "max_cost_per_hour": (2.5, replace(BUSY, price=0.1)),
    "prediction": (
        True,
        replace(STEADY, forecast=Forecast(40, quantile=0.9, coverage=0.9, load=30, forecaster="naive")),
    ),
}
WITH_UTILIZATION = replace(WIDE, metrics=(Metric.UTILIZATION,))


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_each_field_alone_changes_the_decision(name: str) -> None:
    value, seen = CHANGES[name]
    base = WITH_UTILIZATION if name.endswith("threshold") else replace(WIDE, scale_down_rate=0.5)
    if name == "scale_to_zero":
        base = replace(base, scale_down_rate=1.0)
    assert decide(seen, base).target_size != decide(seen, replace(base, **{name: value})).target_size


def test_what_an_hour_may_cost_bounds_the_size() -> None:
    policy = replace(WIDE, max_cost_per_hour=2.5)
    found = decide(replace(BUSY, price=0.1), policy)
    assert (found.target_size, found.clamped_by[-1], found.reason) == (25, "max_cost", "budget")
    assert decide(BUSY, policy).target_size > 25, "what costs nothing is not bounded"


def played(policy: Policy, loads: list[float]) -> list[int]:
    """The targets of a pool whose memory is kept from one evaluation to the next, every ten seconds."""
    memory, target, found = Memory(-1e6), 20, []
    for step, load in enumerate(loads):
        at = step * 10.0
        seen = Signals(
            at=at,
            target=target,
            ready=target,
            starting=0,
            leased=0,
            waiting=0,
            arrival_rate=load,
            service_time=1.0,
            highest=memory.highest(at, policy.down_window),
            lowest=memory.lowest(at, policy.up_window),
            since_up=memory.since_up(at),
            watched=at - memory.since,
        )
        decision = decide(seen, policy)
        memory.keep(at, decision, policy)
        target = decision.target_size
        found.append(target)
    return found


def test_the_windows_hold_changes_back_for_their_time() -> None:
    quick = replace(WIDE, down_window=0.0, scale_down_rate=1.0)
    dip, peak = [13.0] * 3 + [1.0] * 3 + [13.0], [13.0] * 3 + [40.0] * 3
    assert min(played(quick, dip)) < 10
    assert min(played(replace(quick, down_window=60.0), dip)) == 20
    assert max(played(quick, peak)) > 50
    assert max(played(replace(quick, up_window=60.0), peak)) == 20
    assert max(played(replace(quick, up_window=60.0), peak + [40.0] * 6)) > 50


def test_no_field_is_left_out() -> None:
    # What becomes of a decision is not the scaler's, nor where agents run; windows are tested above.
    # Who forecasts is the forecasts' (tests/integration/scaling/test_forecasts.py).
    elsewhere = {"mode", "up_window", "down_window", "predictor", "prefer_spot", "spot_fallback"}
    assert {field.name for field in fields(Policy)} - elsewhere == set(CHANGES)


def test_every_preset_is_sound_and_each_decides_differently() -> None:
    assert [faults_of(of_preset(name)) for name in PRESETS] == [[]] * len(PRESETS)
    targets = {
        decide(replace(BUSY, target=1, ready=1), of_preset(name, max=200)).target_size for name in PRESETS
    }
    assert len(targets) >= 3


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"min": 5, "max": 3}, "max"),
        ({"min": -1}, "min"),
        ({"scale_up_threshold": 0.3, "scale_down_threshold": 0.8}, "scale_down_threshold"),
        ({"target_utilization": 0}, "target_utilization"),
        ({"cooldown": -1}, "cooldown"),
        ({"down_window": float("nan")}, "down_window"),
        ({"scale_up_rate": 1.0}, "scale_up_rate"),
        ({"step_up": 0}, "step_up"),
        ({"min_idle": 99}, "min_idle"),
        ({"max_cost_per_hour": -1.0}, "max_cost_per_hour"),
        ({"max_cost_per_hour": float("nan")}, "max_cost_per_hour"),
        ({"metrics": ("cpu",)}, "metrics"),
        ({"predictor": "oracle"}, "predictor"),
        ({"metrics": ()}, "metrics"),
    ],
)
def test_bad_policies_name_their_field(values: dict[str, Any], field: str) -> None:
    assert field in {fault.path for fault in faults_of(replace(Policy(), **values))}


def test_a_replay_of_the_record_decides_the_same() -> None:
    for seen in (STEADY, BUSY, QUIET, CHANGES["prediction"][1]):
        record = json.loads(json.dumps(as_record(seen)))
        assert signals_from(record) == seen
        assert decide(signals_from(record), WIDE) == decide(seen, WIDE)


def test_the_load_of_a_window_in_which_nobody_came_is_over() -> None:
    """The rate of a lull is known only after many lulls; until then it would keep the last agents."""
    last = replace(STEADY, target=3, ready=3, leased=0, arrival_rate=0.1, highest=0)
    policy = Policy(max=100, down_window=30.0, scale_down_rate=1.0)
    assert decide(replace(last, quiet=30.0), policy).wish == 3
    assert decide(replace(last, quiet=30.1), policy).target_size == 0
    assert decide(replace(last, quiet=30.1, coming=2), policy).target_size == 2, "what is to come counts"


def test_a_pool_that_turns_often_and_starts_slowly_is_held_longer() -> None:
    """Either alone changes nothing."""
    policy = replace(WIDE, dead_band=0.2, scale_down_rate=1.0)
    more = replace(STEADY, target=20, ready=20, arrival_rate=3.2)  # asks for a quarter more
    less = replace(more, arrival_rate=0.5, leased=2, highest=11)
    for seen in (more, less):
        size = decide(seen, policy).target_size
        assert size != 20
        assert decide(replace(seen, turns=9), policy).target_size == size
        assert decide(replace(seen, start_time=60.0), policy).target_size == size
        wider = decide(replace(seen, start_time=60.0, turns=6), policy)
        assert (wider.target_size, wider.clamped_by) == (20, ("dead_band",))


def test_a_pool_with_forecasts_that_turns_often_is_held_longer() -> None:
    low = Forecast(floor=1, quantile=0.9, coverage=0.9, load=0.2, forecaster="naive")
    policy = replace(WIDE, dead_band=0.2, scale_down_rate=1.0, prediction=True)
    seen = replace(STEADY, target=20, ready=20, arrival_rate=0.5, leased=2, highest=11, forecast=low)
    size = decide(seen, policy).target_size
    assert size != 20
    assert decide(replace(seen, turns=5), policy).target_size == size
    assert decide(replace(seen, turns=7), policy).target_size == 20
    for without in (
        replace(seen, forecast=None),
        replace(seen, forecast=replace(low, on=False)),
        replace(seen, forecast=replace(low, coverage=0.1)),
    ):
        assert decide(replace(without, turns=7), policy).target_size == size
    assert decide(replace(seen, turns=7), replace(policy, prediction=False)).target_size == size


def test_memory_counts_turns() -> None:
    memory = Memory(0.0)

    def move(at: float, action: Action) -> int:
        found = Decision(action, 5, 6, Reason.IDLE, 6, {})
        memory.keep(at, found, WIDE)
        return memory.turns(at)

    up, down, hold = Action.SCALE_UP, Action.SCALE_DOWN, Action.HOLD
    assert [move(at, how) for at, how in enumerate([up, up, hold, down, hold, down, up])] == [
        *[0, 0, 0],
        *[1, 1, 1],
        2,
    ]
    assert memory.turns(3603.5) == 1
    assert memory.turns(3607.0) == 0


def test_memory_counts_from_the_last_lease_waiter_or_arrival() -> None:
    memory = Memory(0.0)

    def second(at: int, leased: int = 0, waiting: int = 0, arrived: int = 0) -> float:
        memory.arrivals.tell(arrived)
        memory.see(float(at), leased, 3, waiting)
        return memory.quiet(float(at))

    assert [second(at) for at in (1, 2)] == [1.0, 2.0]
    assert second(3, leased=1) == second(4, waiting=1) == second(5, arrived=1) == 0.0
    assert second(6) == 1.0


def test_of_a_quiet_window_the_wishes_for_work_to_come_are_kept() -> None:
    memory, policy = Memory(0.0), Policy(max=100, min_idle=2, metrics=(Metric.RESPONSE_TIME,))
    memory.see(0.0, 12, 18, 0)
    memory.keep(0.0, decide(replace(STEADY, leased=0), policy), policy)
    memory.wish(1.0, 4)  # by a person
    assert memory.highest(20.0, 30.0) == staff(12, z_of(0.7))
    for _ in range(31):
        memory.arrivals.tell(0)
    assert memory.highest(29.0, 29.5) == staff(12, z_of(0.7)), "the last lease was then"
    assert memory.highest(30.5, 30.0) == 4
    assert memory.highest(31.5, 30.0) == 0


def test_memory_forgets_what_lies_ahead_of_a_clock_that_was_set_back() -> None:
    memory = Memory(1000.0)
    memory.see(1000.0, 5, 10, 0)
    memory.keep(1000.0, decide(BUSY, WIDE), WIDE)
    assert memory.since_up(1001.0) == 1.0
    memory.see(400.0, 5, 10, 0)
    assert memory.since_up(400.0) is None
    assert memory.highest(400.0, 60) == 0


def test_replacements_ahead_of_time_stay_within_each_limit() -> None:
    assert spares(STEADY, WIDE, 18) == 82
    assert spares(STEADY, replace(WIDE, max=20), 18) == 2
    assert spares(replace(STEADY, price=1.0), replace(WIDE, max_cost_per_hour=21.0), 18) == 3
    assert spares(replace(STEADY, room=22), WIDE, 18) == 4
    assert spares(replace(STEADY, affordable=19), WIDE, 18) == 1
    assert spares(replace(STEADY, affordable=10), WIDE, 18) == 0
