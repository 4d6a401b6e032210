"""Agents of a swarm that reach the outside: each line that they must not cross is tried, on a real swarm."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pools.domain.nodes import ENGINE_LABEL, ZONE_LABEL
from pools.domain.placement import Place as Where
from pools.runtime import guard_runner, swarm_guards
from pools.runtime.base import RuntimeFault
from pools.runtime.contract import AgentHttp
from pools.runtime.swarm import SwarmRuntime
from pools.runtime.swarm_guards import RUNNER
from tests.contract.pools.agents import new_spec, ready
from tests.contract.pools.test_capabilities import ask
from tests.contract.pools.test_deployed_contract import ready as ready_deployed
from tests.contract.pools.test_deployed_contract import run
from tests.contract.pools.test_deployed_contract import spec as new_deployed
from tests.fakes.pools import code
from tests.swarm.hosts import BRIDGE, METADATA, NET, OVER_IPV6, SIX, Host, Swarm, beyond, plug
from tests.swarm.hosts import run as run_here

pytestmark = pytest.mark.swarm

# Tries all places at once, and tells which of them it reached: where names are asked for, with a datagram.
REACHED = code(
    "import socket\n"
    "from concurrent.futures import ThreadPoolExecutor\n"
    "def reached(place):\n"
    "    kind = socket.SOCK_DGRAM if place[1] == 53 else socket.SOCK_STREAM\n"
    "    with socket.socket(socket.AF_INET, kind) as attempt:\n"
    "        attempt.settimeout(1.5)\n"
    "        try:\n"
    "            attempt.connect(tuple(place))\n"
    "            return kind == socket.SOCK_STREAM or bool(attempt.send(b'?') and attempt.recv(1))\n"
    "        except OSError:\n"
    "            return False\n"
    "def main(places):\n"
    "    with ThreadPoolExecutor(len(places)) as threads:\n"
    "        return list(threads.map(reached, places))\n",
)
# The same program, which masquerades and forbids nothing.
UNGUARDED = """
import guard_runner, sys
rules = [rule for rule in guard_runner.rules() if rule[0] == "masquerade"]
guard_runner.rules = lambda: rules
guard_runner.main(sys.argv[1])
"""
LIFTED = "import guard_runner, sys; guard_runner.main(sys.argv[1])"
SECOND = f"{NET}.112"  # an address of a node that the swarm does not know
NEW = f"{NET}.113"  # one that a node got just now

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Someone:
    """One agent; `ask` tells which of these places it reaches."""

    node: str
    ref: str
    place: Place
    ask: Callable[[Sequence[Place]], Coroutine[Any, Any, list[bool]]]


async def a_pooled(runtime: SwarmRuntime, http: AgentHttp, **more: Any) -> Someone:
    spec = replace(new_spec(), **more)
    handle = await runtime.create(spec)
    await ready(http, handle, spec)

    async def reached(places: Sequence[Place]) -> list[bool]:
        found: list[bool] = await ask(http, handle, spec, REACHED, {"places": list(places)})
        return found

    return Someone(handle.node, handle.ref, place_of(handle.address), reached)


async def a_deployed(runtime: SwarmRuntime, http: AgentHttp) -> Someone:
    spec = new_deployed(egress=True)
    handle = await runtime.deployed.start(spec)
    await ready_deployed(http, handle, spec)

    async def reached(places: Sequence[Place]) -> list[bool]:
        answer = await run(http, handle, spec, REACHED.source, places=list(places))
        found: list[bool] = answer["output"]
        return found

    return Someone(handle.node, handle.ref, place_of(handle.address), reached)


def place_of(address: str) -> Place:
    host, port = address.split(":")
    return host, int(port)


def own_place(swarm: Swarm, one: Someone) -> Place:
    """Its container's, in the network of its node."""
    with swarm.host(one.node).client() as client:
        (network,) = client.api.inspect_container(one.ref)["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"]), 8000


async def test_every_line_that_must_not_be_crossed(
    runtime: SwarmRuntime, http: AgentHttp, swarm: Swarm
) -> None:
    """With rules that only masquerade, the same attempts get through: each of them is sound."""
    give_address(swarm.hosts[2], SECOND)
    for host in swarm.hosts:
        host.inside("ip", "route", "replace", METADATA, "dev", "eth0")
        swarm.label(host, {ZONE_LABEL: host.name})
    with (
        beyond() as outside,
        swarm.manager.listening() as web,
        swarm.hosts[2].listening() as other,
        socket.create_server((f"{NET}.1", 0)) as platform,
    ):
        shut = await a_pooled(runtime, http)
        everywhere = [Where(zone=host.name) for host in swarm.hosts]
        crew = [await a_pooled(runtime, http, egress=True, place=place) for place in everywhere]
        crew.append(await a_deployed(runtime, http))  # beside one of them
        for host in swarm.hosts:
            let_through(host, runtime)
        give_address(swarm.manager, NEW)
        assert await shut.ask([outside]) == [False]
        inner = {one.ref: own_place(swarm, one) for one in (shut, *crew)}
        lines = [
            *(one.place for one in (shut, *crew)),
            *((host.address, 2375) for host in swarm.hosts),
            (swarm.manager.address, web),
            (SECOND, other),
            platform.getsockname(),
            (METADATA, outside[1]),
        ]

        async def crossed(one: Someone) -> set[Place]:
            """Itself it may reach by its own address."""
            there = [place for place in [*lines, *inner.values()] if place != inner[one.ref]]
            if one.node == swarm.manager.name:
                there.append((NEW, web))
            got = await one.ask([outside, (METADATA, 53), ("127.0.0.1", 8000), *there])
            assert got[:3] == [True] * 3, f"the outside, the names there, and itself, from {one}"
            return {place for place, reached in zip(there, got[3:], strict=True) if reached}

        assert runtime._nodes_with_egress() == {node.ref for node in await runtime.nodes()}
        assert await asyncio.gather(*map(crossed, crew)) == [set()] * len(crew)

        for host in swarm.hosts:
            set_rules(host, runtime, UNGUARDED, bridges=sorted(runtime.guards.bridges()), forbidden=[])
        for one, found in zip(crew, await asyncio.gather(*map(crossed, crew)), strict=True):
            own = swarm.host(one.node).address
            assert found >= {place for place in lines if place[0] != own} | {(own, 2375)}, f"from {one}"
            beside = {inner[two.ref] for two in crew if two.node == one.node and two is not one}
            assert found >= beside, f"those on the same bridge, from {one}"
            assert ((NEW, web) in found) is (one.node == swarm.manager.name)

        # Without any nobody gets out; and what a node may have lost, as when it begins anew, is set again.
        for host in swarm.hosts:
            set_rules(host, runtime, LIFTED, remove=True)
        assert await asyncio.gather(*(one.ask([outside]) for one in crew)) == [[False]] * len(crew)
        for node in await runtime.nodes():
            runtime.guards.recheck(node.ref)
        await runtime.upkeep()
        assert await asyncio.gather(*map(crossed, crew)) == [set()] * len(crew)


