"""Which node is told what, and which takes no agents meanwhile. The rules themselves: `tests/swarm`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import docker
import pytest
from django.conf import LazySettings

from pools.domain.nodes import Availability
from pools.facade import site
from pools.runtime import guard_runner, swarm_guards
from pools.runtime.base import EngineNode
from pools.runtime.guard_runner import Refused, check_kernel, own_addresses
from pools.runtime.swarm_guards import Guards
from pools.runtime.swarm_hosts import NodeTrouble
from pools.runtime.swarm_shapes import SwarmNode


def node(number: int, *, heard: bool = True, engine: bool = True) -> SwarmNode:
    address = f"10.0.0.{number}"
    seen = EngineNode(str(number), f"node-{number}", address, heard, Availability.ACTIVE, 4, 2**33)
    return SwarmNode(seen, f"tcp://{address}:2376" if engine else "", frozenset({address}))


def nodes(*found: SwarmNode) -> dict[str, SwarmNode]:
    return {one.seen.ref: one for one in found}


class Nodes:
    """What is on the nodes: the settings of the network, and nothing that can be asked."""

    def ensure_settings(self, node: SwarmNode, config: str) -> None: ...

    def has_settings(self, node: SwarmNode, config: str) -> bool:
        return True


class Networks:
    config = "settings"

    def __init__(self) -> None:
        self.known = frozenset({"br-1"})

    def bridges(self) -> frozenset[str]:
        return self.known


class Watched(Guards):
    """Runs nothing. `told` is what it would have set; `more` are addresses that nodes have beside the known
    one, `faults` why they do not answer, `refusals` why their kernels refuse."""

    def __init__(self, networks: Networks, **options: Any) -> None:
        self.at_work: set[str] = set()
        self.told: list[tuple[str, frozenset[str]]] = []
        self.more: dict[str, str] = {}
        self.faults: dict[str, str] = {}
        self.refusals: dict[str, str] = {}

        def no_engine() -> docker.DockerClient:
            raise AssertionError("nothing is asked of the manager")

        super().__init__(
            Nodes(),  # type: ignore[arg-type]
            networks,  # type: ignore[arg-type]
            no_engine,
            lambda: self.at_work,
            table="t",
            labels={},
            **options,
        )

    def _run(self, node: SwarmNode, image: str, wanted: Mapping[str, object]) -> tuple[frozenset[str], str]:
        ref = node.seen.ref
        if ref in self.faults:
            raise NodeTrouble(self.faults[ref])
        if "remove" not in wanted:
            forbidden = wanted["forbidden"]
            assert isinstance(forbidden, list)
            self.told.append((ref, frozenset(forbidden)))
        own = {node.seen.address, self.more.get(ref, node.seen.address)}
        return frozenset(own), self.refusals.get(ref, "")

    def take(self) -> list[tuple[str, frozenset[str]]]:
        found, self.told = sorted(self.told), []
        return found


@pytest.fixture
def networks() -> Networks:
    return Networks()


@pytest.fixture
def guards(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(swarm_guards, "_image", lambda connect: "image")
    monkeypatch.setattr(swarm_guards, "_this_machine", lambda: ["10.0.0.100"])
    return Watched(networks)


def closed(guards: Guards, found: dict[str, SwarmNode], *, egress: bool = False) -> set[str]:
    return set(guards.closed(found, egress=egress))


def test_nothing_is_done_while_no_egress_agent_was_made(guards: Watched, networks: Networks) -> None:
    networks.known = frozenset()
    assert closed(guards, nodes(node(1)), egress=True) == set()
    assert guards.take() == []


def test_every_node_is_told_of_every_address_once(guards: Watched) -> None:
    """Those that only a node itself knows, too; and of a node that is lost, or that has no engine."""
    guards.more["1"] = "192.168.0.1"
    found = nodes(node(1), node(2), node(3, heard=False), node(4, engine=False))
    assert closed(guards, found, egress=True) == {"3", "4"}
    known = frozenset({"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.100"})
    assert guards.take() == [
        ("1", known),
        ("1", known | {"192.168.0.1"}),
        ("2", known),
        ("2", known | {"192.168.0.1"}),
    ]
    assert closed(guards, found) == set()
    assert guards.take() == []


def test_another_network_and_another_node_are_told(guards: Watched, networks: Networks) -> None:
    assert closed(guards, nodes(node(1))) == set()
    guards.take()
    networks.known = frozenset({"br-1", "br-2"})
    assert closed(guards, nodes(node(1))) == set()
    assert [ref for ref, _ in guards.take()] == ["1"]
    assert closed(guards, nodes(node(1), node(2))) == set()
    assert {ref for ref, told in guards.take() if {"10.0.0.1", "10.0.0.2"} <= told} == {"1", "2"}


def test_no_agent_comes_to_a_node_that_an_egress_agent_still_reaches(guards: Watched) -> None:
    """Not while the node of that agent cannot be told; one without such agents is not waited for."""
    assert closed(guards, nodes(node(1), node(2))) == set()
    guards.faults["1"] = "it hangs"
    found = nodes(node(1), node(2), node(3))
    guards.at_work = {"2"}
    assert closed(guards, found) == set()
    guards.at_work = {"1"}
    (ref, why), *others = guards.closed(found, egress=False).items()
    assert (ref, others) == ("3", [])
    assert why.startswith("Node node-3 takes no agents yet: those on node-1 that reach the outside")
    assert "it hangs" in why
    assert closed(guards, nodes(node(1, heard=False), node(2), node(3))) == set(), (
        "it is lost, with its agents"
    )


def test_a_node_that_broke_off_has_the_rules_of_before_or_the_new_ones(guards: Watched) -> None:
    """While it was told that a node is gone: when that one is back, it may be unknown there."""
    assert closed(guards, nodes(node(1), node(2), node(3))) == set()
    guards.at_work, guards.faults = {"1"}, {"1": "it hangs"}
    assert closed(guards, nodes(node(1), node(2))) == set()
    assert closed(guards, nodes(node(1), node(2), node(3))) == {"3"}


def test_a_platform_that_starts_knows_not_what_was_told(guards: Watched) -> None:
    guards.at_work, guards.faults = {"1"}, {"1": "it hangs"}
    assert closed(guards, nodes(node(1), node(2))) == {"2"}
    assert closed(guards, nodes(node(1), node(2)), egress=True) == {"1", "2"}


def test_one_that_takes_no_rules_takes_no_egress_agents_and_says_so(guards: Watched) -> None:
    guards.refusals["1"] = "its kernel is too old."
    guards.at_work = {"2"}  # which are told of it, and do not reach it
    found = nodes(node(1), node(2))
    assert closed(guards, found, egress=True) == {"1"}
    assert closed(guards, found) == set()
    assert guards.notes() == {
        "1": "Node node-1 takes no agents that reach the outside, since the rules that keep them from other "
        "agents could not be set: its kernel is too old."
    }
    guards.take()
    del guards.refusals["1"]
    assert closed(guards, found, egress=True) == {"1"}, "it is left alone for a while"
    guards._later.clear()
    assert closed(guards, found, egress=True) == set()
    assert guards.notes() == {}


def test_what_a_node_may_have_lost_is_set_again(guards: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    found = nodes(node(1), node(2))
    closed(guards, found)
    guards.take()
    guards.recheck("1")
    guards.recheck("nobody")
    closed(guards, found)
    assert [ref for ref, _ in guards.take()] == ["1"]
    monkeypatch.setattr(swarm_guards, "RENEW_SECONDS", -1.0)
    closed(guards, found)
    assert {ref for ref, _ in guards.take()} == {"1", "2"}


def test_rules_that_could_not_be_lifted_are_told(guards: Watched) -> None:
    guards.faults["2"] = "it hangs"
    assert guards.lift([node(1), node(2)]) == {"2"}


def test_the_platforms_own_hosts_are_out_of_reach(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm_guards, "_image", lambda connect: "image")
    guards = Watched(networks, beside=["10.9.9.9", "127.0.0.1", "no.such.name.invalid"])
    closed(guards, nodes(node(1)))
    told = guards.take()[0][1]
    assert "10.9.9.9" in told
    assert not any(address.startswith("127.") for address in told)


def test_which_hosts_those_are(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.AFLOW_URL = "https://flow.lan:8443/"
    settings.REDIS_URL = "redis://:secret@cache.lan:6379/0"
    settings.CELERY_BROKER_URL = "amqp://a:b@rabbit-1:5672//;amqp://a:b@rabbit-2:5672//"
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", "pg-1,pg-2,/var/run/postgresql")
    assert site._hosts_beside() == {"flow.lan", "cache.lan", "rabbit-1", "rabbit-2", "pg-1", "pg-2"}
    monkeypatch.delitem(settings.DATABASES["default"], "HOST")
    assert site._hosts_beside() == {"flow.lan", "cache.lan", "rabbit-1", "rabbit-2"}


TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
        |-- 10.0.0.0
           /24 link UNICAST
        |-- 10.0.0.5
           /32 host LOCAL
     |-- 10.0.0.255
        /32 link BROADCAST
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
Local:
        |-- 10.0.0.5
           /32 host LOCAL
        |-- 172.17.0.1
           /32 host LOCAL
"""


def test_a_nodes_own_addresses() -> None:
    assert own_addresses(TRIE) == ["10.0.0.5", "172.17.0.1"]


@pytest.mark.parametrize(
    ("release", "fits"), [("5.9.0", True), ("6.18.44-fc", True), ("5.8.18", False), ("4.19", False)]
)
def test_which_kernels_take_the_rules(release: str, fits: bool) -> None:
    if fits:
        check_kernel(release)
        return
    with pytest.raises(Refused, match=r"Linux .* and 5\.9 is needed"):
        check_kernel(release)


def test_long_lists_go_in_several_messages() -> None:
    """No attribute is longer than 64 KiB."""
    many = [f"10.1.{number // 250}.{number % 250}" for number in range(5000)]
    messages = list(guard_runner.transaction("t", ["br-1"], many))
    assert max(map(len, messages)) < 2**16
    assert sum(map(len, messages)) > 5000 * 16
