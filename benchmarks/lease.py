"""W6: acquire + release pairs against real Redis; 50 agents, 3 tenants, 1 and 8 clients.

    python -m benchmarks.lease [--seconds N] [--redis URL]

One JSON line per result: pairs per second, and the p50 and p99 of one acquire (milliseconds). The agents are
registered in Redis only: what is measured is the lease, with its queue, fences and expiry, not an agent.
`shared` has all clients on one pool of 50 agents; `tenants` spreads them over three teams' pools.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from uuid import UUID, uuid4

import uvloop

from pools.facade.contracts import LeaseOutcome
from pools.leases.rules import LeaseRules
from pools.leases.store import AsyncLeases
from pools.leases.wire import Wire
from pools.services.broker.broker import Broker

AGENTS = 50
PREFIX = "aflow:bench:pools"
PLENTY = 1_000_000_000


@contextmanager
def embedded_redis() -> Iterator[str]:
    """A server of its own, as `./aflow up` runs it."""
    from aflow_site.supervision import redis_server

    port = redis_server.free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(redis_server.binary()), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        server = subprocess.Popen(
            [*command, "--appendonly", "yes", "--dir", folder], stdout=subprocess.DEVNULL
        )
        try:
            redis_server.wait(f"redis://127.0.0.1:{port}/0")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(10)


async def prepare(url: str, teams: int) -> list[tuple[UUID, int]]:
    """Pools with their agents; returns `(pool, team)`."""
    wire = Wire(url)
    leases = AsyncLeases(wire, PREFIX)
    await leases.begin_epoch(1, 2**32)
    pools = [(uuid4(), team) for team in range(1, teams + 1)]
    for pool_id, team in pools:
        await leases.put_pool(pool_id, LeaseRules(team, PLENTY))
    for number in range(AGENTS):
        await leases.register(pools[number % teams][0], uuid4(), f"127.0.0.1:{number + 1}")
    await wire.close()
    return pools


async def client(
    broker: Broker, pool: tuple[UUID, int], until: float, holders: Iterator[int], latencies: list[float]
) -> None:
    pool_id, team_id = pool
    clock = time.perf_counter
    while clock() < until:
        started = clock()
        lease = await broker.acquire(pool_id, holder=f"h{next(holders)}", team_id=team_id, timeout=10)
        latencies.append(clock() - started)
        await broker.release(lease, LeaseOutcome.OK)


async def measure(url: str, name: str, clients: int, teams: int, seconds: float) -> dict[str, object]:
    pools = await prepare(url, teams)
    broker = Broker(url, PREFIX, "bench")
    await broker.start()
    holders = count()
    latencies: list[float] = []
    try:
        started = time.perf_counter()
        ends = started + seconds
        work = (client(broker, pools[n % teams], ends, holders, latencies) for n in range(clients))
        await asyncio.gather(*work)
        elapsed = time.perf_counter() - started
    finally:
        await broker.close()
    ordered = sorted(latencies)
    return {
        "workload": "W6",
        "name": name,
        "clients": clients,
        "agents": AGENTS,
        "tenants": teams,
        "pairs_per_second": round(len(ordered) / elapsed),
        "acquire_p50_ms": round(ordered[len(ordered) // 2] * 1000, 3),
        "acquire_p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 3),
    }


def run(url: str | None = None, seconds: float = 5.0) -> list[dict[str, object]]:
    if url is None:
        with embedded_redis() as own:
            return run(own, seconds)
    results = []
    for name, teams in (("shared", 1), ("tenants", 3)):
        for clients in (1, 8):
            result = uvloop.run(measure(url, name, clients, teams, seconds))
            print(json.dumps(result), flush=True)
            results.append(result)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--redis", default=None, help="URL of a server; its keys aflow:bench:* are used")
    options = parser.parse_args()
    run(options.redis, options.seconds)


if __name__ == "__main__":
    main()
