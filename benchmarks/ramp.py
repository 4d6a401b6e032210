"""W7: Poisson arrivals that rise from 0 to 100 a minute and fall again, tasks of 2 s, a pool that is scaled.

    ./aflow bench ramp [--minutes 3] [--quiet 4] [--seed 1]

The platform must run. `minutes` up and as many down, `quiet` minutes before and after. Each task is a lease
over HTTP, a request of 2 s, and the end of the lease; its response time is from its arrival. Agent-seconds
come from looking at the pool's size every half second. They are held against a fixed pool that is sized for
the peak, and against the simulator's course of the same arrivals.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import time
from collections.abc import Sequence

import httpx
import numpy as np

from benchmarks.platform import Platform, quantile

POOL = "bench-ramp"
TASK = 2.0
PEAK = 100 / 60  # arrivals a second
SLEEP = "import time\n\ndef main(seconds):\n    time.sleep(seconds)\n"
WINDOW = 30.0  # idle time-out and down window, seconds
STEP = 5.0


def arrivals(minutes: float, quiet: float, seed: int) -> list[float]:
    """Seconds from the start."""
    random = np.random.default_rng(seed)
    found: list[float] = []
    half = minutes * 60
    for at in np.arange(0, 2 * half, STEP):
        rate = PEAK * (1 - abs(at + STEP / 2 - half) / half)
        found += (quiet * 60 + at + random.random(random.poisson(rate * STEP)) * STEP).tolist()
    return sorted(found)


async def task(client: httpx.AsyncClient, waits: list[float], responses: list[float]) -> None:
    arrived = time.monotonic()
    answer = await client.post(f"pools/{POOL}/leases/", json={"timeout": 60})
    answer.raise_for_status()
    waits.append(time.monotonic() - arrived)
    lease = f"leases/{answer.json()['token']}/"
    done = await client.post(f"{lease}invoke/", json={"input": {"seconds": TASK}, "code": SLEEP})
    done.raise_for_status()
    responses.append(time.monotonic() - arrived)
    (await client.delete(lease)).raise_for_status()


async def watch(client: httpx.AsyncClient, sizes: list[tuple[float, int, int]], began: float) -> None:
    while True:
        pool = (await client.get(f"pools/{POOL}/")).json()
        states = pool["states"]
        size = states["starting"] + states["idle"] + states["active"]
        sizes.append((time.monotonic() - began, size, states["active"]))
        await asyncio.sleep(0.5)


async def play(platform: Platform, moments: Sequence[float], seconds: float) -> dict[str, list]:
    url, headers = platform.address()
    waits: list[float] = []
    responses: list[float] = []
    sizes: list[tuple[float, int, int]] = []
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=90, limits=limits) as client:
        began = time.monotonic()
        watching = asyncio.create_task(watch(client, sizes, began))
        tasks = []
        for moment in moments:
            await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
            tasks.append(asyncio.create_task(task(client, waits, responses)))
        await asyncio.gather(*tasks)
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        watching.cancel()
    return {"waits": waits, "responses": responses, "sizes": sizes}


def agent_seconds(sizes: Sequence[tuple[float, int, int]], seconds: float) -> float:
    ends = [at for at, _, _ in sizes[1:]] + [seconds]
    return sum(size * (end - at) for (at, size, _), end in zip(sizes, ends, strict=True))


def simulated(moments: Sequence[float], seconds: float, start_time: float) -> float:
    """Agent-seconds of the simulator on the same arrivals."""
    from scaling.facade.simulation import Conditions, run_ours

    services = [TASK + 0.05] * len(moments)
    conditions = Conditions(start_time=start_time, max_size=20)
    return run_ours(moments, services, seconds, conditions, down_window=WINDOW)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--quiet", type=float, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data-dir")
    options = parser.parse_args()
    platform = Platform(options.data_dir)
    pool = {
        "name": POOL,
        "min_size": 0,
        "max_size": 20,
        "warm_up": True,
        "idle_timeout": WINDOW,
        "max_uses": 10**6,
    }
    platform.remake_pool(pool)
    for left in platform.call("GET", "policies/")["results"]:  # by a run that was cut
        if left["pool"] == POOL:
            platform.call("DELETE", f"policies/{left['id']}/")
    policy = platform.call("POST", "policies/", {"pool": POOL, "down_window": WINDOW})
    moments = arrivals(options.minutes, options.quiet, options.seed)
    seconds = (2 * options.minutes + 2 * options.quiet) * 60
    try:
        seen = asyncio.run(play(platform, moments, seconds))
        ups = platform.call("GET", f"decisions/?pool={POOL}&limit=500")["results"]
    finally:
        platform.call("DELETE", f"policies/{policy['id']}/")
        platform.call("DELETE", f"pools/{POOL}/?force=true")
    load = PEAK * TASK
    fixed = math.ceil(load + (1 / 0.7 - 1) * 5 * math.sqrt(load))
    used = agent_seconds(seen["sizes"], seconds)
    last = moments[-1] + TASK
    gone = next((at for at, size, _ in seen["sizes"] if at > last and size == 0), None)
    theirs = simulated(moments, seconds, ups[0]["signals"]["start_time"] if ups else 1.0)
    line = {
        "benchmark": "ramp",
        "tasks": len(moments),
        "response_p50_s": round(quantile(seen["responses"], 0.5), 3),
        "response_p99_s": round(quantile(seen["responses"], 0.99), 3),
        "wait_p99_s": round(quantile(seen["waits"], 0.99), 3),
        "scale_ups": sum(one["action"] == "scale_up" for one in ups),
        "empty_after_s": None if gone is None else round(gone - last, 1),
        "agent_seconds": round(used),
        "fixed_size": fixed,
        "fixed_agent_seconds": round(fixed * seconds),
        "saved": round(1 - used / (fixed * seconds), 3),
        "simulated_agent_seconds": round(theirs),
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
