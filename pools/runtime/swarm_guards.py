"""What keeps egress agents from all that is not the outside: rules in each node's kernel, kept current.

They name every address of every node and of what the platform runs on, and they do the masquerading, too: a
node that lost them, or never had them, lets nobody out. `guard_runner` sets them; this module runs it on the
nodes, and knows which node was told what. A node's addresses are known to every kernel under which egress
agents may run before agents come to the node. See docs/adr/0039-egress-on-swarms.md.

Blocking; for threads alone. Does not: place agents, or open anything without the rules.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import docker
import psutil
from docker.errors import APIError, NotFound
from docker.types import LogConfig

from pools.runtime.base import RuntimeFault
from pools.runtime.images import ensure_built_in, entrypoint_of
from pools.runtime.swarm_hosts import AFTER_TROUBLE, AT_ONCE, Hosts, NodeTrouble, name_of
from pools.runtime.swarm_networks import AgentNetworks
from pools.runtime.swarm_shapes import SwarmNode

log = logging.getLogger(__name__)

RUNNER = Path(__file__).with_name("guard_runner.py")
LABEL = "agentainer.guard"
ROUNDS = 3  # what a node tells of itself is news to the others
RENEW_SECONDS = 300.0  # addresses of machines change
RUN_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Rules:
    """`bridges` are those of egress agents; IPv4 addresses, since their networks have no others."""

    bridges: frozenset[str]
    forbidden: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Told:
    """`at`: seconds of the monotonic clock; None: the node may have lost them since."""

    rules: Rules
    at: float | None

    def current(self, rules: Rules) -> bool:
        return self.rules == rules and self.at is not None


class Guards:
    """`table` is the name of this installation's rules. `at_work` tells on which nodes egress agents may run,
    by their refs; `beside` are hosts of the platform itself, wherever they are."""

    def __init__(
        self,
        hosts: Hosts,
        outside: AgentNetworks,
        connect: Callable[[], docker.DockerClient],
        at_work: Callable[[], set[str]],
        *,
        table: str,
        labels: Mapping[str, str],
        beside: Collection[str] = (),
    ) -> None:
        self._hosts = hosts
        self._outside = outside
        self._connect = connect
        self._at_work = at_work
        self._table = table
        self._labels = {**labels, LABEL: "yes"}
        self._beside = beside
        self._told: dict[str, _Told] = {}
        self._own: dict[str, frozenset[str]] = {}  # what nodes tell of themselves
        self._trouble: dict[str, str] = {}
        self._later: dict[str, float] = {}  # node -> until when it is left alone
        self._resolved: dict[str, tuple[float, frozenset[str]]] = {}
        self._setting = threading.Lock()

    # --- which nodes take agents ----------------------------------------------------------------------

    def closed(self, nodes: Mapping[str, SwarmNode], *, egress: bool) -> dict[str, str]:
        """The nodes to which no agent may come now, and why, by ref; `egress`: no egress agent. Brings the
        rules up to date first; while no egress agent was ever made nothing is done."""
        bridges = self.bridges()
        if not bridges:
            return {}
        with self._setting:  # agents are created side by side
            rules = self._bring_up_to_date(nodes, bridges)
            found = self._still_in_reach(nodes, rules)
            if egress:
                found |= {
                    ref: self._why(node) for ref, node in nodes.items() if not self._guarded(ref, rules)
                }
        return found

    def recheck(self, ref: str) -> None:
        """The node may have begun anew, without rules."""
        told = self._told.get(ref)
        if told is not None:
            self._told[ref] = replace(told, at=None)

    def bridges(self) -> frozenset[str]:
        """Those that the rules are about; none while no egress agent was ever made."""
        return self._outside.bridges()

    def notes(self) -> dict[str, str]:
        """For people, by the nodes' refs."""
        return dict(self._trouble)

    def _guarded(self, ref: str, rules: Rules) -> bool:
        told = self._told.get(ref)
        return told is not None and told.current(rules)

    def _why(self, node: SwarmNode) -> str:
        return self._trouble.get(
            node.seen.ref,
            f"Node {node.seen.name} takes no agents that reach the outside: "
            + (node.seen.note or "its rules are not set yet."),
        )

    def _still_in_reach(self, nodes: Mapping[str, SwarmNode], rules: Rules) -> dict[str, str]:
        """Nodes with an address that the kernel of some egress agent does not know yet."""
        if all(self._guarded(ref, rules) for ref in nodes):
            return {}
        at_work = {ref for ref in self._at_work() if ref in nodes and nodes[ref].seen.heard}
        found = {}
        for ref, node in nodes.items():
            for other in at_work - {ref}:
                told, there = self._told.get(other), nodes[other]
                if told is None or ref not in self._own or not self._addresses(node) <= told.rules.forbidden:
                    found[ref] = (
                        f"Node {node.seen.name} takes no agents yet: those on {there.seen.name} that reach "
                        f"the outside would reach it. {self._trouble.get(ref) or self._why(there)} Mend "
                        f"that, or drain {there.seen.name}."
                    )
        return found

    # --- what the rules name --------------------------------------------------------------------------

    def _rules(self, nodes: Mapping[str, SwarmNode], bridges: frozenset[str]) -> Rules:
        forbidden = set(_this_machine()).union(*(self._resolve(host) for host in self._beside))
        return Rules(bridges, frozenset(forbidden.union(*map(self._addresses, nodes.values()))))

    def _addresses(self, node: SwarmNode) -> frozenset[str]:
        own = self._own.get(node.seen.ref, frozenset())
        return own.union(*(self._resolve(host) for host in node.hosts))

    def _resolve(self, host: str) -> frozenset[str]:
        """A name that leads nowhere for now keeps what it led to."""
        until, known = self._resolved.get(host, (0.0, frozenset()))
        if time.monotonic() < until:
            return known
        with contextlib.suppress(OSError):
            found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
            known = frozenset(_without_loopback(str(one[4][0]) for one in found))
        self._resolved[host] = (time.monotonic() + RENEW_SECONDS, known)
        return known

    # --- telling the nodes ----------------------------------------------------------------------------

    def _bring_up_to_date(self, nodes: Mapping[str, SwarmNode], bridges: frozenset[str]) -> Rules:
        for _ in range(ROUNDS):
            rules = self._rules(nodes, bridges)
            behind = [node for node in nodes.values() if self._due(node, rules)]
            if not behind:
                break
            image = _image(self._connect)
            with ThreadPoolExecutor(min(AT_ONCE, len(behind))) as threads:
                list(threads.map(partial(self._tell, rules=rules, image=image), behind))
        return self._rules(nodes, bridges)

    def _due(self, node: SwarmNode, rules: Rules) -> bool:
        ref = node.seen.ref
        if not node.seen.heard or not node.engine or time.monotonic() < self._later.get(ref, 0.0):
            return False
        told = self._told.get(ref)
        return (
            told is None
            or not told.current(rules)
            or (told.at is not None and time.monotonic() > told.at + RENEW_SECONDS)
        )

    def _tell(self, node: SwarmNode, rules: Rules, image: str) -> None:
        ref = node.seen.ref
        wanted = {"bridges": sorted(rules.bridges), "forbidden": sorted(rules.forbidden)}
        at = time.monotonic()
        try:
            self._hosts.ensure_settings(node, self._outside.config)
            self._own[ref], refused = self._run(node, image, wanted)
        except (NodeTrouble, NotFound) as exc:
            refused = str(exc)
            self._doubt(ref, rules)
        if not refused:
            self._told[ref] = _Told(rules, at)
            self._trouble.pop(ref, None)
            return
        now = time.monotonic()  # agents wait meanwhile: one that hangs may not keep them most of the time
        self._later[ref] = now + max(AFTER_TROUBLE, 3 * (now - at))
        self.recheck(ref)
        self._trouble[ref] = (
            f"Node {node.seen.name} takes no agents that reach the outside, since the rules that keep them "
            f"from other agents could not be set: {refused}"
        )
        log.warning("%s", self._trouble[ref])

    def _doubt(self, ref: str, rules: Rules) -> None:
        """It broke off: the node has these rules, or those of before. What both forbid is forbidden."""
        told = self._told.get(ref)
        if told is not None:
            forbidden = told.rules.forbidden & rules.forbidden
            self._told[ref] = _Told(replace(told.rules, forbidden=forbidden), None)

    def _run(self, node: SwarmNode, image: str, wanted: Mapping[str, object]) -> tuple[frozenset[str], str]:
        """The node's own addresses, and why its kernel refused. Raises `NodeTrouble`, `NotFound`."""
        source = self._connect()
        ident = str(source.images.get(image).id)
        self._hosts.ensure_image(node, ident, name_of(source, ident), source)
        argument = json.dumps({"table": self._table, **wanted})
        python = entrypoint_of(source, ident)[0]
        run = partial(_run, image=ident, command=[python, "-c", RUNNER.read_text(), argument])
        said = self._hosts.ask(node, lambda client: run(client, labels=self._labels))
        try:
            answer = json.loads(said.strip().rpartition("\n")[2])
        except ValueError as exc:
            raise NodeTrouble(
                f"what sets them broke off ({said.strip()[-200:] or 'without a word'})."
            ) from exc
        return frozenset(answer["addresses"]), f"{answer['error']}." if "error" in answer else ""

    # --- the end --------------------------------------------------------------------------------------

    def lift(self, nodes: Iterable[SwarmNode]) -> set[str]:
        """After the last agent: takes the rules off these nodes. Returns the refs of those that kept them."""
        nodes = list(nodes)
        with self._setting, ThreadPoolExecutor(AT_ONCE) as threads:
            done = list(threads.map(self._lift, nodes))
        return {node.seen.ref for node, lifted in zip(nodes, done, strict=True) if not lifted}

    def _lift(self, node: SwarmNode) -> bool:
        try:
            if self._hosts.has_settings(node, self._outside.config):
                self._told.pop(node.seen.ref, None)
                _, refused = self._run(node, _image(self._connect), {"remove": True})
                if refused:
                    raise NodeTrouble(refused)
        except (RuntimeFault, NotFound) as exc:
            log.warning("the rules of agents that reach the outside stay on %s: %s", node.seen.name, exc)
            return False
        return True


