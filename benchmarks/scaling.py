"""Frontier against frontier: our scaler and the well-known ones, each at several settings, on real traces.

    ./aflow bench scaling TRACE.csv … [--offsets 100,400] [--start-times 3,60] [--seeds 3] [--points FILE]

No platform is needed. For each trace, offset and start time one JSON line for each baseline: how many of its
settings are beaten by one of ours (no more agent-seconds, no lower attainment), how many beat one of ours in
the same sense, and the turns an hour of both at their usual setting.

`--points` gets every outcome as a JSON line.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scaling.facade.simulation import Conditions, Verdict, read, study

OURS = {
    "balanced": (0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85),
    "reactive": (0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9),
}
BASELINES = {
    "hpa": (0.4, 0.5, 0.6, 0.7, 0.8),
    "hpac": (0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "keda": (0.5, 0.6, 0.7, 0.85, 1.0),
    "kpa": (0.4, 0.5, 0.6, 0.7, 0.8),
    "threshold": (0.6, 0.7, 0.8, 0.9),
    "fixed": (15, 18, 21, 24, 30, 36, 48),
}
USUAL = {"hpa": 0.7, "hpac": 0.7, "keda": 0.7, "kpa": 0.7, "threshold": 0.8}


def beats(one: Verdict, other: Verdict) -> bool:
    mean, than = one.mean, other.mean
    return mean.slo_attainment >= than.slo_attainment and mean.agent_seconds <= than.agent_seconds


def compare(family: str, theirs: Sequence[Verdict], ours: Sequence[Verdict]) -> dict[str, Any]:
    usual = [verdict for verdict in theirs if verdict.policy == f"{family}:{USUAL.get(family)}"]
    balanced = next(verdict for verdict in ours if verdict.policy == "balanced:0.7")
    return {
        "baseline": family,
        "settings": len(theirs),
        "beaten": sum(any(beats(mine, one) for mine in ours) for one in theirs),
        "beating": sum(any(beats(one, mine) for mine in ours) for one in theirs),
        "turns_per_hour": round(usual[0].mean.reversals_per_hour, 2) if usual else 0.0,
        "our_turns_per_hour": round(balanced.mean.reversals_per_hour, 2),
    }


def names(families: dict[str, tuple[float, ...]]) -> list[str]:
    return [f"{family}:{knob}" for family, knobs in families.items() for knob in knobs]


def numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("traces", type=Path, nargs="+")
    parser.add_argument("--offsets", type=numbers, default=[100.0, 400.0], help="hours")
    parser.add_argument("--start-times", type=numbers, default=[3.0, 60.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--points", type=Path)
    options = parser.parse_args()
    for file in options.traces:
        with file.open(newline="") as lines:
            trace = read(lines, file.name)
        for offset in options.offsets:
            for start_time in options.start_times:
                conditions = Conditions(offset_hours=offset, start_time=start_time, hours=options.hours)
                found = study(trace, conditions, names(OURS) + names(BASELINES), options.seeds)
                where = {"trace": file.stem, "offset": offset, "start_time": start_time}
                tell(found, where, options.points)


def tell(found: list[Verdict], where: dict[str, Any], points: Path | None) -> None:
    ours = [verdict for verdict in found if verdict.policy.partition(":")[0] in OURS]
    for family in BASELINES:
        theirs = [verdict for verdict in found if verdict.policy.partition(":")[0] == family]
        print(json.dumps({"benchmark": "scaling", **where, **compare(family, theirs, ours)}), flush=True)
    if points is not None:
        with points.open("a") as file:
            for verdict in found:
                file.write(json.dumps({**where, **verdict.as_record()}) + "\n")


if __name__ == "__main__":
    main()
