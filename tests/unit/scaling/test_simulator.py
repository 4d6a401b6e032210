"""The simulator: held against queueing theory, its own sums, and bad input."""

from __future__ import annotations

import io
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command

from aflow_site.kernel.errors import InvalidInput
from scaling.simulator import plant, workload
from scaling.simulator.baselines.fixed import Fixed
from scaling.simulator.ours import Ours
from scaling.simulator.outcome import judge, reversals
from scaling.simulator.policies import make
from scaling.simulator.study import study
from scaling.simulator.trace import Trace, read, width_of
from scaling.simulator.workload import Conditions

DAY = Trace(300.0, (100.0,) * 288)


def erlang_c(agents: int, load: float) -> float:
    """The probability that an arrival waits (Erlang, 1917)."""
    below = sum(load**k / math.factorial(k) for k in range(agents))
    full = load**agents / math.factorial(agents) * agents / (agents - load)
    return full / (below + full)


def test_a_fixed_pool_waits_as_queueing_theory_says() -> None:
    conditions = Conditions(mean_busy=12, service_cv=1, start_time=0, slo_wait=0)
    waited = []
    for seed in range(4):
        work = workload.draw(DAY, conditions, seed)
        random = np.random.default_rng(seed)
        markov = workload.Workload(  # exponential service times, for which the formula holds
            work.arrivals, tuple(random.exponential(5, len(work.arrivals))), work.seconds, work.width, ()
        )
        course = plant.run(Fixed(15), markov, conditions, initial=15)
        waited.append(1 - judge(course, conditions).slo_attainment)
    assert np.mean(waited) == pytest.approx(erlang_c(15, 12), rel=0.1)


def test_agent_seconds_and_busy_seconds_add_up() -> None:
    conditions = Conditions(hours=1)
    work = workload.draw(DAY, conditions, 3)
    course = plant.run(Fixed(20), work, conditions, initial=20)
    assert course.agent_seconds == pytest.approx(20 * 3600)
    assert judge(course, conditions).cost == pytest.approx(20 * conditions.price)
    assert len(course.waits) == len(work.arrivals)
    assert all(math.isfinite(wait) and wait >= 0 for wait in course.waits)


def test_agents_leave_only_when_they_are_free() -> None:
    class Drop:
        def decide(self, seen: plant.Observation) -> int:
            return 10 if seen.at < 60 else 0

    work = workload.Workload((50.0,), (100.0,), 200.0, 60.0, ())
    course = plant.run(Drop(), work, Conditions(start_time=3))
    assert course.waits == [0.0]
    assert course.ready[100] == 1  # at work until 150
    assert course.ready[160] == 0
    assert course.agent_seconds == pytest.approx(10 * 59 + 90, abs=1)


def test_the_same_seed_is_the_same_day() -> None:
    first, again, other = (workload.draw(DAY, Conditions(hours=1), seed) for seed in (1, 1, 2))
    assert first == again != other


def test_the_trace_is_scaled_to_the_busy_agents() -> None:
    conditions = Conditions(mean_busy=7, service_mean=3)
    work = workload.draw(Trace(60.0, (0.0, 5.0, 50.0) * 480), conditions, 1)
    assert sum(work.services) / work.seconds == pytest.approx(7, rel=0.05)


def test_what_lies_before_the_offset_is_history() -> None:
    trace = Trace(3600.0, (*range(48),))
    work = workload.draw(trace, Conditions(offset_hours=24, hours=24), 1)
    assert len(work.history) == 24
    assert work.history[10] / work.history[20] == pytest.approx(0.5)


def spikes(days: int) -> Trace:
    """A tenth of the load, and five busy minutes at the beginning of each hour."""
    return Trace(60.0, tuple(500.0 if minute % 60 < 5 else 10.0 for minute in range(days * 1440)))


def test_history_is_drawn_in_the_bins_that_pools_keep() -> None:
    """Of any trace: bins of ten minutes or of seconds become minutes, of the same load."""
    for width in (600.0, 60.0, 7.0):
        bins = round(2 * 86_400 / width)
        work = workload.draw(Trace(width, (5.0,) * bins), Conditions(offset_hours=24, hours=1), 1)
        assert len(work.loads) in (1439, 1440)
        assert np.mean(work.loads) == pytest.approx(12, rel=0.02)
        assert np.std(work.loads) == pytest.approx(1, rel=0.15)  # 144 arrivals a minute, of five seconds
    assert workload.draw(DAY, Conditions(hours=1), 1).loads == ()


def test_a_quiet_day_after_a_busy_one_can_be_drawn() -> None:
    trace = Trace(3600.0, (*(1e18,) * 24, *(1e-6,) * 24))
    work = workload.draw(trace, Conditions(offset_hours=24), 1)
    assert max(work.loads) < math.inf


def test_what_comes_is_drawn_the_same_whatever_came_before() -> None:
    one, other = Trace(300.0, (*range(576),)), Trace(300.0, (*(0,) * 288, *range(288, 576)))
    drawn = [workload.draw(trace, Conditions(offset_hours=24, hours=2), 5) for trace in (one, other)]
    assert drawn[0].arrivals == drawn[1].arrivals
    assert drawn[0].loads != drawn[1].loads


