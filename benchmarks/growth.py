"""What an item costs, and what memory a run takes, from maps of 1,000 to maps of 100,000 items.

    ./aflow bench growth [--sizes 1000,10000,100000] [--repeat N]

The platform must run. One step makes the list, the map gives each element back, a streaming reduce adds up
their lengths. Memory is the growth of the resident set of each process of the platform during the run, at its
peak. `per_item` is the map's time by its rows, divided by its items; `growth` compares the sizes in this run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.platform import Platform, report

ROOT = Path(__file__).resolve().parent.parent
LIST = "def main(n):\n    return [f'item-{i:08}.txt' for i in range(n)]\n"
SAME = "def main(item):\n    return item\n"
ADD = "def main(results):\n    return sum(len(value) for value in results)\n"
NAME = "bench-growth"


def document(size: int) -> dict[str, Any]:
    pool = {"size": size, "warm_up": True, "max_uses": 10_000_000}
    return {
        "name": NAME,
        "params": {"type": "object", "properties": {"n": {"type": "integer"}}},
        "steps": [
            {"id": "list", "type": "task", "run": {"code": LIST}, "input": {"n": "${params.n}"}},
            {
                "id": "m",
                "type": "map",
                "needs": ["list"],
                "over": "${steps.list.output}",
                "run": {"code": SAME},
                "max_parallel": size,
                "pool": pool,
            },
            {"id": "sum", "type": "reduce", "needs": ["m"], "run": {"code": ADD}, "streaming": True},
        ],
    }


def processes() -> dict[str, int]:
    """The platform's processes and their pids. The environment says which platform."""
    command = (sys.executable, str(ROOT / "manage.py"), "status", "--json")
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {process["name"]: process["pid"] for process in json.loads(told)["processes"]}


class Peaks:
    """The largest growth of each process's resident set while this is open, in MB."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._before = self._now()
        self.peak = dict.fromkeys(pids, 0.0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _now(self) -> dict[str, float]:
        return {name: process.memory_info().rss / 1e6 for name, process in self._processes.items()}

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            for name, now in self._now().items():
                self.peak[name] = max(self.peak[name], now - self._before[name])

    def __enter__(self) -> Peaks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def one(platform: Platform, size: int) -> tuple[float, dict[str, float]]:
    """Microseconds for an item, and MB by process."""
    with Peaks(processes()) as peaks:
        run = platform.wait(platform.start(NAME, {"n": size}))
    if run["output"] != size * len("item-00000000.txt"):
        raise RuntimeError(f"wrong result: {run['output']}")
    step = platform.call("GET", f"runs/{run['id']}/steps/m/")
    return step["duration_ms"] * 1000 / size, peaks.peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--agents", type=int, default=5)
    parser.add_argument("--data-dir")
    options = parser.parse_args()
    platform = Platform(options.data_dir)
    platform.deploy(document(options.agents))
    platform.warm(f"{NAME}-m", options.agents)
    one(platform, 1000)
    cost: dict[int, float] = {}
    for size in [int(text) for text in options.sizes.split(",")]:
        rounds = [one(platform, size) for _ in range(options.repeat)]
        values = [value for value, _peaks in rounds]
        cost[size] = median(values)
        peaks = {name: round(max(peak[name] for _, peak in rounds), 1) for name in rounds[0][1]}
        report("growth", f"per item of {size:,}", values, "us", memory_mb=peaks)
    report("growth", "largest to smallest", [cost[max(cost)] / cost[min(cost)]], "ratio")


if __name__ == "__main__":
    main()