def give_address(host: Host, address: str) -> None:
    host.inside("ip", "addr", "replace", f"{address}/24", "dev", "eth0")


def let_through(host: Host, runtime: SwarmRuntime) -> None:
    """Takes Docker's own rule against agents of one bridge out of the way, so that ours is seen."""
    for bridge in runtime.guards.bridges():
        host.inside("iptables", "-w", "-I", "DOCKER-USER", "-i", bridge, "-o", bridge, "-j", "ACCEPT")


def set_rules(host: Host, runtime: SwarmRuntime, program: str, **wanted: Any) -> None:
    """By other means than the platform's."""
    argument = json.dumps({"table": runtime.network, **wanted})
    host.inside("env", f"PYTHONPATH={RUNNER.parent}", sys.executable, "-c", program, argument)


async def test_a_node_that_joins_is_out_of_reach_before_it_takes_agents(
    runtime: SwarmRuntime, http: AgentHttp, swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, loop, seen = swarm.hosts[2], asyncio.get_running_loop(), []
    swarm.leave(late)
    try:
        one = await a_pooled(runtime, http, egress=True)
        assert await one.ask([(late.address, 2375)]) == [True], "it is no node, hence outside"
    finally:
        swarm.join(late)
    swarm.until_state(late, "ready")
    swarm.label(late, {ENGINE_LABEL: late.engine, ZONE_LABEL: "late"})
    api = runtime.client.api
    create_service = api.create_service

    def watched(*args: Any, **options: Any) -> Any:
        attempt = asyncio.run_coroutine_threadsafe(one.ask([(late.address, 2375)]), loop)
        seen.extend(attempt.result(30))
        return create_service(*args, **options)

    monkeypatch.setattr(api, "create_service", watched)
    handle = await runtime.create(replace(new_spec(), place=Where(zone="late")))
    assert (handle.node, seen) == (late.name, [False])


async def test_a_node_that_takes_no_rules_takes_no_egress_agents(
    runtime: SwarmRuntime, http: AgentHttp, swarm: Swarm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It says why, and takes the others."""
    too_old = tmp_path / "runner.py"
    too_old.write_text("""print('{"addresses": [], "error": "its kernel is too old"}')""")
    monkeypatch.setattr(swarm_guards, "RUNNER", too_old)
    with pytest.raises(
        RuntimeFault, match=r"node-a takes no agents that reach the outside.*kernel is too old\."
    ):
        await runtime.create(replace(new_spec(), egress=True))
    assert all("kernel is too old" in node.note for node in await runtime.nodes())
    await a_pooled(runtime, http)


# Tries, once it has its address, and then again for each line that it reads.
OVER_IPV6_TRY = """
import socket, subprocess, sys, time
while subprocess.run(["ip", "link", "show", "eth0"], capture_output=True).returncode:
    time.sleep(0.01)
for command in ("addr add fd97::2/64 dev eth0 nodad", "link set eth0 up", "route add default via fd97::1"):
    subprocess.run(["ip", *command.split()], check=True)
for line in sys.stdin:
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1.5).close()
        print("reached", flush=True)
    except OSError as exc:
        print(exc, flush=True)
"""


def test_nothing_goes_out_over_ipv6(swarm: Swarm) -> None:
    """By this namespace of our own as the node: agents' networks have no IPv6, unless an engine gives it."""
    run_here("ip", "link", "add", "br-try", "type", "bridge")
    run_here("ip", "addr", "add", "fd97::1/64", "dev", "br-try", "nodad")
    run_here("ip", "addr", "replace", f"{SIX}1/64", "dev", BRIDGE, "nodad")
    run_here("ip", "link", "set", "br-try", "up")
    Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
    with beyond() as (_, port):
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", sys.executable, "-c", OVER_IPV6_TRY]
        agent = subprocess.Popen(
            [*command, OVER_IPV6, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            plug("cable-try", agent.pid, "br-try")

            def reached() -> bool:
                agent.stdin.write("\n")
                agent.stdin.flush()
                return agent.stdout.readline() == "reached\n"

            assert reached()
            guard_runner.send(guard_runner.transaction("try", ["br-try"], []))
            assert not reached()
            guard_runner.send(guard_runner.removal("try"))
            assert reached()
        finally:
            agent.kill()
            agent.communicate()
            run_here("ip", "link", "delete", "br-try")