def test_a_prediction_has_the_agents_there_before_the_load() -> None:
    """Where agents start slowly: more arrivals in time, at no more agent-seconds than it takes without."""
    conditions = Conditions(start_time=60, hours=2.5, offset_hours=48.5, mean_busy=6)
    names = ["balanced:0.7", "balanced:0.3", "balanced+naive:0.7"]
    plain, dear, foreseen = study(spikes(3), conditions, names, 1, processes=0)
    assert foreseen.mean.slo_attainment > plain.mean.slo_attainment + 0.15
    assert foreseen.mean.slo_attainment > dear.mean.slo_attainment
    assert foreseen.mean.agent_seconds < dear.mean.agent_seconds
    assert 0.85 <= (foreseen.mean.forecast_coverage or 0) <= 1
    assert plain.mean.forecast_coverage is None


def test_a_prediction_without_history_changes_nothing() -> None:
    conditions = Conditions(start_time=60, hours=3, mean_busy=6)
    plain, foreseen = study(spikes(1), conditions, ["balanced", "balanced+naive"], 1, processes=0)
    assert foreseen.mean.agent_seconds == plain.mean.agent_seconds


def test_who_learns_runs_in_the_simulator_too(monkeypatch: pytest.MonkeyPatch) -> None:
    conditions = Conditions(start_time=60, hours=0.1, offset_hours=36)
    work = workload.draw(spikes(2), conditions, 1)
    policy = make("balanced+ml", work, conditions)
    assert isinstance(policy, Ours)
    plant.run(policy, work, conditions)
    assert len(policy.held) >= 3
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(InvalidInput, match="scikit-learn is not installed"):
        make("balanced+ml", work, conditions)


def test_ours_beats_each_baseline_on_a_day_with_steps() -> None:
    """At no more agent-seconds a better attainment, with fewer turns than the most patient of them."""
    random = np.random.default_rng(5)
    steps = Trace(300.0, tuple((random.lognormal(0, 0.5, 72) * 100).tolist()))
    found = {
        verdict.policy: verdict.mean
        for verdict in study(
            steps,
            Conditions(hours=6),
            ["balanced", "reactive", "hpa", "keda", "threshold", "kpa"],
            2,
            processes=0,
        )
    }
    for ours, theirs in (
        ("balanced", "hpa"),
        ("balanced", "keda"),
        ("balanced", "threshold"),
        ("reactive", "kpa"),
    ):
        assert found[ours].slo_attainment > found[theirs].slo_attainment, theirs
        if theirs != "threshold":
            assert found[ours].agent_seconds < found[theirs].agent_seconds, theirs
    assert found["balanced"].reversals_per_hour < found["hpa"].reversals_per_hour


def test_turns_are_changes_of_direction() -> None:
    assert reversals([1, 2, 3, 2, 1, 5]) == 2
    assert reversals([1, 2]) == 0


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "line 1"),
        ("a,b\n0,1\n", "line 1"),
        ("second_offset,count\n0,1\n300,many\n", "line 3"),
        ("second_offset,count\n0,1\n300,-4\n", "line 3"),
        ("second_offset,count\n0,1\n0,2\n", "line 3"),
        ("second_offset,count\n0\n", "line 2"),
    ],
)
def test_bad_traces_name_the_line(text: str, where: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(io.StringIO(text))
    assert where in {fault.path for fault in refused.value.faults}


def test_gaps_count_nothing_and_the_name_tells_the_width() -> None:
    assert width_of("web_60s.csv") == 60
    assert read(io.StringIO("second_offset,count\n0,1\n180,4\n"), "x_60s.csv").counts == (1, 0, 0, 4)
    with pytest.raises(InvalidInput, match="grid"):
        read(io.StringIO("second_offset,count\n0,1\n90,4\n"), "x_60s.csv")


def test_a_million_rows_are_read() -> None:
    lines = (f"{row},1\n" for row in range(1_000_000))
    assert len(read(["second_offset,count\n", *lines], "x_1s.csv").counts) == 1_000_000


def test_policies_have_one_knob() -> None:
    work = workload.draw(DAY, Conditions(hours=1), 1)
    conditions = Conditions(hours=1)
    assert isinstance(make("fixed:4", work, conditions), Fixed)
    for name in ("nobody", "balanced+oracle", "hpa+naive", "hpa:2", "fixed:x", "kpa:0"):
        with pytest.raises(InvalidInput):
            make(name, work, conditions)


def test_the_command_prints_what_programs_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "steps_300s.csv"
    file.write_text("second_offset,count\n" + "".join(f"{300 * n},{50 + 10 * n}\n" for n in range(12)))
    call_command(
        "simulate", str(file), "--policies", "balanced,hpa", "--hours", "1", "--seeds", "2", "--json"
    )
    records = json.loads(capsys.readouterr().out)
    assert [record["policy"] for record in records] == ["balanced", "hpa"]
    names = "slo_attainment wait_p50 wait_p95 wait_p99 agent_seconds cost reversals_per_hour"
    assert all(isinstance(record[name], float) for record in records for name in names.split())
    assert {"scale_up_seconds", "scale_down_seconds"} <= set(records[0])


def test_the_command_draws_the_trade_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, drawn = tmp_path / "flat_60s.csv", tmp_path / "pareto.png"
    file.write_text("second_offset,count\n" + "".join(f"{60 * n},30\n" for n in range(30)))
    call_command(
        "simulate",
        str(file),
        "--policies",
        "balanced,fixed:30",
        "--hours",
        "0.5",
        "--seeds",
        "1",
        "--picture",
        str(drawn),
    )
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert "balanced" in capsys.readouterr().out
