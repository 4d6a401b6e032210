"""What agents reach out of their containers, pooled and deployed, isolated and not: each line is tried."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import docker
import orjson
import psutil
import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client
from django.utils.timezone import now
from drf_spectacular.generators import SchemaGenerator

from pools.domain.tokens import agent_token
from pools.models import Agent, DeployedAgent
from pools.runtime.base import BUILT_IN_IMAGE
from pools.runtime.contract import AgentHttp, bearer
from pools.runtime.docker import DockerRuntime
from pools.runtime.images import built_in_tag
from tests.contract.pools.agents import new_spec
from tests.contract.pools.test_deployed_contract import spec as new_deployed
from tests.factories.pools import make_pool, make_team
from tests.fakes.outside import outside
from tests.fakes.pools import code, until

# Which of the targets are in reach, all tried at once: one that drops everything costs a second.
REACHED = code(
    "import socket\n"
    "from concurrent.futures import ThreadPoolExecutor\n"
    "def reaches(target):\n"
    "    try:\n"
    "        socket.create_connection(target, timeout=1).close()\n"
    "    except OSError:\n"
    "        return False\n"
    "    return True\n"
    "def main(targets):\n"
    "    with ThreadPoolExecutor(len(targets)) as threads:\n"
    "        found = threads.map(reaches, map(tuple, targets))\n"
    "    return [target for target, reached in zip(targets, found) if reached]\n",
)
ENGINE_PORTS = (2375, 2376)
SOCKETS = code(
    "import os\n"
    "def main():\n"
    "    found = []\n"
    "    for directory, _, names in os.walk('/', onerror=lambda _: None):\n"
    "        if directory.startswith(('/proc', '/sys')):\n"
    "            continue\n"
    "        found += [f'{directory}/{name}' for name in names if name.endswith('.sock')]\n"
    "    return found\n"
)


@dataclass(frozen=True, slots=True)
class Someone:
    kind: str
    egress: bool
    address: str
    token: str


@contextlib.asynccontextmanager
async def crew(runtime: DockerRuntime) -> AsyncIterator[list[Someone]]:
    """One of each kind and network, all well."""
    found = []
    for egress in (False, True):
        pooled = replace(new_spec(), egress=egress)
        found.append(Someone("pooled", egress, (await runtime.create(pooled)).address, pooled.token))
        deployed = new_deployed(egress=egress)
        handle = await runtime.deployed.start(deployed)
        found.append(Someone("deployed", egress, handle.address, deployed.token))
    try:
        yield found
    finally:
        for agent in await runtime.list_agents():
            await runtime.remove(agent.agent_id)
        for one in await runtime.deployed.list_deployed():
            await runtime.deployed.remove(one.agent_id)


@pytest.mark.docker
async def test_every_line_that_must_not_be_crossed() -> None:
    runtime = DockerRuntime(f"test-{uuid4().hex[:8]}")
    await runtime.ensure_image(BUILT_IN_IMAGE)
    engine = docker.from_env()
    try:
        with outside(engine, built_in_tag()) as beyond, control_plane() as port:
            async with crew(runtime) as people, AgentHttp() as http:
                await until(lambda: all_well(http, people), 60)
                for one in people:
                    await cross(http, one, people, beyond, port)
    finally:
        await runtime.tidy()
        await runtime.close()
        engine.close()


async def cross(
    http: AgentHttp, one: Someone, people: list[Someone], beyond: tuple[str, int], port: int
) -> None:
    itself = ("127.0.0.1", 8000)
    others = [host_and_port(other.address) for other in people if other is not one]
    # The web process listens on the loopback address; an agent tries every address that this machine has.
    here = [(address, there) for address in own_addresses() for there in (port, *ENGINE_PORTS)]
    reached = await ask(http, one, REACHED, {"targets": [itself, *others, beyond, *here]})
    assert list(itself) in reached, "itself it reaches: the attempt is sound"
    allowed = [itself, beyond] if one.egress else [itself]
    assert reached == [list(target) for target in allowed], f"what {one} reaches"
    assert await ask(http, one, SOCKETS, {}) == [], "no socket of the engine, or of anybody"


def host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.partition(":")
    return host, int(port)


async def all_well(http: AgentHttp, people: list[Someone]) -> bool:
    found = [await http.health(one.address, bearer(one.token), within=1) for one in people]
    return all(health.ok for health in found)


async def ask(http: AgentHttp, one: Someone, source: Any, value: Any) -> Any:
    body = {"input": value, "runs": {"code": source.sha256}, "source": source.source}
    if one.kind == "pooled":
        body["context"] = {"lease": "l", "fence": 1}
    answer = await http.send(
        f"http://{one.address}/invoke", orjson.dumps(body), bearer(one.token), limit=50_000
    )
    return orjson.loads(answer.body)["output"]


@contextlib.contextmanager
def control_plane() -> Iterator[int]:
    """Something that listens as the web process does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def own_addresses() -> list[str]:
    found = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET
    ]
    return [address for address in found if not address.startswith("127.")][:8]


OPEN = ("/api/v1/schema", "/api/v1/hooks/")  # to everybody; a hook asks for its signature


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["pooled", "deployed"])
def test_an_agents_token_opens_nothing_of_the_api(kind: str) -> None:
    """It is what the platform shows to the agent, not the other way round: no endpoint takes it."""
    team = make_team()
    if kind == "deployed":
        agent: Any = DeployedAgent.objects.create(team=team, name="a", image="i", nonce="n")
    else:
        pool = make_pool(team)
        agent = Agent.objects.create(pool=pool, team=team, pool_name=pool.name, nonce="n", started_at=now())
    token = agent_token(settings.SECRET_KEY, agent.pk, agent.nonce)
    client = Client(headers={"Authorization": f"Bearer {token}"})
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    asked = 0
    for path, methods in paths.items():
        if path.startswith(OPEN):
            continue
        for method in methods:
            # Where numbers name things, an agent's id leads nowhere.
            statuses = {
                client.generic(method.upper(), re.sub(r"\{[^}]+\}", name, path)).status_code
                for name in (str(agent.pk), "1")
            }
            assert 401 in statuses, f"{method} {path}: {statuses}"
            assert statuses <= {401, 404}, f"{method} {path}: {statuses}"
            asked += 1
    assert asked > 80
    assert client.get(f"/agent/{agent.pk}/").status_code == 401


@pytest.mark.django_db(transaction=True)
async def test_an_agents_token_opens_no_websocket() -> None:
    from aflow_site.asgi import application

    agent = await sync_to_async(DeployedAgent.objects.create)(
        team=await sync_to_async(make_team)(), name="a", image="i", nonce="n"
    )
    headers = [
        (b"authorization", f"Token {agent_token(settings.SECRET_KEY, agent.pk, agent.nonce)}".encode())
    ]
    for path in ("/ws/pools/", "/ws/scaling/", f"/ws/runs/{agent.pk}/", f"/agent/{agent.pk}/ws"):
        socket_ = WebsocketCommunicator(application, path, headers=headers)
        connected, _ = await socket_.connect(timeout=30)
        if connected:  # refused after the handshake, so that browsers learn why
            assert (await socket_.receive_output(timeout=30))["type"] == "websocket.close"
        await socket_.disconnect()
