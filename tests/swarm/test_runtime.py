"""The Swarm runtime beyond the promises of all runtimes."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from pools.domain.deployments import Reality
from pools.domain.nodes import ENGINE_LABEL, Availability
from pools.domain.placement import Place
from pools.runtime.base import BUILT_IN_IMAGE, RuntimeFault
from pools.runtime.contract import AgentHttp
from pools.runtime.deployed import NotCapable, VolumeSpec
from pools.runtime.swarm import SwarmRuntime
from pools.runtime.swarm_guards import RUNNER
from tests.contract.pools.agents import new_spec, ready
from tests.contract.pools.test_capabilities import LOOK, ask
from tests.contract.pools.test_deployed_contract import WRITE, run
from tests.contract.pools.test_deployed_contract import ready as ready_deployed
from tests.contract.pools.test_deployed_contract import spec as new_deployed
from tests.fakes.outside import CONNECT
from tests.fakes.pools import until
from tests.swarm.hosts import Host, Swarm

pytestmark = pytest.mark.swarm


async def test_agents_go_where_they_should(runtime: SwarmRuntime, swarm: Swarm) -> None:
    swarm.label(swarm.hosts[1], {"agentainer.zone": "north"})
    swarm.label(swarm.hosts[2], {"agentainer.zone": "north", "agentainer.capacity": "spot"})
    north = replace(new_spec(), place=Place("on_demand", "north"))
    spot = replace(new_spec(), place=Place("spot"))
    assert (await runtime.create(north)).node == swarm.hosts[1].name
    assert (await runtime.create(spot)).node == swarm.hosts[2].name
    with pytest.raises(RuntimeFault, match="No node can take the agent: no suitable node"):
        await runtime.create(replace(new_spec(), place=Place(zone="south")))


async def test_agents_are_spread(runtime: SwarmRuntime, swarm: Swarm) -> None:
    handles = [await runtime.create(new_spec()) for _ in range(3)]
    assert {handle.node for handle in handles} == {host.name for host in swarm.hosts}


async def test_a_node_whose_engine_nobody_told_takes_none(runtime: SwarmRuntime, swarm: Swarm) -> None:
    """Nor does one whose engine does not answer."""
    swarm.unlabel(swarm.hosts[1], ENGINE_LABEL)
    swarm.label(swarm.hosts[2], {ENGINE_LABEL: f"tcp://{swarm.hosts[2].address}:1"})
    handles = [await runtime.create(new_spec()) for _ in range(2)]
    assert {handle.node for handle in handles} == {swarm.manager.name}
    notes = {node.name: node.note for node in await runtime.nodes()}
    assert "agentainer.engine" in notes[swarm.hosts[1].name]


async def test_what_was_pruned_is_given_again(runtime: SwarmRuntime, swarm: Swarm) -> None:
    """The agents' image, and the settings of their network."""
    swarm.label(swarm.hosts[1], {"agentainer.zone": "only"})
    spec = replace(new_spec(), place=Place(zone="only"), egress=True)
    await runtime.create(spec)
    await runtime.remove(spec.agent_id)
    image = await runtime.ensure_image(BUILT_IN_IMAGE)
    with swarm.hosts[1].client() as client:
        client.images.remove(image, force=True)

        async def settings_go() -> bool:
            """The engine lets go of a network a little after its last agent."""
            with contextlib.suppress(APIError):
                client.api.remove_network(f"{runtime.network}-out-settings")
            return client.api.networks(names=[f"{runtime.network}-out-settings"]) == []

        await until(settings_go, 60)
    again = replace(new_spec(), place=Place(zone="only"), egress=True)
    assert (await runtime.create(again)).running


async def test_nothing_is_left_after_the_last_agent(runtime: SwarmRuntime, swarm: Swarm) -> None:
    for egress in (False, True, True):
        await runtime.create(replace(new_spec(), egress=egress))
    for handle in await runtime.list_agents():
        await runtime.remove(handle.agent_id)
    await runtime.tidy()

    def left(host: Host) -> list[Any]:
        with host.client() as client:
            names = [row["Name"] for row in client.api.networks()]
            return [name for name in names if name.startswith(runtime.network)] + client.api.containers(
                all=True, filters={"label": f"agentainer.instance={runtime._instance}"}
            )

    assert [left(host) for host in swarm.hosts] == [[], [], []]
    assert [rules_stay(host, runtime.network) for host in swarm.hosts] == [False, False, False]
    with swarm.manager.client() as client:
        assert client.api.services(filters={"label": f"agentainer.instance={runtime._instance}"}) == []


