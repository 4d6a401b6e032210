"""Frontier against frontier: our scaler and the well-known ones, each at several settings, on real traces.

    ./aflow bench scaling TRACE.csv … [--offsets 100,400] [--start-times 3,60] [--seeds 3] [--hours 24]
                          [--ours balanced,balanced+ml] [--utilizations 0.6,0.7] [--points FILE]
                          [--minutes 30] [--processes 2]

No platform is needed. Each policy runs each seed; with `--points` every outcome is a JSON line there, and one
that stands there already is not run again: after `--minutes` it stops, and the same command goes on.

Then for each trace, offset, start time and baseline one JSON line for each family of ours, and one for all of
them together (`any`). For how many of the baseline's settings is our frontier, seed by seed, `better`: a
higher attainment with as many agent-seconds, or the same with fewer; `worse`: the other way round, each by
more than the 95 % interval over the seeds; else `level`; `outside`: cheaper and with less attainment than any
of our settings. `attainment` is our mean advantage at matched agent-seconds, `agent_seconds` our mean saving
as a share at matched attainment, each with its interval. Turns an hour are of both at the usual setting,
`coverage` is how often our forecasts at 0.9 held.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from aflow_site.kernel.errors import InvalidInput
from scaling.facade.simulation import Conditions, Outcome, Trace, one, read

UTILIZATIONS = (0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99)
BASELINES = {
    "hpa": (0.4, 0.5, 0.6, 0.7, 0.8),
    "hpac": (0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "keda": (0.5, 0.6, 0.7, 0.85, 1.0),
    "kpa": (0.4, 0.5, 0.6, 0.7, 0.8),
    "threshold": (0.6, 0.7, 0.8, 0.9),
    "fixed": (15, 18, 21, 24, 30, 36, 48),
}
USUAL = 0.7
ANY = "any"
USUAL_OF = {"threshold": 0.8}

Points = dict[str, dict[int, Outcome]]  # by policy and seed


@dataclass(frozen=True, slots=True)
class Place:
    trace: str
    offset: float
    start_time: float


def frontier(outcomes: Iterable[Outcome]) -> tuple[np.ndarray, np.ndarray]:
    """Agent-seconds and attainment of the settings that no other beats in both, both rising."""
    kept: list[Outcome] = []
    for outcome in sorted(outcomes, key=lambda o: (o.agent_seconds, -o.slo_attainment)):
        if not kept or outcome.slo_attainment > kept[-1].slo_attainment:
            kept.append(outcome)
    return np.array([o.agent_seconds for o in kept]), np.array([o.slo_attainment for o in kept])


def advantage(ours: Iterable[Outcome], theirs: Outcome) -> tuple[float, float]:
    """Attainment that is gained at matched agent-seconds, and the share of agent-seconds that is saved at
    matched attainment. NaN where our frontier does not reach that far."""
    costs, held = frontier(ours)
    cost, attained = theirs.agent_seconds, theirs.slo_attainment
    gained = float(np.interp(cost, costs, held, left=np.nan)) - attained  # more than the most buys no less
    needed = float(np.interp(attained, held, costs, left=np.nan, right=np.nan))
    return gained, 1 - needed / cost


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the half-width of its 95 % interval (normal), NaN where a seed has no value."""
    found = np.asarray(values)
    if found.size < 2:
        return float(found.mean()), 0.0
    return float(found.mean()), 1.96 * float(found.std(ddof=1)) / float(np.sqrt(found.size))


def verdict(gained: tuple[float, float], saved: tuple[float, float]) -> str:
    known = [pair for pair in (gained, saved) if not np.isnan(pair[0])]
    signs = [np.sign(mean) for mean, half in known if abs(mean) > half]
    if any(sign > 0 for sign in signs):
        return "better"
    if signs:
        return "worse"
    return "level" if known else "outside"


def compare(family: str, baseline: str, points: Points) -> dict[str, Any]:
    ours = {
        name: seeds
        for name, seeds in points.items()
        if (name.partition(":")[0] == family if family != ANY else name.partition(":")[0] not in BASELINES)
    }
    counts: dict[str, int] = defaultdict(int)
    gains, savings = [], []
    for knob in BASELINES[baseline]:
        theirs = points[f"{baseline}:{knob}"]
        pairs = [advantage([seeds[seed] for seeds in ours.values()], theirs[seed]) for seed in theirs]
        gained, saved = (interval([pair[side] for pair in pairs]) for side in (0, 1))
        counts[verdict(gained, saved)] += 1
        gains.append(gained)
        savings.append(saved)
    return {
        "ours": family,
        "baseline": baseline,
        **{name: counts[name] for name in ("better", "level", "worse", "outside")},
        "attainment": _overall(gains),
        "agent_seconds": _overall(savings),
        "our_turns_per_hour": _turns(ours.get(f"{family}:{USUAL}", {})),
        "turns_per_hour": _turns(points.get(f"{baseline}:{USUAL_OF.get(baseline, USUAL)}", {})),
        "coverage": _coverage(ours.values()),
    }


