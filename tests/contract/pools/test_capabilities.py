"""What runtimes declare beside the promises of all (`Capability`): each is held to what it says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from pools.domain.nodes import Availability
from pools.domain.placement import Place
from pools.runtime.base import AgentHandle, AgentSpec, Capability, NotSupported, Runtime, RuntimeFault
from pools.runtime.contract import AgentHttp, bearer
from pools.runtime.deployed import NotCapable, deployed_agents_of
from tests.contract.pools.agents import able, new_spec, ready
from tests.fakes.outside import CONNECT
from tests.fakes.pools import code

LOOK = code(
    "import os\n"
    "def read(*places):\n"
    "    for place in places:\n"
    "        if os.path.exists(place):\n"
    "            return open(place).read().strip()\n"
    "def main():\n"
    "    found = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())\n"
    "    seen = {'uid': os.getuid(), 'rights': found['CapEff'].strip(), 'new': found['NoNewPrivs'].strip()}\n"
    "    seen['pids'] = read('/sys/fs/cgroup/pids/pids.max', '/sys/fs/cgroup/pids.max')\n"
    "    seen['memory'] = read('/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory.max')\n"
    "    seen['written'] = []\n"
    "    for place in ('/written', '/etc/written', '/tmp/written'):\n"
    "        try:\n"
    "            open(place, 'w').close()\n"
    "            seen['written'].append(place)\n"
    "        except OSError:\n"
    "            pass\n"
    "    return seen\n"
)
KEEP = code("kept = []\ndef main(megabytes):\n    kept.append(b'x' * (megabytes * 2**20))\n")


def having(capability: Capability) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("runtime", able(capability), indirect=True)


async def ask(http: AgentHttp, handle: AgentHandle, spec: AgentSpec, source: Any, value: Any) -> Any:
    await ready(http, handle, spec)
    body = {
        "input": value,
        "context": {"lease": "l", "fence": 1},
        "runs": {"code": source.sha256},
        "source": source.source,
    }
    url = f"http://{handle.address}/invoke"
    answer = await http.send(url, orjson.dumps(body), bearer(spec.token), limit=20_000)
    return orjson.loads(answer.body)["output"]


async def look(runtime: Runtime, http: AgentHttp) -> dict[str, Any]:
    spec = new_spec()
    seen: dict[str, Any] = await ask(http, await runtime.create(spec), spec, LOOK, {})
    return seen


@having(Capability.NO_CAPABILITIES)
async def test_an_agent_has_no_right_of_root(runtime: Runtime, http: AgentHttp) -> None:
    seen = await look(runtime, http)
    assert (seen["uid"], int(seen["rights"], 16)) == (10001, 0)


@having(Capability.NO_NEW_PRIVILEGES)
async def test_an_agent_gets_no_new_privileges(runtime: Runtime, http: AgentHttp) -> None:
    assert (await look(runtime, http))["new"] == "1"


@having(Capability.READ_ONLY_ROOT)
async def test_an_agent_writes_to_tmp_alone(runtime: Runtime, http: AgentHttp) -> None:
    assert (await look(runtime, http))["written"] == ["/tmp/written"]


@having(Capability.LIMITS)
async def test_an_agent_is_limited(runtime: Runtime, http: AgentHttp) -> None:
    seen = await look(runtime, http)
    assert (seen["pids"], seen["memory"]) == ("256", str(512 * 1024**2))


@having(Capability.MEASURES)
async def test_what_an_agent_uses_is_told(runtime: Runtime, http: AgentHttp) -> None:
    """What a body keeps is in its memory, and what it works in its CPU seconds."""
    spec = new_spec()
    handle = await runtime.create(spec)
    await ready(http, handle, spec)
    before = await runtime.use_of(spec.agent_id, handle.ref)
    await ask(http, handle, spec, KEEP, {"megabytes": 64})
    after = await runtime.use_of(spec.agent_id, handle.ref)
    assert before is not None
    assert after is not None
    assert 60 * 2**20 < after.memory - before.memory < 200 * 2**20
    assert before.cpu_seconds is not None
    assert after.cpu_seconds is not None
    assert after.cpu_seconds > before.cpu_seconds


@having(Capability.CLOSED_NETWORK)
async def test_an_agent_does_not_reach_another(runtime: Runtime, http: AgentHttp) -> None:
    specs = [new_spec(), new_spec()]
    handles = await asyncio.gather(*map(runtime.create, specs))
    await ready(http, handles[1], specs[1])

    async def reached(address: str) -> Any:
        host, port = address.split(":")
        return await ask(http, handles[0], specs[0], CONNECT, {"host": host, "port": int(port)})

    assert await reached("127.0.0.1:8000") == "connected", "itself it reaches: the attempt is sound"
    assert await reached(handles[1].address) != "connected"


@having(Capability.DEPLOYS)
async def test_one_that_deploys_says_so(runtime: Runtime) -> None:
    assert await deployed_agents_of(runtime).list_deployed() == []


def test_one_that_does_not_deploy_says_so() -> None:
    class Other:
        name = "other"

    with pytest.raises(NotCapable, match="does not run deployed agents"):
        deployed_agents_of(Other())  # type: ignore[arg-type]


async def test_nodes_are_told(runtime: Runtime) -> None:
    spec = new_spec()
    handle = await runtime.create(spec)
    nodes = await runtime.nodes()
    assert handle.node in {node.name for node in nodes}
    assert len({node.name for node in nodes}) == len({node.ref for node in nodes}) == len(nodes)
    for node in nodes:
        assert node.heard
        assert node.address
        assert node.availability is Availability.ACTIVE
        assert node.cpus > 0
        assert node.memory > 0


async def test_no_agent_is_made_where_it_may_not_run(runtime: Runtime) -> None:
    for place in (Place("spot"), Place(zone="nowhere")):
        spec = replace(new_spec(), place=place)
        with pytest.raises(RuntimeFault, match=r"offers it|No node can take the agent"):
            await runtime.create(spec)
        await runtime.remove(spec.agent_id)
    assert (await runtime.create(replace(new_spec(), place=Place("on_demand")))).running


async def test_nodes_that_cannot_be_cordoned_say_so(runtime: Runtime) -> None:
    if Capability.CORDONS in runtime.can:
        with pytest.raises(RuntimeFault):
            await runtime.set_availability("nobody", Availability.PAUSE)
        return
    (node,) = await runtime.nodes()
    with pytest.raises(NotSupported, match="resize or delete its pools"):
        await runtime.set_availability(node.ref, Availability.PAUSE)


@having(Capability.CORDONS)
async def test_a_cordoned_node_keeps_what_runs_and_takes_nothing(runtime: Runtime, http: AgentHttp) -> None:
    spec = new_spec()
    handle = await runtime.create(spec)
    for node in await runtime.nodes():
        await runtime.set_availability(node.ref, Availability.PAUSE)
        await runtime.set_availability(node.ref, Availability.PAUSE)
    assert {node.availability for node in await runtime.nodes()} == {Availability.PAUSE}
    await ready(http, handle, spec)
    refused = new_spec()
    with pytest.raises(RuntimeFault, match="No node"):
        await runtime.create(refused)
    await runtime.remove(refused.agent_id)
    for node in await runtime.nodes():
        await runtime.set_availability(node.ref, Availability.ACTIVE)
    assert (await runtime.create(new_spec())).running


@having(Capability.GROWS)
async def test_machines_are_invited_labelled_and_forgotten(runtime: Runtime) -> None:
    invitation = await runtime.invite()
    host, _, port = invitation.address.rpartition(":")
    assert host
    assert port.isdigit()
    assert invitation.token
    assert invitation.token not in repr(invitation)
    node = (await runtime.nodes())[0]
    await runtime.label_node(node.ref, {"agentainer.price": "0.25"})
    await runtime.label_node(node.ref, {"agentainer.zone": "north"})
    (labelled,) = [one for one in await runtime.nodes() if one.ref == node.ref]
    assert labelled.labels == {**node.labels, "agentainer.price": "0.25", "agentainer.zone": "north"}
    with pytest.raises(RuntimeFault):
        await runtime.label_node("nobody", {"agentainer.zone": "north"})
    await runtime.forget_node("nobody")
    assert len(await runtime.nodes()) >= 1


async def test_engines_that_no_machine_joins_say_so(runtime: Runtime) -> None:
    if Capability.GROWS in runtime.can:
        return
    for attempt in (runtime.invite(), runtime.label_node("a", {}), runtime.forget_node("a")):
        with pytest.raises(NotSupported, match="AFLOW_RUNTIME=swarm"):
            await attempt
