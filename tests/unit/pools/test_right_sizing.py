"""Histograms that forget, and the advice made of them; held against numpy's own percentiles."""

from __future__ import annotations

import numpy as np
import pytest

from pools.domain.histograms import Buckets, Histogram
from pools.domain.right_sizing import CPU_BUCKETS, DAY, ENOUGH, MARGIN, MEMORY_BUCKETS, PoolUse, advise
from pools.domain.settings import MIB

HOUR = 3600.0


@pytest.mark.parametrize(("buckets", "low", "high"), [(CPU_BUCKETS, 0.01, 900), (MEMORY_BUCKETS, 1e6, 9e11)])
def test_a_value_lies_in_its_bucket(buckets: Buckets, low: float, high: float) -> None:
    for value in np.geomspace(low, high, 500):
        bucket = buckets.of(float(value))
        assert buckets.end(bucket) > value * (1 - 1e-9)
        assert bucket == 0 or buckets.end(bucket - 1) <= value * (1 + 1e-9)
        # Each is five percent wider than the one before it.
        width = buckets.end(bucket) - (buckets.end(bucket - 1) if bucket else 0.0)
        assert width == pytest.approx(buckets.first * 1.05**bucket)
    assert buckets.of(low / 1000) == 0
    assert buckets.of(high * 1e6) == buckets.last
    assert buckets.last < 300


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95])
def test_percentiles_are_those_of_the_samples(share: float) -> None:
    """To the width of a bucket, and never below."""
    values = np.random.default_rng(7).lognormal(np.log(0.3), 0.8, 4000)
    histogram = Histogram(CPU_BUCKETS, DAY)
    for value in values:
        histogram.add(float(value), 1.0, at=1000.0)
    told = histogram.percentile(share)
    wanted = float(np.quantile(values, share, method="inverted_cdf"))
    assert told is not None
    assert wanted <= told <= wanted * 1.06 + CPU_BUCKETS.first


def test_weights_count() -> None:
    histogram = Histogram(CPU_BUCKETS, DAY)
    histogram.add(0.1, 1.0, at=0.0)
    histogram.add(2.0, 8.0, at=0.0)
    low, high = histogram.percentile(0.1), histogram.percentile(0.2)
    assert low is not None
    assert high is not None
    assert low < 0.2 < 2.0 < high


def test_a_sample_weighs_half_a_day_later() -> None:
    """Two of yesterday are one of today, whichever came first and however late it is."""
    for start in (0.0, 1e9):
        histogram = Histogram(CPU_BUCKETS, DAY)
        histogram.add(0.1, 2.0, at=start)
        histogram.add(2.0, 1.0, at=start + DAY)
        total = histogram.total
        shares = {bucket: weight / total for bucket, weight in histogram.weights.items()}
        assert sorted(shares.values()) == pytest.approx([0.5, 0.5])


def test_it_goes_on_for_years() -> None:
    histogram = Histogram(CPU_BUCKETS, DAY)
    for day in range(0, 5000, 7):
        histogram.add(0.1 if day < 4000 else 1.0, 1.0, at=day * DAY)
    assert 0 < histogram.total < 1e300
    assert histogram.percentile(0.5) == pytest.approx(1.0, rel=0.06)
    assert len(histogram.weights) <= 2


def test_what_was_added_can_be_taken_back() -> None:
    histogram = Histogram(MEMORY_BUCKETS, DAY)
    histogram.add(5e7, 1.0, at=10.0)
    before = histogram.as_json()
    histogram.add(2e8, 1.0, at=HOUR)
    histogram.take_back(2e8, 1.0, at=HOUR)
    assert histogram.weights == pytest.approx({int(k): v for k, v in before["weights"].items()})


def test_rows_hold_it() -> None:
    use = PoolUse()
    for n in range(30):
        use.worked(0.2 + n / 100, 3.0, at=n * HOUR)
        use.held(50_000_000 + n * 10_000_000, at=n * HOUR)
    again = PoolUse.of(use.as_json())
    assert again == use
    assert again.cpu.percentile(0.9) == use.cpu.percentile(0.9)


def used(cores: float, memory: int, count: int = ENOUGH) -> PoolUse:
    use = PoolUse()
    for n in range(count):
        use.worked(cores, 1.0, at=float(n))
        use.held(memory, at=float(n))
    return use


def advice(use: PoolUse, **more: float) -> dict[str, float]:
    values = {"cpu": 1.0, "memory": 512 * MIB, "memory_threshold": 0.9, "concurrency": 1, **more}
    return advise(use, **values).changes  # type: ignore[arg-type]


def test_usage_changes_advice() -> None:
    small, large = advice(used(0.2, 60 * MIB)), advice(used(3.0, 900 * MIB))
    assert small["cpu"] == pytest.approx(0.2 * MARGIN, abs=0.06)
    assert 60 * MIB * MARGIN < small["memory"] < 100 * MIB
    assert large["cpu"] == pytest.approx(3.0 * MARGIN, rel=0.08)
    assert large["memory"] >= 900 * MIB * MARGIN / 0.9


def test_each_setting_of_the_pool_counts() -> None:
    use = used(0.5, 400 * MIB)
    base = advice(use, memory=2048 * MIB)
    base_memory = base["memory"]
    assert advice(use, concurrency=4)["cpu"] == pytest.approx(base["cpu"] * 4, rel=0.05)
    assert advice(use, memory_threshold=0.5)["memory"] == pytest.approx(base_memory * 0.9 / 0.5, rel=0.02)
    assert "cpu" not in advice(use, cpu=base["cpu"])
    assert "memory" not in advice(use, memory=550 * MIB)


def test_the_sentence() -> None:
    told = advise(used(0.2, 480 * MIB), cpu=1.0, memory=600 * MIB, memory_threshold=0.9, concurrency=1)
    assert (
        told.sentence == "CPU: 1 core is more than it needs, 0.25 cores would do; memory: 600 MiB is right."
    )


def test_too_few_samples_advise_nothing() -> None:
    few = advise(
        used(3.0, 900 * MIB, ENOUGH - 1), cpu=1.0, memory=512 * MIB, memory_threshold=0.9, concurrency=1
    )
    assert few.changes == {}
    assert few.cpu.advised is None
    assert "too little is known" in few.sentence.lower()


def test_a_peak_that_rises_is_one_sample() -> None:
    use = PoolUse()
    use.held(50 * MIB, at=0.0)
    use.rose(50 * MIB, 300 * MIB, since=0.0)
    assert (use.memory_samples, len(use.memory.weights)) == (1, 1)
    assert use.memory.percentile(0.5) == pytest.approx(300 * MIB, rel=0.06)


def test_advice_stays_within_what_a_pool_may_be() -> None:
    idle = advice(used(0.0, 1))
    assert (idle["cpu"], idle["memory"]) == (0.1, 64 * MIB)
    assert advice(used(5000.0, 10 * MIB))["cpu"] == 1024
