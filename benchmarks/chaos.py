"""Faults at random moments of a map-reduce over 500 files: lost and doubled items, and the time to recover.

    ./aflow bench chaos [--seeds 1-100] [--faults NAME,…] [--report FILE]

Needs root and dockerd: it starts a platform and a Docker Engine of its own, in a network of its own. One JSON
line for each trial goes to the report, and trials that stand there already are not run again: so a hundred
seeds can be run in slices.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def done_in(report: Path) -> dict[tuple[str, int], dict[str, Any]]:
    lines = report.read_text().splitlines() if report.exists() else []
    found = [json.loads(line) for line in lines]
    return {(trial["fault"], trial["seed"]): trial for trial in found}


def run(seeds: range, faults: list[str], report: Path) -> None:
    sys.path.insert(0, str(ROOT))
    from tests.chaos.faults import FAULTS
    from tests.chaos.plant import running_plant
    from tests.chaos.trial import try_fault

    known = done_in(report)
    todo = [(fault, seed) for seed in seeds for fault in faults or FAULTS if (fault, seed) not in known]
    if not todo:
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the platform and its engine end with us
    with running_plant() as plant:
        for fault, seed in todo:
            line = try_fault(plant, fault, seed).as_json()
            print(line, flush=True)
            with report.open("a") as file:
                file.write(line + "\n")


def summary(report: Path) -> dict[str, Any]:
    trials = list(done_in(report).values())
    times = sorted(trial["recovery"] for trial in trials)
    return {
        "benchmark": "chaos",
        "faults": len(trials),
        "lost": sum(trial["lost"] for trial in trials),
        "doubled": sum(trial["doubled"] for trial in trials),
        "recovery_p50_s": times[len(times) // 2] if times else None,
        "recovery_p95_s": times[min(len(times) - 1, int(0.95 * len(times)))] if times else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1-100", help="such as 1-10")
    parser.add_argument("--faults", default="", help="such as kill_executor,kill_web; else all")
    parser.add_argument("--report", type=Path, default=ROOT / "benchmarks" / "results" / "chaos.jsonl")
    parser.add_argument("--apart", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.report.parent.mkdir(parents=True, exist_ok=True)
    if not options.apart:
        apart = [sys.executable, str(ROOT / "tests" / "chaos" / "apart.py")]
        command = [*apart, sys.executable, "-m", "benchmarks.chaos", "--apart", *sys.argv[1:]]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        print(json.dumps(summary(options.report)))
        sys.exit(code)
    first, _, last = options.seeds.partition("-")
    faults = [name for name in options.faults.split(",") if name]
    run(range(int(first), int(last or first) + 1), faults, options.report)


if __name__ == "__main__":
    main()