def _image(connect: Callable[[], docker.DockerClient]) -> str:
    """The agents' own, which has a Python; its name."""
    return ensure_built_in(connect())


def _run(client: docker.DockerClient, *, image: str, command: list[str], labels: Mapping[str, str]) -> str:
    """What it said, in a container with the node's network that has the one right to administrate it."""
    api = client.api
    ours = {"label": [f"{name}={value}" for name, value in labels.items()], "status": "exited"}
    for row in api.containers(filters=ours):
        _remove(client, row["Id"])  # of a platform that was killed meanwhile
    host = api.create_host_config(
        network_mode="host",
        userns_mode="host",
        cap_drop=["ALL"],
        cap_add=["NET_ADMIN"],
        security_opt=["no-new-privileges"],
        read_only=True,
        mem_limit=128 * 1024**2,
        pids_limit=16,
        log_config=LogConfig(type="json-file"),  # what it says is read, whatever the engine's own is
    )
    made = api.create_container(
        image, entrypoint=command, command=[], user="0:0", labels=dict(labels), host_config=host
    )
    try:
        api.start(made["Id"])
        api.wait(made["Id"], timeout=RUN_SECONDS)
        return bytes(api.logs(made["Id"])).decode("utf-8", "replace")
    finally:
        _remove(client, made["Id"])


def _remove(client: docker.DockerClient, container: str) -> None:
    with contextlib.suppress(APIError):
        client.api.remove_container(container, force=True, v=True)


def _this_machine() -> list[str]:
    interfaces = psutil.net_if_addrs().values()
    return _without_loopback(
        known.address for found in interfaces for known in found if known.family == socket.AF_INET
    )


def _without_loopback(addresses: Iterable[str]) -> list[str]:
    return [address for address in addresses if not address.startswith("127.")]