REMOVE = """
import guard_runner, sys
try:
    table = guard_runner.attribute(1, sys.argv[1])
    guard_runner.send([guard_runner.message(guard_runner.DELETE_TABLE, 0, table)])
except guard_runner.Refused as refused:
    print(refused)
"""


def rules_stay(host: Host, table: str) -> bool:
    """What is not there cannot be removed."""
    said = host.inside("env", f"PYTHONPATH={RUNNER.parent}", sys.executable, "-c", REMOVE, table)
    assert said == "" or "No such file" in said
    return not said


async def test_an_agent_on_hosts_set_up_as_advised(
    runtime: SwarmRuntime, http: AgentHttp, swarm: Swarm
) -> None:
    """`--no-new-privileges`, `--userland-proxy=false`: neither other agents nor the outside answer."""
    specs = [new_spec() for _ in range(4)]
    handles = [await runtime.create(spec) for spec in specs]
    for handle, spec in zip(handles, specs, strict=True):
        await ready(http, handle, spec)
    assert (await ask(http, handles[0], specs[0], LOOK, {}))["new"] == "1"

    async def reached(host: str, port: int) -> Any:
        return await ask(http, handles[0], specs[0], CONNECT, {"host": host, "port": port})

    assert await reached("127.0.0.1", 8000) == "connected", "itself it reaches: the attempt is sound"
    for handle in handles[1:]:
        host, port = handle.address.split(":")
        assert await reached(host, int(port)) != "connected", f"{handle.address} from {handles[0].node}"
    for other in swarm.hosts:
        if other.name != handles[0].node:
            assert await reached(other.address, 2375) != "connected"


@pytest.fixture
def everybodys(tmp_path: Path) -> Path:
    """A directory that agents can write to, at the same path on each host."""
    tmp_path.chmod(0o777)
    return tmp_path


async def test_what_volumes_a_deployed_agent_may_have(
    runtime: SwarmRuntime, http: AgentHttp, everybodys: Path
) -> None:
    """None that lies on one node alone; memory, and directories that are at the same path on each."""
    with pytest.raises(NotCapable, match="no named volumes"):
        await runtime.deployed.start(new_deployed(volumes=(VolumeSpec("/data", name="kept"),)))
    assert await runtime.deployed.list_deployed() == []
    shared = VolumeSpec("/data", host=str(everybodys))
    outputs = []
    for place in ("/data", "/data", "/fast"):
        made = new_deployed(volumes=(shared, VolumeSpec("/fast", tmpfs=1024**2)), env={"PLACE": place})
        try:
            handle = await runtime.deployed.start(made)
            await ready_deployed(http, handle, made)
            outputs.append((await run(http, handle, made, WRITE)).get("output"))
        finally:
            await runtime.deployed.remove(made.agent_id)
    assert outputs == ["", "x", ""]


async def test_a_deployed_agent_leaves_a_node_that_is_drained(runtime: SwarmRuntime, http: AgentHttp) -> None:
    """It has ended by then, in good order, and is placed elsewhere when it is started again."""
    made = new_deployed()
    first = await runtime.deployed.start(made)
    await ready_deployed(http, first, made)
    try:
        ref = next(node.ref for node in await runtime.nodes() if node.name == first.node)
        await runtime.set_availability(ref, Availability.DRAIN)

        async def ended() -> bool:
            (handle,) = await runtime.deployed.list_deployed()
            return handle.reality is Reality.ENDED and not handle.out_of_memory

        await until(ended, 60)
        again = await runtime.deployed.start(made)
        await ready_deployed(http, again, made)
        assert again.node != first.node
    finally:
        await runtime.deployed.remove(made.agent_id)


async def test_an_engine_without_a_swarm(hosts: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", hosts.hosts[1].engine)  # a worker
    runtime = SwarmRuntime("nobody")
    with pytest.raises(RuntimeFault, match="manages no swarm"):
        await runtime.start()
    await runtime.close()
