"""W1 to W4: forty light steps, a fan-out, a map of 1,000 items, and the start latency, through the API.

    ./aflow bench engine [--repeat N] [--only W1,W3]

The platform must run (`./aflow up --detach`). Each result is one JSON line. Time is from sending the trigger
until the run's result was read; the pause between runs is random, so as not to fall in step with a timer.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from typing import Any

from benchmarks.platform import Platform, report

FIB = "def main():\n    a, b = 0, 1\n    for _ in range(10):\n        a, b = b, a + b\n    return a\n"
SLEEP = "import time\n\ndef main(item):\n    time.sleep(0.5)\n    return item\n"
SAME = "def main(item):\n    return item\n"
CLOCK = "import time\n\ndef main():\n    return time.time()\n"


def chain(count: int) -> dict[str, Any]:
    steps = [
        {
            "id": f"s{i}",
            "type": "task",
            "run": {"code": FIB},
            "needs": [f"s{i - 1}"] if i else [],
            "pool": "python",
        }
        for i in range(count)
    ]
    return {"name": "bench-chain", "steps": steps}


def mapping(name: str, count: int, code: str, size: int) -> dict[str, Any]:
    step = {
        "id": "m",
        "type": "map",
        "over": list(range(count)),
        "run": {"code": code},
        "max_parallel": size,
        "pool": {"size": size, "warm_up": True, "max_uses": 10_000_000},
    }
    return {"name": name, "steps": [step]}


def repeat(platform: Platform, name: str, times: int, check: Callable[[dict[str, Any]], None]) -> list[float]:
    seconds = []
    for round_ in range(times + 1):
        time.sleep(0.3 + random.random() * 0.5)
        begun = time.perf_counter()
        run = platform.wait(platform.start(name))
        took = time.perf_counter() - begun
        check(run)
        if round_:  # the first warms up
            seconds.append(took)
    return seconds


def expect(value: Any) -> Callable[[dict[str, Any]], None]:
    def check(run: dict[str, Any]) -> None:
        if run["output"] != value:
            raise RuntimeError(f"wrong result: {str(run['output'])[:200]}")

    return check


def w1(platform: Platform, times: int) -> None:
    platform.deploy(chain(40))
    report("W1", "forty light steps", repeat(platform, "bench-chain", times, expect(55)), "s")


def w2(platform: Platform, times: int) -> None:
    platform.deploy(mapping("bench-fan-out", 10, SLEEP, 5))
    platform.warm("bench-fan-out-m", 5)
    values = repeat(platform, "bench-fan-out", times, expect(list(range(10))))
    report("W2", "10 tasks of 0.5 s on 5 agents", values, "s", ideal=1.0)


def w3(platform: Platform, times: int) -> None:
    platform.deploy(mapping("bench-map", 1000, SAME, 5))
    platform.warm("bench-map-m", 5)
    report("W3", "map of 1,000", repeat(platform, "bench-map", times, expect(list(range(1000)))), "s")


def w4(platform: Platform, times: int) -> None:
    """From sending the trigger to the first line of the body, which tells its own clock."""
    step = {"id": "a", "type": "task", "run": {"code": CLOCK}, "pool": "python"}
    platform.deploy({"name": "bench-start", "steps": [step]})
    values = []
    for round_ in range(max(times, 30) + 1):
        time.sleep(0.2 + random.random() * 0.4)
        sent = time.time()
        run = platform.wait(platform.start("bench-start"))
        if round_:
            values.append((run["output"] - sent) * 1000)
    report("W4", "trigger to first line of the body", values, "ms")


WORKLOADS = {"W1": w1, "W2": w2, "W3": w3, "W4": w4}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--only", default=",".join(WORKLOADS), help="such as W1,W3")
    parser.add_argument("--data-dir")
    options = parser.parse_args()
    platform = Platform(options.data_dir)
    for name in options.only.split(","):
        WORKLOADS[name.strip().upper()](platform, options.repeat)


if __name__ == "__main__":
    main()
