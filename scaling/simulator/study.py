"""Many policies on one trace, each on the same seeds, with confidence intervals over the seeds."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any

import numpy as np

from aflow_site.kernel.errors import Fault, InvalidInput
from scaling.simulator import plant, workload
from scaling.simulator.ours import Ours
from scaling.simulator.outcome import Outcome, judge
from scaling.simulator.policies import faults_of, make
from scaling.simulator.trace import Trace
from scaling.simulator.workload import Conditions

RESAMPLES = 2000
MOST_RUNS = 2000


@dataclass(frozen=True, slots=True)
class Verdict:
    """A policy's outcome: each figure's mean over the seeds, and the half-width of its 95 % interval."""

    policy: str
    mean: Outcome
    interval: dict[str, float]
    seeds: int

    def as_record(self) -> dict[str, Any]:
        return {"policy": self.policy, **asdict(self.mean), "interval": self.interval, "seeds": self.seeds}


def one(trace: Trace, conditions: Conditions, job: tuple[str, int]) -> Outcome:
    """One policy on one seed."""
    name, seed = job
    work = workload.draw(trace, conditions, seed)
    policy = make(name, work, conditions)
    course = plant.run(policy, work, conditions)
    return judge(course, conditions, policy.held if isinstance(policy, Ours) else ())


def study(
    trace: Trace,
    conditions: Conditions,
    names: Sequence[str],
    seeds: int,
    *,
    processes: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Verdict]:
    """In the order of `names`. Raises `InvalidInput` with every fault before anything is run."""
    _check(names, seeds)
    workload.draw(trace, conditions, 0)  # says at once what is wrong with the hours
    jobs = [(name, seed) for name in names for seed in range(seeds)]
    run = partial(one, trace, conditions)
    outcomes: list[Outcome] = []
    if processes == 0:
        outcomes = [run(job) for job in jobs]
    else:
        with ProcessPoolExecutor(min(len(jobs), processes or os.cpu_count() or 1)) as pool:
            for outcome in pool.map(run, jobs):
                outcomes.append(outcome)
                progress(len(outcomes), len(jobs))
    return [verdict(name, outcomes[index * seeds : (index + 1) * seeds]) for index, name in enumerate(names)]


def _check(names: Sequence[str], seeds: int) -> None:
    faults = faults_of(list(names))
    if not names:
        faults.append(Fault("policies", "Name at least one policy."))
    if not 1 <= seeds <= MOST_RUNS:
        faults.append(Fault("seeds", f"From 1 to {MOST_RUNS} seeds can be run."))
    elif len(names) * seeds > MOST_RUNS:
        faults.append(
            Fault("seeds", f"That is {len(names) * seeds} runs; {MOST_RUNS} are the most at a time.")
        )
    if faults:
        raise InvalidInput("This study cannot be run.", faults=faults)


def verdict(policy: str, outcomes: Sequence[Outcome]) -> Verdict:
    means: dict[str, Any] = {}
    interval: dict[str, float] = {}
    random = np.random.default_rng(0)
    for name in (field.name for field in fields(Outcome)):
        values = np.asarray([v for o in outcomes if (v := getattr(o, name)) is not None], dtype=float)
        means[name] = float(values.mean()) if values.size else None
        if values.size > 1:
            picks = random.integers(0, values.size, (RESAMPLES, values.size))
            low, high = np.percentile(values[picks].mean(axis=1), (2.5, 97.5))
            interval[name] = float(high - low) / 2
    return Verdict(policy, Outcome(**means), interval, len(outcomes))
