"""How fairly a pool's queue serves teams: 1,000 waiters at once, then teams that keep their queues full.

    python -m benchmarks.fair [--agents N] [--redis URL]

The agents are registered in Redis only; a lease is held for about ten milliseconds. One JSON line for each
case, with the leases that each team got while all of them waited, and Jain's index over these numbers divided
by the weights (1: all equal). Raj Jain, "The Art of Computer Systems Performance Analysis", 1991.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping
from uuid import UUID, uuid4

import uvloop

from benchmarks.lease import PREFIX, embedded_redis
from pools.facade.contracts import LeaseOutcome
from pools.leases.rules import LeaseRules
from pools.leases.store import AsyncLeases
from pools.leases.wire import Wire
from pools.services.broker.broker import Broker

PLENTY = 1_000_000_000
OWNER = 99  # keeps every agent until all have queued up
CASES: dict[str, dict[int, float]] = {
    "ten equal teams": dict.fromkeys(range(1, 11), 1.0),
    "weights 1, 2, 4": {1: 1.0, 2: 2.0, 3: 4.0},
    "weights 1 and 10": {1: 1.0, 2: 10.0},
}


def jain(shares: list[float]) -> float:
    """(Σx)² / (n Σx²)."""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


async def prepare(url: str, weights: Mapping[int, float], agents: int) -> UUID:
    wire = Wire(url)
    leases = AsyncLeases(wire, PREFIX)
    await leases.begin_epoch(1, 2**32)
    pool = uuid4()
    await leases.put_pool(pool, LeaseRules(OWNER, PLENTY, mixes=True, shares=weights))
    for number in range(agents):
        await leases.register(pool, uuid4(), f"127.0.0.1:{number + 1}")
    await wire.close()
    return pool


async def measure(
    url: str, name: str, weights: Mapping[int, float], waiters: int, agents: int
) -> dict[str, object]:
    pool = await prepare(url, weights, agents)
    broker = Broker(url, PREFIX, "bench")
    await broker.start()
    served: list[int] = []
    held = [await broker.acquire(pool, holder=f"first{n}", team_id=OWNER, timeout=10) for n in range(agents)]

    async def one(team: int, number: int) -> None:
        lease = await broker.acquire(pool, holder=f"{team}/{number}", team_id=team, timeout=300)
        served.append(team)
        await asyncio.sleep(random.uniform(0.005, 0.015))
        await broker.release(lease, LeaseOutcome.OK)

    each = waiters // len(weights)
    work = [asyncio.create_task(one(team, number)) for team in weights for number in range(each)]
    while (await broker.leases.figures([pool]))[pool].waiting < each * len(weights):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    for lease in held:
        await broker.release(lease, LeaseOutcome.OK)
    await asyncio.gather(*work)
    await broker.close()
    return {"name": name, "waiters": waiters, "agents": agents, **shares_of(served, weights, each)}


def shares_of(served: list[int], weights: Mapping[int, float], each: int) -> dict[str, object]:
    """Of the time in which every team still waited: until the first of them had none left."""
    counts: Counter[int] = Counter()
    for team in served:
        counts[team] += 1
        if counts[team] == each:
            break
    shares = {team: counts[team] / weight for team, weight in weights.items()}
    mean = sum(shares.values()) / len(shares)
    return {
        "served": dict(counts),
        "jain": round(jain(list(shares.values())), 4),
        "furthest_from_its_weight": round(max(abs(share / mean - 1) for share in shares.values()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=10)
    parser.add_argument("--waiters", type=int, default=1000)
    parser.add_argument("--redis", default=None, help="URL of a server; its keys aflow:bench:* are used")
    options = parser.parse_args()
    if options.redis is None:
        with embedded_redis() as url:
            run(url, options.waiters, options.agents)
    else:
        run(options.redis, options.waiters, options.agents)


def run(url: str, waiters: int, agents: int) -> None:
    for name, weights in CASES.items():
        print(json.dumps(uvloop.run(measure(url, name, weights, waiters, agents))), flush=True)


if __name__ == "__main__":
    main()
