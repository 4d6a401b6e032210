"""What is asked of a simulated pool: arrivals and the work that each brings, drawn from a trace by a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aflow_site.kernel.errors import Fault, InvalidInput
from scaling.domain.forecasting.history import KEPT
from scaling.domain.rollup import WIDTH
from scaling.simulator.trace import Trace

MOST = 1e9  # arrivals in a bin of the past; a quiet day scaled up makes busy ones before it absurd


@dataclass(frozen=True, slots=True)
class Conditions:
    """Times in seconds but `offset_hours` and `hours`. The trace is scaled so that over those hours the work
    keeps `mean_busy` agents busy on average. `price` is of an agent-hour."""

    mean_busy: float = 12.0
    service_mean: float = 5.0
    service_cv: float = 1.0
    start_time: float = 3.0
    slo_wait: float = 1.0
    offset_hours: float = 0.0
    hours: float = 24.0
    max_size: int = 1000
    price: float = 0.05

    def __post_init__(self) -> None:
        positive = ("mean_busy", "service_mean", "hours", "max_size")
        other = ("service_cv", "start_time", "slo_wait", "offset_hours", "price")
        faults = [
            Fault(name, "A finite number above 0 is expected here.")
            for name in positive
            if not 0 < getattr(self, name) < math.inf
        ] + [
            Fault(name, "A finite number, not below 0, is expected here.")
            for name in other
            if not 0 <= getattr(self, name) < math.inf
        ]
        if faults:
            raise InvalidInput("These conditions cannot be simulated.", faults=faults)


@dataclass(frozen=True, slots=True)
class Workload:
    """`arrivals[i]` (seconds from the start, rising) brings work of `services[i]` seconds. `history` holds
    the arrivals per second of the bins before the start, each `width` seconds wide, the last one ending at 0;
    `loads` the busy agents that arrivals drawn from it would have needed, in bins as pools keep them.
    """

    arrivals: tuple[float, ...]
    services: tuple[float, ...]
    seconds: float
    width: float
    history: tuple[float, ...]
    loads: tuple[float, ...] = ()


def draw(trace: Trace, conditions: Conditions, seed: int) -> Workload:
    """Poisson arrivals inside each bin, log-normal service times. The same seed draws the same.

    Raises `InvalidInput` when the hours lie outside of the trace, or hold no arrivals.
    """
    first = round(conditions.offset_hours * 3600 / trace.width)
    bins = max(1, math.ceil(conditions.hours * 3600 / trace.width - 1e-9))
    window = np.asarray(trace.counts[first : first + bins], dtype=float)
    if window.size == 0:
        held = trace.seconds / 3600
        raise InvalidInput(f"The trace holds {held:.1f} hours: nothing is left after the offset.")
    if window.sum() == 0:
        raise InvalidInput("Nothing arrives in the hours that were asked for: choose another offset.")
    seconds = min(conditions.hours * 3600, window.size * trace.width)
    scale = conditions.mean_busy * window.size * trace.width / (conditions.service_mean * window.sum())
    random = np.random.default_rng(seed)
    numbers = random.poisson(window * scale)
    begins = np.repeat(np.arange(window.size) * trace.width, numbers)
    arrivals = np.sort(begins + random.random(begins.size) * trace.width)
    arrivals = arrivals[arrivals < seconds]
    variance = math.log1p(conditions.service_cv**2)
    services = random.lognormal(
        math.log(conditions.service_mean) - variance / 2, math.sqrt(variance), arrivals.size
    )
    history = np.asarray(trace.counts[:first], dtype=float) * scale / trace.width
    loads = _loads(history, trace.width, conditions.service_mean, seed)
    return Workload(
        tuple(arrivals.tolist()),
        tuple(services.tolist()),
        seconds,
        trace.width,
        tuple(history.tolist()),
        tuple(loads.tolist()),
    )


def _loads(history: np.ndarray, width: float, service: float, seed: int) -> np.ndarray:
    """Poisson arrivals of the last days, whatever the trace's bins."""
    history = history[max(0, history.size - math.ceil(KEPT * WIDTH / width)) :]
    bins = min(KEPT, math.floor(history.size * width / WIDTH))
    ends = np.concatenate(([0.0], np.cumsum(history * width)))
    edges = history.size * width - np.arange(bins, -1, -1) * WIDTH
    expected = np.diff(np.interp(edges, np.arange(ends.size) * width, ends))
    # A stream of its own: what comes is drawn the same, whatever came before.
    return np.random.default_rng((seed, 1)).poisson(np.clip(expected, 0.0, MOST)) * service / WIDTH
