"""Whatever is seen and wanted: decisions stay inside the limits, and a replay decides the same."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from hypothesis import given
from hypothesis import strategies as st

from scaling.domain.decisions import Action, Forecast, Signals, as_record, signals_from
from scaling.domain.policies import Metric, Policy, faults_of
from scaling.domain.scaler import decide

sizes = st.integers(0, 300)
times = st.floats(0, 1e5)
shares = st.floats(0.01, 1)

signals = st.builds(
    Signals,
    at=st.floats(0, 4e9),
    target=sizes,
    ready=sizes,
    starting=sizes,
    leased=sizes,
    waiting=st.integers(0, 5000),
    oldest_wait=times,
    arrival_rate=st.floats(0, 1e4),
    service_time=st.none() | st.floats(1e-3, 1e5),
    utilization=st.floats(0, 1),
    start_time=times,
    highest=sizes,
    lowest=st.none() | sizes,
    since_up=st.none() | times,
    watched=times,
    age=st.floats(0, 20),
    coming=sizes,
    forecast=st.none()
    | st.builds(Forecast, sizes, shares, st.floats(0, 1), times, st.just("naive"), times, st.booleans()),
    affordable=st.none() | sizes,
    room=st.none() | sizes,
)
policies = st.builds(
    Policy,
    min=st.integers(0, 20),
    max=st.integers(20, 200),
    target_utilization=shares,
    cooldown=st.floats(0, 1000),
    up_window=st.floats(0, 600),
    down_window=st.floats(0, 600),
    dead_band=st.floats(0, 0.49),
    step_up=st.none() | st.integers(1, 50),
    step_down=st.none() | st.integers(1, 50),
    scale_up_rate=st.floats(1.01, 100),
    scale_down_rate=shares,
    metrics=st.lists(st.sampled_from([metric.value for metric in Metric]), min_size=1, unique=True).map(
        tuple
    ),
    scale_to_zero=st.booleans(),
    min_idle=st.integers(0, 20),
    prediction=st.booleans(),
).filter(lambda policy: not faults_of(policy))


@given(signals, policies)
def test_decisions_stay_inside_the_limits(seen: Signals, policy: Policy) -> None:
    decision = decide(seen, policy)
    if seen.age > 10:
        assert decision.target_size == seen.target
        return
    most = min(limit for limit in (policy.max, seen.affordable, seen.room) if limit is not None)
    assert 0 <= decision.target_size <= most
    if decision.target_size < policy.min:
        assert {"budget", "capacity"} & set(decision.clamped_by)
    up, down = decision.target_size > seen.target, decision.target_size < seen.target
    assert decision.action == (Action.SCALE_UP if up else Action.SCALE_DOWN if down else Action.HOLD)


@given(signals, policies)
def test_a_replay_from_json_is_the_same(seen: Signals, policy: Policy) -> None:
    again = signals_from(json.loads(json.dumps(as_record(seen))))
    values = json.loads(json.dumps(asdict(policy)))
    same = Policy(**{**values, "metrics": tuple(values["metrics"])})
    assert decide(again, same) == decide(seen, policy)
    assert same.digest() == policy.digest()


@given(signals, policies, st.integers(1, 1000))
def test_more_waiters_never_ask_for_fewer_agents(seen: Signals, policy: Policy, more: int) -> None:
    assert decide(replace(seen, waiting=seen.waiting + more), policy).wish >= decide(seen, policy).wish


@given(signals, policies)
def test_a_forecast_never_asks_for_fewer_agents(seen: Signals, policy: Policy) -> None:
    without = decide(replace(seen, forecast=None), policy)
    assert decide(seen, policy).target_size >= without.target_size
