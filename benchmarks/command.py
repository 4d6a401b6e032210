"""A warm command through a lease, against one `docker exec` for each call: same containers, one run.

    ./aflow bench command [--image NAME] [--calls N]

Needs Docker and nothing else: it brings a Redis of its own. Two JSON lines for each command and image: what a
call costs in milliseconds, from the request for a lease to its return (JSON in, JSON out), and what the same
program costs by `docker exec`, with its stdin and stdout attached. The two take turns, so that both meet the
same machine. `laid on` is an image that knows nothing of agents, with one laid on it.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import uvloop

from benchmarks.lease import PREFIX, embedded_redis
from benchmarks.platform import report
from pools.domain.tokens import agent_token
from pools.facade.contracts import Command, Invocation, LeaseOutcome
from pools.leases.rules import LeaseRules
from pools.leases.store import AsyncLeases
from pools.leases.wire import Wire
from pools.runtime.base import BUILT_IN_IMAGE, AgentHandle, AgentSpec
from pools.runtime.choose import make_runtime
from pools.runtime.contract import AgentHttp, bearer
from pools.runtime.images import built_in_tag
from pools.services.broker.broker import Broker

SECRET, NONCE = "bench", "bench"
PLENTY = 1_000_000_000
EXECS = 10  # calls by lease for one by `docker exec`, which is slow
COMMANDS = (["cat"], ["/bin/sh", "-c", "cat"], ["python3", "-c", "import sys; print(sys.stdin.read())"])


async def measure(redis: str, image: str, calls: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        runtime = make_runtime("docker", instance=f"bench-{uuid4().hex[:8]}", data_dir=Path(folder))
        await runtime.start()
        try:
            for kind, name in (("built in", BUILT_IN_IMAGE), ("laid on", image)):
                agent_id = uuid4()
                spec = AgentSpec(
                    agent_id=agent_id,
                    pool_id=uuid4(),
                    pool_name="bench",
                    image=await runtime.ensure_image(name, commands=kind == "laid on"),
                    nonce=NONCE,
                    epoch=1,
                    token=agent_token(SECRET, agent_id, NONCE),
                )
                handle = await runtime.create(spec)
                boot = await _ready(handle, spec)
                for words in COMMANDS:
                    await compare(redis, kind, handle, boot, spec, words, calls)
                await runtime.remove(agent_id)
        finally:
            for left in await runtime.list_agents():
                await runtime.remove(left.agent_id)
            await runtime.tidy()
            await runtime.close()


async def _ready(handle: AgentHandle, spec: AgentSpec) -> str:
    async with AgentHttp() as http, asyncio.timeout(60):
        while True:
            health = await http.health(handle.address, bearer(spec.token), within=1)
            if health.ok:
                return health.boot
            await asyncio.sleep(0.05)


async def compare(
    redis: str, kind: str, handle: AgentHandle, boot: str, spec: AgentSpec, words: list[str], calls: int
) -> None:
    wire = Wire(redis)
    leases = AsyncLeases(wire, PREFIX)
    await leases.begin_epoch(1, 2**32)
    pool = uuid4()
    await leases.put_pool(pool, LeaseRules(1, PLENTY))
    await leases.register(pool, spec.agent_id, handle.address, boot=boot, nonce=NONCE)
    broker = Broker(redis, PREFIX, SECRET)
    await broker.start()
    engine = docker.from_env()
    by_lease: list[float] = []
    by_exec: list[float] = []
    try:
        await _leased(broker, pool, words)  # connects
        for number in range(calls):
            by_lease.append(await _timed(_leased, broker, pool, words))
            if number % EXECS == 0:
                by_exec.append(await _timed(asyncio.to_thread, executed, engine, handle.ref, words))
    finally:
        engine.close()
        await broker.close()
        await wire.close()
    more = {"image": kind, "command": " ".join(words)}
    report("command", "by lease", by_lease, "ms", **more)
    report("command", "by docker exec", by_exec, "ms", **more)


async def _timed(call: Callable[..., Any], *args: Any) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    await call(*args)
    return (time.perf_counter() - started) * 1000


async def _leased(broker: Broker, pool: Any, words: list[str]) -> None:
    value = {"item": 7}
    lease = await broker.acquire(pool, holder=uuid4().hex, team_id=1, timeout=10)
    invocation = Invocation((value,), batch=False, runs=Command(tuple(words)), context={}, timeout=30)
    (result,) = (await broker.invoke(lease, invocation)).results
    await broker.release(lease, LeaseOutcome.OK)
    if result.output != value:
        raise SystemExit(f"The command gave {result}.")


def executed(engine: docker.DockerClient, container: str, words: list[str]) -> None:
    made = engine.api.exec_create(container, words, stdin=True)
    stream: Any = engine.api.exec_start(made["Id"], socket=True)
    connection: socket.socket = stream._sock  # the client has no other way to close the writing side alone
    connection.sendall(b'{"item": 7}\n')
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass
    stream.close()
    if engine.api.exec_inspect(made["Id"])["ExitCode"]:
        raise SystemExit("The command failed by docker exec.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", default=None, help="that the agent is laid on; the built-in agent's own")
    parser.add_argument("--calls", type=int, default=200)
    options = parser.parse_args()
    with embedded_redis() as redis:
        uvloop.run(measure(redis, options.image or built_in_tag(), options.calls))


if __name__ == "__main__":
    main()
