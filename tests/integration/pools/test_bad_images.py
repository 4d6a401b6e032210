"""Images that do not do what agents do, each on real containers: what they are told as, and that they harm
nobody else."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import docker
import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async

from pools.facade import site
from pools.facade.contracts import LeaseOutcome, LeaseTimeout
from pools.leases.store import Leases
from pools.models import Agent, Pool
from pools.runtime.base import BUILT_IN_IMAGE
from pools.runtime.docker import DockerRuntime
from pools.services import pools as services
from pools.services.shutdown import remove_everything
from tests.factories.pools import make_pool, make_team
from tests.fakes.deployed import Person, controlling, end_everyone, row_of
from tests.fakes.pools import Plant, invocation, served, until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.docker,
    pytest.mark.usefixtures("brief_connections"),
]

READY_WITHIN = 4.0
SERVER = """
import socket
server = socket.create_server(("", 8000))
while True:
    client, _ = server.accept()
"""
# What each runs, and the sentence that its pool tells.
BAD: dict[str, tuple[str, str]] = {
    "exits": ("import sys; print('no config'); sys.exit(3)", r"ended.*It last wrote: no config"),
    "unwell": (
        SERVER + "    client.recv(4096); client.sendall(b'HTTP/1.1 503 No\\r\\n"
        "Content-Length: 0\\r\\n\\r\\n')",
        r"did not answer GET /health on its port within 4 s",
    ),
    "garbage": (
        "import os" + SERVER + "    client.sendall(os.urandom(100_000)); client.close()",
        r"did not answer GET /health",
    ),
    "endless": (
        SERVER
        + "    try:\n        while True:\n            client.sendall(b'HTTP/1.1 200 ' + b'x' * 10_000)\n"
        "    except OSError:\n        pass",
        r"did not answer GET /health",
    ),
    "hangs": ("kept = []" + SERVER + "    kept.append(client)", r"did not answer GET /health"),
    "silent": ("import time; time.sleep(3600)", r"did not answer GET /health"),
    "forks": (
        "import os, time\nwhile True:\n    try:\n        os.fork()\n"
        "    except OSError:\n        time.sleep(1)",
        r"did not answer GET /health",
    ),
    "memory": ("kept = []\nwhile True:\n    kept.append(b'x' * 2**20)", r"ended"),
    "disk": (
        "import time\nwith open('/tmp/full', 'wb') as file:\n    while True:\n        try:\n"
        "            file.write(b'x' * 2**20); file.flush()\n"
        "        except OSError:\n            time.sleep(1)",
        r"did not answer GET /health",
    ),
    "talks": ("while True:\n    print('x' * 1000)", r"did not answer GET /health"),
}


@pytest.fixture(scope="module")
def images() -> Iterator[dict[str, str]]:
    """Name by kind; on top of the built-in one, so that nothing has to be fetched."""
    client = docker.from_env()
    runtime = DockerRuntime("bad-images")
    base = asyncio.run(runtime.ensure_image(BUILT_IN_IMAGE))
    asyncio.run(runtime.close())
    python = client.images.get(base).attrs["Config"]["Entrypoint"][0]
    made = {}
    for kind, (script, _) in BAD.items():
        dockerfile = f"FROM {base}\nENTRYPOINT {json.dumps([python, '-u', '-c', script])}\nCMD []\n"
        made[kind] = f"aflow-test-bad:{kind}"
        client.images.build(fileobj=BytesIO(dockerfile.encode()), tag=made[kind], rm=True)
    yield {**made, "missing": "aflow-test-bad:missing"}
    for name in made.values():
        client.images.remove(name, force=True)
    client.close()


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    made = Plant(DockerRuntime(f"test-{uuid4().hex[:8]}"))
    yield made
    await remove_everything(DockerRuntime(made.runtime._instance))  # type: ignore[attr-defined]


@database_sync_to_async
def problem_of(pool_id: UUID) -> str:
    return Pool.objects.get(pk=pool_id).problem or ""


@database_sync_to_async
def made_of(pool_id: UUID) -> int:
    return Agent.objects.filter(pool_id=pool_id).count()


async def problem_of_agent(name: str) -> str:
    return (await row_of(name)).problem or ""


async def told(sentence: str, problem: Callable[[], Awaitable[str]]) -> None:
    """Waits for it: how an image fails first may depend on how fast the machine is."""
    seen: set[str] = set()

    async def matches() -> bool:
        seen.add(await problem())
        return any(re.search(sentence, each) for each in seen)

    try:
        await until(matches, 120)
    except TimeoutError:
        raise AssertionError(f"{sentence} is not among {seen}") from None


async def test_pools_of_bad_images(plant: Plant, images: dict[str, str]) -> None:
    """All at once: each pool says what is wrong, few agents of it are tried, whoever waits for one is told,
    and a good pool beside them serves. When they are deleted nothing stays."""
    wanted = {kind: sentence for kind, (_, sentence) in BAD.items()} | {"missing": "is not on this machine"}
    make = database_sync_to_async(make_pool)
    leases = Leases(site.redis_client(), plant.prefix)
    small = {"memory": 128 * 1024**2, "pids": 32, "cpu": 0.3}
    async with plant.running(ready_within=READY_WITHIN) as controller, plant.brokering() as broker:
        good = await make(min_size=1, max_size=1)
        await until(lambda: served(good.pk, 1), 60)
        bad = {
            kind: await make(name=f"bad-{kind}", image=image, min_size=1, max_size=2, **small)
            for kind, image in images.items()
        }
        for kind, pool in bad.items():
            await told(wanted[kind], lambda pool=pool: problem_of(pool.pk))  # type: ignore[misc]
            assert await made_of(pool.pk) <= 10, kind
        with pytest.raises(LeaseTimeout):
            await broker.acquire(bad["hangs"].pk, holder="h", team_id=bad["hangs"].team_id, timeout=1)
        lease = await broker.acquire(good.pk, holder="h", team_id=good.team_id, timeout=30)
        assert (await broker.invoke(lease, invocation({"x": 5}))).results[0].output == 25
        await broker.release(lease, LeaseOutcome.OK)
        for pool in bad.values():
            await database_sync_to_async(services.delete)(pool.team_id, pool.name, leases)
        controller.nudge()
        ids = [pool.pk for pool in bad.values()]
        await until(database_sync_to_async(lambda: not Pool.objects.filter(pk__in=ids).exists()), 120)
        left = [handle.agent_id for handle in await plant.runtime.list_agents()]
        assert left == [lease.agent_id]


async def test_deployed_agents_of_bad_images(images: dict[str, str], settings: Any) -> None:
    """Each tells what is wrong with it; a good one beside them answers."""
    settings.AFLOW_RUNTIME, settings.AFLOW_INSTANCE = "docker", f"test-{uuid4().hex[:8]}"
    runtime = site.runtime()
    await runtime.start()
    operator = await sync_to_async(lambda: Person(make_team()))()
    check = {"startPeriod": READY_WITHIN, "interval": 1}
    ended = {
        "exits": "exit code 3",
        "memory": "memory",
        "missing": "is not on this machine",
        "forks": "memory|GET /health",  # whichever limit it meets first
    }
    try:
        async with controlling(runtime):
            for kind, image in images.items():
                body = {
                    "name": kind,
                    "image": image,
                    "healthCheck": check,
                    "resources": {"memory": "128Mi", "cpu": 0.3},
                }
                assert (await operator.soon("POST", "agents/", body))[0] == 201
            assert (await operator.soon("POST", "agents/", {"name": "good"}))[0] == 201
            for kind in images:
                sentence = ended.get(kind, "It did not answer GET /health")
                await told(sentence, lambda kind=kind: problem_of_agent(kind))  # type: ignore[misc]
            await until(lambda: well("good"), 60)
            status, answer = await operator.soon(
                "POST", "agents/good/invoke", {"input": {"x": 4}, "code": "def main(x): return x"}
            )
            assert (status, answer["output"]) == (200, 4)
            for kind in images:
                assert (await operator.soon("DELETE", f"agents/{kind}/"))[0] == 204

            async def alone() -> bool:
                return len(await runtime.deployed.list_deployed()) == 1  # type: ignore[attr-defined]

            await until(alone, 120)
    finally:
        await end_everyone(runtime)
        await runtime.tidy()
        await runtime.close()


async def well(name: str) -> bool:
    row = await row_of(name)
    return (row.state, row.health) == ("running", "ok")
