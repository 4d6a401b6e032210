"""W5: ten tasks at once, from a warm pool against ten containers started at the same moment. And what a pool
costs: memory of an idle agent, and how many agents a second a pool fills with.

    ./aflow bench pool [--repeat N]

Time is from the request to the first byte of each agent's answer; the containers are made from the same
image, by the same Docker Engine, all ten at once. Memory is what their control groups account for; that of an
idle agent without file cache that could go. A pool is filled with twenty agents by the controller, which asks
the engine for as many at once as it likes (`AT_ONCE`); beside it, as many plain containers of the same image,
by as many threads.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import http.client
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import django
import docker
from asgiref.sync import sync_to_async

from benchmarks.platform import Platform, report

django.setup()

from pools.facade import api as pools  # noqa: E402 (Django must be ready)
from pools.facade.contracts import Code, Invocation, LeaseOutcome  # noqa: E402
from pools.models import Pool  # noqa: E402
from pools.runtime.cgroups import use_of  # noqa: E402
from pools.services.controller.creation import AT_ONCE  # noqa: E402

CODE = "import time\n\ndef main(item):\n    return time.time()\n"
TASKS = 10
AGENTS = 5
FILL = 20  # agents of the pool that is filled
REST = 5.0  # seconds after which an agent counts as idle


def pooled(platform: Platform, times: int) -> list[float]:
    """Milliseconds from the trigger to the first line of each of ten bodies on five warm agents."""
    step = {
        "id": "m",
        "type": "map",
        "over": list(range(TASKS)),
        "run": {"code": CODE},
        "pool": {"size": AGENTS, "warm_up": True, "max_uses": 1_000_000},
    }
    platform.deploy({"name": "bench-pool", "steps": [step]})
    platform.warm("bench-pool-m", AGENTS)
    values = []
    for round_ in range(times + 1):
        time.sleep(0.5)
        sent = time.time()
        run = platform.wait(platform.start("bench-pool"))
        if round_:
            values += [(at - sent) * 1000 for at in run["output"]]
    return values


def leased(platform: Platform, times: int) -> list[float]:
    """Milliseconds from asking for a lease to the first byte of the agent's answer, ten tasks at once."""
    pool_id = UUID(platform.call("GET", "pools/bench-pool-m/")["id"])
    return asyncio.run(_leased(pool_id, times))


async def _leased(pool_id: UUID, times: int) -> list[float]:
    code = Code(sha256=hashlib.sha256(CODE.encode()).hexdigest(), source=CODE)
    call = Invocation(inputs=({"item": 1},), batch=False, runs=code, context={"attempt": 1}, timeout=30)
    broker = pools.Broker()
    await broker.start()
    try:
        team_id = await sync_to_async(Pool.objects.values_list("team_id", flat=True).get)(pk=pool_id)
        values: list[float] = []

        async def one(begun: float) -> None:
            lease = await broker.acquire(pool_id, holder=uuid4().hex, team_id=team_id, timeout=30)
            await broker.invoke(lease, call)
            values.append((time.perf_counter() - begun) * 1000)
            await broker.release(lease, LeaseOutcome.OK, uses=1)

        for round_ in range(times + 1):
            if round_ == 1:
                values.clear()  # the first round loads the code
            await asyncio.sleep(0.5)
            begun = time.perf_counter()
            await asyncio.gather(*(one(begun) for _ in range(TASKS)))
        return values
    finally:
        await broker.close()


