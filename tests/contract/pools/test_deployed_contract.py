"""What every runtime promises of deployed agents (`pools.runtime.deployed`), by what it declares it can."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from pools.domain.deployments import Reality
from pools.domain.tokens import agent_token
from pools.runtime import base
from pools.runtime.base import BUILT_IN_IMAGE, ImageMissing, Runtime
from pools.runtime.contract import AgentHttp, bearer
from pools.runtime.deployed import (
    Capability,
    DeployedAgents,
    DeployedHandle,
    DeploySpec,
    NotCapable,
    VolumeSpec,
    deployed_agents_of,
)
from tests.contract.pools.agents import able, engine_of, new_spec
from tests.fakes.outside import CONNECT, outside
from tests.fakes.pools import SECRET, until

pytestmark = pytest.mark.parametrize("runtime", able(base.Capability.DEPLOYS), indirect=True)


def spec(**values: Any) -> DeploySpec:
    agent_id = values.pop("agent_id", None) or uuid4()
    token = agent_token(SECRET, agent_id, "nonce")
    return DeploySpec(agent_id, 1, "contract", values.pop("image", BUILT_IN_IMAGE), 1, token, **values)


@pytest.fixture
async def deployed(runtime: Runtime) -> AsyncIterator[DeployedAgents]:
    found = deployed_agents_of(runtime)
    yield found
    for handle in await found.list_deployed():
        await found.remove(handle.agent_id)


def needs(deployed: DeployedAgents, capability: Capability) -> bool:
    return capability in deployed.capabilities


async def ready(http: AgentHttp, handle: DeployedHandle, made: DeploySpec) -> None:
    async def well() -> bool:
        return (await http.health(handle.address, bearer(made.token), within=1)).ok

    await until(well)


async def run(http: AgentHttp, handle: DeployedHandle, made: DeploySpec, source: str, **given: Any) -> Any:
    body = {"runs": {"code": hashlib.sha256(source.encode()).hexdigest()}, "source": source, "input": given}
    answer = await http.send(
        f"http://{handle.address}/invoke", orjson.dumps(body), bearer(made.token), limit=100_000
    )
    return orjson.loads(answer.body)


async def one(deployed: DeployedAgents, agent_id: UUID) -> DeployedHandle | None:
    return next((handle for handle in await deployed.list_deployed() if handle.agent_id == agent_id), None)


async def becomes(deployed: DeployedAgents, agent_id: UUID, reality: Reality) -> None:
    async def so() -> bool:
        handle = await one(deployed, agent_id)
        return handle is not None and handle.reality is reality

    await until(so)


async def test_started_stopped_started_and_removed(deployed: DeployedAgents, http: AgentHttp) -> None:
    made = spec(env={"LEVEL": "high"})
    handle = await deployed.start(made)
    assert (handle.agent_id, handle.generation, handle.reality) == (made.agent_id, 1, Reality.RUNNING)
    await ready(http, handle, made)
    again = await deployed.start(made)
    assert (again.ref, again.address) == (handle.ref, handle.address), "started twice is started once"
    await deployed.stop(made.agent_id, grace=5)
    await becomes(deployed, made.agent_id, Reality.ENDED)
    await deployed.stop(made.agent_id, grace=5)
    assert not (await http.health(handle.address, bearer(made.token), within=1)).ok
    handle = await deployed.start(made)
    await ready(http, handle, made)
    await deployed.remove(made.agent_id)
    await deployed.remove(made.agent_id)
    assert await deployed.list_deployed() == []


async def test_neither_kind_sees_the_other(runtime: Runtime, deployed: DeployedAgents) -> None:
    pooled, made = new_spec(), spec()
    await runtime.create(pooled)
    await deployed.start(made)
    assert [handle.agent_id for handle in await runtime.list_agents()] == [pooled.agent_id]
    assert [handle.agent_id for handle in await deployed.list_deployed()] == [made.agent_id]
    await runtime.remove(made.agent_id)
    await deployed.remove(pooled.agent_id)
    assert len(await runtime.list_agents()) == len(await deployed.list_deployed()) == 1


async def test_the_unknown(deployed: DeployedAgents) -> None:
    unknown = uuid4()
    await deployed.stop(unknown, grace=1)
    await deployed.remove(unknown)
    assert await deployed.logs(unknown) == ""
    assert [piece async for piece in deployed.follow(unknown)] == []


async def test_an_image_that_is_not_here(deployed: DeployedAgents) -> None:
    with pytest.raises(ImageMissing, match="no-such-image"):
        await deployed.start(spec(image="no-such-image:1"))


async def test_changes_are_told(deployed: DeployedAgents, http: AgentHttp) -> None:
    heard: set[UUID] = set()

    async def listen() -> None:
        async for agent_id in deployed.events():
            heard.add(agent_id)

    listener = asyncio.create_task(listen())
    made = spec()
    try:
        await asyncio.sleep(0.5)  # the stream is open by then
        await ready(http, await deployed.start(made), made)
        await asyncio.sleep(0.5)
        heard.clear()
        await deployed.stop(made.agent_id, grace=5)
        await until(lambda: made.agent_id in heard)
    finally:
        listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listener


async def test_paused_and_thawed(deployed: DeployedAgents, http: AgentHttp) -> None:
    made = spec()
    handle = await deployed.start(made)
    await ready(http, handle, made)
    if not needs(deployed, Capability.PAUSE):
        with pytest.raises(NotCapable):
            await deployed.pause(made.agent_id)
        return
    await deployed.pause(made.agent_id)
    await deployed.pause(made.agent_id)
    await becomes(deployed, made.agent_id, Reality.PAUSED)
    assert not (await http.health(handle.address, bearer(made.token), within=0.5)).ok
    await deployed.unpause(made.agent_id)
    await deployed.unpause(made.agent_id)
    await becomes(deployed, made.agent_id, Reality.RUNNING)
    await ready(http, handle, made)
    await deployed.pause(made.agent_id)
    await deployed.stop(made.agent_id, grace=5)
    await becomes(deployed, made.agent_id, Reality.ENDED)


async def test_what_it_uses(deployed: DeployedAgents, http: AgentHttp) -> None:
    made = spec()
    handle = await deployed.start(made)
    await ready(http, handle, made)
    if not needs(deployed, Capability.USAGE):
        with pytest.raises(NotCapable):
            await anext(deployed.usage(made.agent_id))
        return
    seen = []
    async with asyncio.timeout(60):
        async for usage in deployed.usage(made.agent_id):
            seen.append(usage)
            if len(seen) == 3:
                break
    assert all(usage.memory > 1_000_000 for usage in seen)
    assert seen[-1].cpu is not None
    assert 0 <= seen[-1].cpu < 2.5
    await deployed.stop(made.agent_id, grace=5)
    async with asyncio.timeout(60):
        assert [usage async for usage in deployed.usage(made.agent_id)] == []


async def test_its_log_is_followed(deployed: DeployedAgents, http: AgentHttp) -> None:
    if not needs(deployed, Capability.FOLLOW):
        pytest.fail("every runtime follows logs by now")
    made = spec()
    handle = await deployed.start(made)
    await ready(http, handle, made)
    text = io.StringIO()

    async def follow() -> None:
        async for piece in deployed.follow(made.agent_id, tail=5):
            text.write(piece)

    following = asyncio.create_task(follow())
    await run(http, handle, made, "def main(): return 1")
    # What an agent writes of itself differs; each tells of its start, or of a request.
    await until(lambda: text.getvalue().strip())
    assert (await deployed.logs(made.agent_id, tail=50)).strip()
    await deployed.stop(made.agent_id, grace=5)
    async with asyncio.timeout(60):
        await following


WRITE = """
import os
def main():
    path = os.environ["PLACE"] + "/kept"
    before = open(path).read() if os.path.exists(path) else ""
    with open(path, "a") as file:
        file.write("x")
    return before
