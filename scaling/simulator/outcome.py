"""What a course was worth: attainment, waits, cost, reversals, and how long it took to follow the load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from aflow_site.kernel.errors import InvalidInput
from scaling.simulator.plant import Course
from scaling.simulator.workload import Conditions


@dataclass(frozen=True, slots=True)
class Outcome:
    """`slo_attainment` is the share (0 to 1) of arrivals that waited at most the SLO's wait; waits in
    seconds; `scale_up_seconds`: how long there was more work than ready agents, each time;
    `scale_down_seconds`: from the moment at which the load fell to half of the size or less, until the size
    fell, each time. Of both the 95th percentile; None where it never came to that. `forecast_coverage`: the
    share of forecasts at 0.9 that held; None where nothing was forecast."""

    slo_attainment: float
    wait_p50: float
    wait_p95: float
    wait_p99: float
    agent_seconds: float
    cost: float
    reversals_per_hour: float
    scale_up_seconds: float | None
    scale_down_seconds: float | None
    forecast_coverage: float | None = None


def judge(course: Course, conditions: Conditions, held: Sequence[bool] = ()) -> Outcome:
    """`held`: of each of the policy's forecasts whether no more came."""
    waits = np.asarray(course.waits)
    if not waits.size:
        raise InvalidInput("Nothing arrived in that time: take more hours, or a larger load.")
    p50, p95, p99 = np.percentile(waits, (50, 95, 99))
    hours = len(course.sizes) / 3600
    return Outcome(
        slo_attainment=float((waits <= conditions.slo_wait).mean()),
        wait_p50=float(p50),
        wait_p95=float(p95),
        wait_p99=float(p99),
        agent_seconds=course.agent_seconds,
        cost=course.agent_seconds / 3600 * conditions.price,
        reversals_per_hour=reversals([size for _, size in course.targets]) / hours,
        scale_up_seconds=_p95(_episodes(np.asarray(course.loads) > np.asarray(course.ready))),
        scale_down_seconds=_p95(_falls(course)),
        forecast_coverage=float(np.mean(held)) if held else None,
    )


def reversals(targets: list[int]) -> int:
    """How often the target changed its direction."""
    steps = [after - before for before, after in pairwise(targets)]
    signs = [step > 0 for step in steps if step]
    return sum(before != after for before, after in pairwise(signs))


def _episodes(holds: np.ndarray) -> list[float]:
    """The lengths of the stretches in which it holds, in seconds."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], holds.astype(int), [0]))))
    return [float(end - begin) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def _falls(course: Course) -> list[float]:
    found: list[float] = []
    since: int | None = None
    for second, (size, load) in enumerate(zip(course.sizes, course.loads, strict=True)):
        if since is not None and second and size < course.sizes[second - 1]:
            found.append(float(second - since))
            since = None
        elif size >= 2 and load <= size / 2:
            since = second if since is None else since
        else:
            since = None
    return found


def _p95(values: list[float]) -> float | None:
    return float(np.percentile(values, 95)) if values else None