def cold(client: docker.DockerClient, image: str, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds until each of ten new containers answers, and MB of each."""
    values: list[float] = []
    memory: list[float] = []
    for _ in range(times):
        with ThreadPoolExecutor(TASKS) as threads:
            begun = time.perf_counter()
            results = list(threads.map(_cold_start, [client] * TASKS, [image] * TASKS, [begun] * TASKS))
        values += [took for took, _ in results]
        memory += [_memory_mb(container) for _, container in results]
        for _, container in results:
            container.remove(force=True)
    return values, memory


def _cold_start(client: docker.DockerClient, image: str, begun: float) -> tuple[float, Any]:
    container = client.containers.run(image, detach=True, labels={"agentainer.benchmark": "cold"})
    container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"]
    address = next(iter(networks.values()))["IPAddress"]
    _until_it_answers(address)
    return (time.perf_counter() - begun) * 1000, container


def _until_it_answers(address: str) -> None:
    body = json.dumps({"input": {"item": 1}, "runs": {"code": "0" * 64}, "source": CODE, "context": {}})
    while True:
        connection = http.client.HTTPConnection(address, 8000, timeout=5)
        try:
            connection.request("POST", "/invoke", body, {"Content-Type": "application/json"})
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.005)
        finally:
            connection.close()


def filled(platform: Platform, client: docker.DockerClient, times: int) -> tuple[list[float], list[float]]:
    """Agents a second from no pool to a full one, and MB of each agent when it has had nothing to do."""
    rates: list[float] = []
    memory: list[float] = []
    settings = {"name": "bench-fill", "image": "agentainer/python-agent", "min_size": FILL, "max_size": FILL}
    for _ in range(times):
        begun = time.perf_counter()
        platform.call("POST", "pools/", settings)
        while platform.call("GET", "pools/bench-fill/")["states"]["idle"] < FILL:
            time.sleep(0.02)
        rates.append(FILL / (time.perf_counter() - begun))
        time.sleep(REST)
        agents = platform.call("GET", "agents/?pool=bench-fill")["results"]
        used = (use_of(str(client.containers.get(agent["container"]).id)) for agent in agents)
        memory += [use.memory / 1e6 for use in used if use is not None]
        platform.call("DELETE", "pools/bench-fill/")
        while platform.call("GET", "agents/?pool=bench-fill")["results"]:
            time.sleep(0.1)
    return rates, memory


def plain(client: docker.DockerClient, image: str, times: int) -> list[float]:
    """Containers a second until all of them answer, as many at once as the controller makes."""
    rates = []
    for _ in range(times):
        with ThreadPoolExecutor(AT_ONCE) as threads:
            begun = time.perf_counter()
            results = list(threads.map(_cold_start, [client] * FILL, [image] * FILL, [begun] * FILL))
        rates.append(FILL / (time.perf_counter() - begun))
        for _, container in results:
            container.remove(force=True)
    return rates


def _memory_mb(container: Any) -> float:
    stats = container.stats(stream=False)["memory_stats"]
    return float(stats.get("usage", 0)) / 1e6


def fill_against_plain(platform: Platform, client: docker.DockerClient, repeat: int) -> None:
    agent = platform.call("GET", "agents/?pool=python")["results"][0]
    container: Any = client.containers.get(agent["container"])
    image = container.image.id
    made, memory = filled(platform, client, repeat)
    report("fill", f"a pool fills with {FILL} agents", made, "agents/s")
    report("fill", f"{FILL} plain containers until they answer", plain(client, image, repeat), "containers/s")
    report("fill", "memory of an idle agent", memory, "MB")


def warm_against_cold(platform: Platform, client: docker.DockerClient, repeat: int) -> None:
    engine = pooled(platform, repeat)
    warm = leased(platform, repeat)
    pool = platform.call("GET", "agents/?pool=bench-pool-m")["results"]
    containers: list[Any] = [client.containers.get(agent["container"]) for agent in pool]
    image = containers[0].image.id
    started, memory = cold(client, image, repeat)
    report("W5", "first byte, leases of a warm pool", warm, "ms")
    report("W5", "first line of the body, a run through the API on a warm pool", engine, "ms")
    report("W5", "first byte, ten containers started at once", started, "ms")
    for name, values in (("leased", warm), ("run", engine)):
        ratio = round(statistics.median(started) / statistics.median(values), 1)
        print(json.dumps({"benchmark": "W5", "measure": f"cold / {name}", "ratio": ratio}))
    pooled_mb = [_memory_mb(container) for container in containers]
    report("W5", f"memory of {AGENTS} pooled agents", [sum(pooled_mb)], "MB")
    report("W5", f"memory of {TASKS} cold containers", [sum(memory) / repeat], "MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", choices=("fill",), help="leave the rest out")
    parser.add_argument("--data-dir")
    options = parser.parse_args()
    platform = Platform(options.data_dir)
    client = docker.from_env()
    if options.only is None:
        warm_against_cold(platform, client, options.repeat)
    fill_against_plain(platform, client, options.repeat)


if __name__ == "__main__":
    main()