"""


async def test_volumes(deployed: DeployedAgents, http: AgentHttp) -> None:
    """A named volume outlives its agent; a tmpfs does not."""
    named = (VolumeSpec("/data", name="kept"), VolumeSpec("/fast", tmpfs=1024**2))
    made = spec(volumes=named, env={"PLACE": "/data"})
    if not needs(deployed, Capability.VOLUMES):
        with pytest.raises(NotCapable):
            await deployed.start(made)
        return
    try:
        outputs = []
        for place in ("/data", "/data", "/fast", "/fast"):
            made = spec(volumes=named, env={"PLACE": place})
            handle = await deployed.start(made)
            await ready(http, handle, made)
            outputs.append((await run(http, handle, made, WRITE)).get("output"))
            await deployed.remove(made.agent_id)
        assert outputs == ["", "x", "", ""]
        read_only = spec(volumes=(VolumeSpec("/data", name="kept", read_only=True),), env={"PLACE": "/data"})
        handle = await deployed.start(read_only)
        await ready(http, handle, read_only)
        assert "Read-only" in str((await run(http, handle, read_only, WRITE))["error"])
        await deployed.remove_volume(1, "kept")  # it is in use, and stays
        assert (await run(http, handle, read_only, "def main(): return open('/data/kept').read()"))[
            "output"
        ] == "xx"
        await deployed.remove(read_only.agent_id)
    finally:
        await deployed.remove_volume(1, "kept")


async def test_limits_hold(runtime: Runtime, deployed: DeployedAgents, http: AgentHttp) -> None:
    if not needs(deployed, Capability.LIMITS):
        return  # it says so by not declaring it
    made = spec(memory=100 * 1024**2, cpu=0.5)
    handle = await deployed.start(made)
    await ready(http, handle, made)
    hungry = "def main():\n    return len(bytearray(400 * 1024**2))\n"
    answer = await run(http, handle, made, hungry)
    assert "error" in answer, "it got more memory than it was given"
    async with engine_of(runtime, handle.node) as client:
        details = await asyncio.to_thread(client.api.inspect_container, handle.ref)
    assert details["HostConfig"]["Memory"] == 100 * 1024**2
    assert details["HostConfig"]["NanoCpus"] == 500_000_000
    assert details["HostConfig"]["ReadonlyRootfs"] is True
    assert details["HostConfig"]["CapDrop"] == ["ALL"]
    assert details["Config"]["User"] == "10001:10001"


async def test_the_outside(runtime: Runtime, deployed: DeployedAgents, http: AgentHttp) -> None:
    """In reach of those that ask for it alone, where networks are closed at all. Other agents are not."""
    if base.Capability.CLOSED_NETWORK not in runtime.can:
        return  # it says so; for swarms: `tests/swarm/test_egress.py`
    specs = [spec(egress=True), spec(egress=True), spec()]
    handles = [await deployed.start(made) for made in specs]
    for handle, made in zip(handles, specs, strict=True):
        await ready(http, handle, made)
    async with engine_of(runtime, handles[0].node) as client:
        image = await runtime.ensure_image(BUILT_IN_IMAGE)
        with outside(client, image) as (host, port):
            reached = [
                (await run(http, handle, made, CONNECT.source, host=host, port=port))["output"] == "connected"
                for handle, made in zip(handles, specs, strict=True)
            ]
    assert reached == [True, True, False]
    for other in handles[1:]:
        ip, listens = other.address.split(":")
        tries = [
            (await run(http, handles[0], specs[0], CONNECT.source, host=ip, port=int(listens)))["output"]
            for _ in range(3)
        ]
        # Docker takes its rule between networks away and lays it again whenever it makes a network, as tests
        # beside this one do: one try may meet that moment. Inside a network nothing is ever open.
        assert tries.count("connected") <= (0 if other is handles[1] else 1)