def _overall(found: Sequence[tuple[float, float]]) -> list[float] | None:
    """The mean over the settings, and its interval."""
    known = np.array([pair for pair in found if not np.isnan(pair[0])])
    return [round(float(value), 4) for value in known.mean(axis=0)] if known.size else None


def _turns(seeds: dict[int, Outcome]) -> float:
    return round(float(np.mean([o.reversals_per_hour for o in seeds.values()])), 2) if seeds else 0.0


def _coverage(policies: Iterable[dict[int, Outcome]]) -> float | None:
    known = [c for seeds in policies for o in seeds.values() if (c := o.forecast_coverage) is not None]
    return round(float(np.mean(known)), 4) if known else None


# --- running, in slices -----------------------------------------------------------------------------------


class Ledger:
    """What was run; kept in a file, if there is one."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[tuple[Place, float, str, int], Outcome] = {}
        if file is not None and file.exists():
            for line in file.read_text().splitlines():
                record = json.loads(line)
                place = Place(record["trace"], record["offset"], record["start_time"])
                key = (place, record["hours"], record["policy"], record["seed"])
                self._known[key] = Outcome(**record["outcome"])

    def has(self, place: Place, hours: float, job: tuple[str, int]) -> bool:
        return (place, hours, *job) in self._known

    def add(self, place: Place, hours: float, job: tuple[str, int], outcome: Outcome) -> None:
        self._known[place, hours, *job] = outcome
        if self._file is not None:
            name, seed = job
            record = {**asdict(place), "hours": hours, "policy": name, "seed": seed}
            with self._file.open("a") as file:
                file.write(json.dumps({**record, "outcome": asdict(outcome)}) + "\n")

    def points(self, place: Place, hours: float, jobs: Iterable[tuple[str, int]]) -> Points:
        found: Points = defaultdict(dict)
        for name, seed in jobs:
            found[name][seed] = self._known[place, hours, name, seed]
        return found


def places(options: argparse.Namespace) -> Iterator[tuple[Place, Trace, Conditions]]:
    for file in options.traces:
        with file.open(newline="") as lines:
            trace = read(lines, file.name)
        for offset in options.offsets:
            for start_time in options.start_times:
                conditions = Conditions(offset_hours=offset, start_time=start_time, hours=options.hours)
                yield Place(file.stem, offset, start_time), trace, conditions


def main() -> None:
    options = parse()
    ledger = Ledger(options.points)
    until = time.monotonic() + options.minutes * 60
    names = [f"{family}:{knob}" for family in options.ours for knob in options.utilizations]
    names += [f"{family}:{knob}" for family, knobs in BASELINES.items() for knob in knobs]
    jobs = [(name, seed) for name in names for seed in range(options.seeds)]
    with ProcessPoolExecutor(options.processes or os.cpu_count()) as pool:
        for place, trace, conditions in places(options):
            missing = [job for job in jobs if not ledger.has(place, options.hours, job)]
            run = partial(one, trace, conditions)
            try:
                for start in range(0, len(missing), 8):
                    if time.monotonic() > until:
                        print(json.dumps({"benchmark": "scaling", "stopped": "out of time; run it again"}))
                        return
                    some = missing[start : start + 8]
                    for job, outcome in zip(some, pool.map(run, some), strict=True):
                        ledger.add(place, options.hours, job, outcome)
            except InvalidInput as exc:
                print(json.dumps({"benchmark": "scaling", **asdict(place), "skipped": exc.detail}))
                continue
            points = ledger.points(place, options.hours, jobs)
            for family in (*options.ours, ANY):
                for baseline in BASELINES:
                    told = {"benchmark": "scaling", **asdict(place), **compare(family, baseline, points)}
                    print(json.dumps(told), flush=True)


def numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("traces", type=Path, nargs="+")
    parser.add_argument("--offsets", type=numbers, default=[100.0, 400.0], help="hours")
    parser.add_argument("--start-times", type=numbers, default=[3.0, 60.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument(
        "--ours", type=lambda text: text.split(","), default=["balanced", "reactive", "balanced+ml"]
    )
    parser.add_argument("--utilizations", type=numbers, default=UTILIZATIONS, help="settings of ours")
    parser.add_argument("--points", type=Path)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--processes", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    main()
