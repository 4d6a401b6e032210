"""What the agents of a pool really need, out of what they used: advice on CPU and memory.

After the Kubernetes vertical pod autoscaler's recommender: the 90th percentile of a decaying histogram
(half-life one day), and 15 % on top. Two things differ, since
agents lie idle most of their time:
- CPU is cores *while leased*: an agent's CPU seconds by the seconds that its leases took, weighted by these.
  A mean over the clock would advise a tenth of a core where a body needs a whole one for a moment. A lease in
  which nothing is done, by a program that holds it or a body that waits, makes the figure too small.
- Memory is the peak of each agent, one sample for each. An agent that ran out of memory counts with a fifth
  more than its limit, as there.

Pure; memory in bytes, CPU in cores, times in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pools.domain.histograms import Buckets, Histogram
from pools.domain.settings import MIB, RANGES

DAY = 86400.0
CPU_BUCKETS = Buckets(first=0.01, top=1000.0)
MEMORY_BUCKETS = Buckets(first=1_000_000, top=1e12)
TARGET, LOW, HIGH = 0.9, 0.5, 0.95
MARGIN = 1.15
RAN_OUT = 1.2
ENOUGH = 10  # samples of each kind; fewer say too little
LEAST_CPU, CPU_STEP = 0.1, 0.05
LEAST_MEMORY, MEMORY_STEP = 64 * MIB, 8 * MIB
WORTH_IT = 0.1  # of what is set: smaller changes are not worth new agents


@dataclass(slots=True)
class PoolUse:
    """What was seen of a pool's agents; `began` is when the first sample came."""

    began: float | None = None
    cpu_samples: int = 0
    memory_samples: int = 0
    cpu: Histogram = field(default_factory=lambda: Histogram(CPU_BUCKETS, DAY))
    memory: Histogram = field(default_factory=lambda: Histogram(MEMORY_BUCKETS, DAY))

    def worked(self, cores: float, seconds: float, at: float) -> None:
        """An agent used so many cores during leases of so many seconds."""
        self._begin(at)
        self.cpu_samples += 1
        self.cpu.add(cores, seconds, at)

    def held(self, memory: int, at: float) -> None:
        """The first that was seen of an agent."""
        self._begin(at)
        self.memory_samples += 1
        self.memory.add(memory, 1.0, at)

    def rose(self, before: int, memory: int, since: float) -> None:
        """The peak of an agent, whose sample is as of `since`, has risen."""
        self.memory.take_back(before, 1.0, since)
        self.memory.add(memory, 1.0, since)

    def _begin(self, at: float) -> None:
        if self.began is None:
            self.began = at

    def as_json(self) -> dict[str, Any]:
        return {
            "began": self.began,
            "cpu_samples": self.cpu_samples,
            "memory_samples": self.memory_samples,
            "cpu": self.cpu.as_json(),
            "memory": self.memory.as_json(),
        }

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> PoolUse:
        found = cls(content.get("began"), content.get("cpu_samples", 0), content.get("memory_samples", 0))
        found.cpu.load(content.get("cpu", {}))
        found.memory.load(content.get("memory", {}))
        return found


@dataclass(frozen=True, slots=True)
class Figure:
    """One resource. `advised` is None while too little is known; `p50`, `p90` and `p95` of what was used."""

    now: float
    advised: float | None
    samples: int
    p50: float | None
    p90: float | None
    p95: float | None

    @property
    def differs(self) -> bool:
        return self.advised is not None and abs(self.advised - self.now) > WORTH_IT * self.now


@dataclass(frozen=True, slots=True)
class Advice:
    cpu: Figure
    memory: Figure
    sentence: str

    @property
    def changes(self) -> dict[str, Any]:
        """What to set of the pool; empty when it is well as it is."""
        found: dict[str, Any] = {}
        if self.cpu.differs:
            found["cpu"] = self.cpu.advised
        if self.memory.differs and self.memory.advised is not None:
            found["memory"] = int(self.memory.advised)
        return found


def advise(use: PoolUse, *, cpu: float, memory: int, memory_threshold: float, concurrency: int) -> Advice:
    """`cpu` and `memory` are set now. An agent is replaced above `memory_threshold` of its memory: what is
    advised leaves room below that. One of several slots needs so many times the cores of one lease."""
    cores = _figure(use.cpu, cpu, use.cpu_samples, lambda p: _cpu(p * MARGIN * concurrency))
    size = _figure(use.memory, memory, use.memory_samples, lambda p: _memory(p * MARGIN / memory_threshold))
    return Advice(cores, size, _sentence(cores, size))


def _figure(used: Histogram, now: float, samples: int, rounded: Callable[[float], float]) -> Figure:
    p90 = used.percentile(TARGET)
    advised = rounded(p90) if p90 is not None and samples >= ENOUGH else None
    return Figure(now, advised, samples, used.percentile(LOW), p90, used.percentile(HIGH))


def _cpu(cores: float) -> float:
    low, high, _ = RANGES["cpu"]
    steps = math.ceil(round(cores / CPU_STEP, 6))
    return round(min(high, max(low, LEAST_CPU, steps * CPU_STEP)), 2)


def _memory(size: float) -> int:
    low, high, _ = RANGES["memory"]
    return int(min(high, max(low, LEAST_MEMORY, math.ceil(size / MEMORY_STEP) * MEMORY_STEP)))


def _sentence(cpu: Figure, memory: Figure) -> str:
    return f"CPU: {_words(cpu, _cores)}; memory: {_words(memory, _mib)}."


def _words(figure: Figure, said: Callable[[float], str]) -> str:
    if figure.advised is None:
        return f"too little is known yet ({figure.samples} of {ENOUGH} samples)"
    if not figure.differs:
        return f"{said(figure.now)} is right"
    compared = "more" if figure.advised < figure.now else "less"
    return f"{said(figure.now)} is {compared} than it needs, {said(figure.advised)} would do"


def _cores(value: float) -> str:
    return "1 core" if value == 1 else f"{value:g} cores"


def _mib(value: float) -> str:
    return f"{value / MIB:,.0f} MiB"
