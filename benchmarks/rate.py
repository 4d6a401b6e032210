"""Many short runs a minute, at a steady rate whatever the platform does: how soon each one starts.

    ./aflow bench rate [--per-minute 1500] [--seconds 60]

The platform must run. Runs of one light step are triggered by a clock, not by the end of others (an open
loop); the start latency is from the moment when a run was due to the first line of its body, which tells its
own clock. A generator that falls behind counts as latency, too.
"""

from __future__ import annotations

import argparse
import queue
import threading
import time

from benchmarks.engine import CLOCK
from benchmarks.platform import Platform, report

NAME = "bench-rate"
SENDERS = 8  # connections


def send(platform: Platform, due: queue.Queue[float | None], sent: list[tuple[str, float]]) -> None:
    """Starts a run at each of the moments that come, until None does."""
    while (moment := due.get()) is not None:
        sent.append((platform.start(NAME), moment))


def trigger(data_dir: str | None, per_minute: float, seconds: float) -> list[tuple[str, float]]:
    """The ids of the runs and when they were due, in seconds of the epoch."""
    due: queue.Queue[float | None] = queue.Queue()
    sent: list[tuple[str, float]] = []
    senders = [
        threading.Thread(target=send, args=(Platform(data_dir), due, sent), daemon=True)
        for _ in range(SENDERS)
    ]
    for sender in senders:
        sender.start()
    begun = time.time()
    for number in range(int(per_minute / 60 * seconds)):
        moment = begun + number * 60 / per_minute
        time.sleep(max(0.0, moment - time.time()))
        due.put(moment)
    for _ in senders:
        due.put(None)
    for sender in senders:
        sender.join()
    return sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-minute", type=float, default=1500)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--data-dir")
    options = parser.parse_args()
    platform = Platform(options.data_dir)
    step = {"id": "a", "type": "task", "run": {"code": CLOCK}, "pool": "python"}
    platform.deploy({"name": NAME, "steps": [step]})
    platform.wait(platform.start(NAME))
    begun = time.monotonic()
    sent = trigger(options.data_dir, options.per_minute, options.seconds)
    starts = [platform.wait(run_id)["output"] - moment for run_id, moment in sent]
    report(
        "rate",
        f"{options.per_minute:g} runs a minute, due to first line of the body",
        starts,
        "s",
        seconds=round(time.monotonic() - begun, 1),
    )


if __name__ == "__main__":
    main()
