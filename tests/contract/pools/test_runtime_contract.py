"""What every runtime promises (`pools.runtime.base`), held against each of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest

from pools.runtime.base import AgentDeath, AgentHandle, AgentSpec, Capability, ImageMissing, Runtime
from pools.runtime.choose import make_runtime
from pools.runtime.contract import AgentHttp, bearer
from tests.contract.pools.agents import able, kill, new_spec, ready
from tests.fakes.pools import SQUARE


async def square(http: AgentHttp, handle: AgentHandle, spec: AgentSpec) -> object:
    body = {
        "input": {"x": 6},
        "context": {"lease": "l", "fence": 1},
        "runs": {"code": SQUARE.sha256},
        "source": SQUARE.source,
    }
    answer = await http.send(
        f"http://{handle.address}/invoke", orjson.dumps(body), bearer(spec.token), limit=10_000
    )
    told = orjson.loads(answer.body)
    assert 0 <= told.pop("seconds") < 5
    return told


async def ids(runtime: Runtime) -> list[UUID]:
    return [handle.agent_id for handle in await runtime.list_agents()]


async def test_an_agent_is_made_answers_and_is_removed(runtime: Runtime, http: AgentHttp) -> None:
    await runtime.ping()
    spec = new_spec()
    handle = await runtime.create(spec)
    health = await ready(http, handle, spec)
    assert health.boot
    assert await square(http, handle, spec) == {"output": 36}
    (listed,) = await runtime.list_agents()
    assert (listed.agent_id, listed.running, listed.nonce) == (spec.agent_id, True, "nonce")
    assert listed.address == handle.address
    assert abs(listed.created_at - time.time()) < 120
    await runtime.remove(spec.agent_id)
    assert await ids(runtime) == []
    assert not (await http.health(handle.address, bearer(spec.token), within=1)).ok


async def test_creating_twice_makes_one(runtime: Runtime) -> None:
    spec = new_spec()
    first = await runtime.create(spec)
    again = await runtime.create(spec)
    assert (first.ref, first.address) == (again.ref, again.address)
    assert await ids(runtime) == [spec.agent_id]


async def test_removing_twice_and_removing_the_unknown(runtime: Runtime) -> None:
    spec = new_spec()
    await runtime.create(spec)
    await asyncio.gather(runtime.remove(spec.agent_id), runtime.remove(spec.agent_id, grace=1.0))
    await runtime.remove(spec.agent_id)
    await runtime.remove(uuid4())
    assert await ids(runtime) == []


async def test_several_at_once(runtime: Runtime, http: AgentHttp) -> None:
    specs = [new_spec() for _ in range(3)]
    handles = await asyncio.gather(*map(runtime.create, specs))
    assert len({handle.address for handle in handles}) == 3
    boots = {(await ready(http, handle, spec)).boot for handle, spec in zip(handles, specs, strict=True)}
    assert len(boots) == 3
    assert sorted(await ids(runtime)) == sorted(spec.agent_id for spec in specs)


async def test_an_agent_obeys_its_own_token_alone(runtime: Runtime, http: AgentHttp) -> None:
    spec = new_spec()
    handle = await runtime.create(spec)
    await ready(http, handle, spec)
    answer = await http.send(
        f"http://{handle.address}/invoke", b'{"input": 1}', bearer("another"), limit=10_000
    )
    assert answer.status == 401


async def test_a_death_is_told(runtime: Runtime, http: AgentHttp) -> None:
    spec = new_spec()
    handle = await runtime.create(spec)
    await ready(http, handle, spec)
    heard: asyncio.Queue[AgentDeath] = asyncio.Queue()

    async def listen() -> None:
        async for death in runtime.events():
            heard.put_nowait(death)

    listener = asyncio.create_task(listen())
    try:
        await asyncio.sleep(0.3)  # the stream is open by then
        await kill(runtime, handle)
        async with asyncio.timeout(60):
            assert (await heard.get()).agent_id == spec.agent_id
        assert not any(handle.running for handle in await runtime.list_agents())
    finally:
        listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listener


async def test_logs_of_the_living_and_of_the_unknown(runtime: Runtime, http: AgentHttp) -> None:
    spec = new_spec()
    handle = await runtime.create(spec)
    await ready(http, handle, spec)
    await square(http, handle, spec)
    assert isinstance(await runtime.logs(spec.agent_id, tail=5), str)
    assert await runtime.logs(uuid4()) == ""


async def test_an_image_that_is_not_here(runtime: Runtime) -> None:
    with pytest.raises(ImageMissing, match="no-such-image"):
        await runtime.ensure_image("no-such-image:1")


async def test_two_installations_do_not_see_each_other(
    runtime: Runtime, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    other = make_runtime(runtime.name, instance=f"other-{uuid4().hex[:8]}", data_dir=tmp_path)
    await other.start()
    spec = new_spec()
    try:
        await runtime.create(spec)
        assert await ids(other) == []
    finally:
        await other.tidy()
        await other.close()


@pytest.mark.parametrize("again", able(Capability.OUTLIVES))
async def test_agents_outlive_the_one_who_made_them(
    again: str, tmp_path: Path, http: AgentHttp, request: pytest.FixtureRequest
) -> None:
    """Another object, as after a restart, finds them, and can end them."""
    if again == "swarm":
        request.getfixturevalue("swarm")
    instance = f"contract-{uuid4().hex[:8]}"
    first = make_runtime(again, instance=instance, data_dir=tmp_path)
    await first.start()
    spec = new_spec()
    handle = await first.create(spec)
    await ready(http, handle, spec)
    await first.close()
    second = make_runtime(again, instance=instance, data_dir=tmp_path)
    await second.start()
    try:
        (found,) = await second.list_agents()
        assert (found.agent_id, found.address, found.running) == (spec.agent_id, handle.address, True)
        assert (await ready(http, found, spec)).ok
        await second.remove(spec.agent_id)
        assert await second.list_agents() == []
    finally:
        await second.tidy()
        await second.close()
