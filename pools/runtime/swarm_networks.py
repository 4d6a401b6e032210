"""The networks of a swarm's agents: each is every node's own bridge, with settings that the node keeps.

An engine that died with agents refuses their network from then on, and nothing but another network helps; so
they have numbers. Blocking; for threads alone.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

import docker
from docker.errors import APIError

from pools.runtime.swarm_hosts import make_network

log = logging.getLogger(__name__)


class AgentNetworks:
    """Of one kind of agents, whose names begin with `name`. `connect` is the way to the manager; `config` is
    the name of the settings that each node is to keep."""

    def __init__(self, connect: Callable[[], docker.DockerClient], name: str) -> None:
        self._connect = connect
        self._prefix = f"{name}-net-"
        self.config = f"{name}-settings"
        self._changing = threading.Lock()

    def _known(self) -> dict[int, dict[str, Any]]:
        """By their number. The swarm keeps but the name."""
        rows = self._connect().api.networks()  # for networks of a swarm the filter of names wants whole ones
        return {
            int(row["Name"].removeprefix(self._prefix)): row
            for row in rows
            if row["Name"].startswith(self._prefix)
        }

    def bridges(self) -> frozenset[str]:
        """The names that the nodes' engines give their bridges."""
        return frozenset(f"br-{row['Id'][:12]}" for row in self._known().values())

    def current(self) -> str:
        """The name of the newest; the first is made."""
        with self._changing:  # agents are created side by side
            return f"{self._prefix}{max(self._known(), default=None) or self._add(1)}"

    def _add(self, number: int) -> int:
        body = {"Driver": "bridge", "Scope": "swarm", "ConfigFrom": {"Network": self.config}}
        make_network(self._connect(), {"Name": f"{self._prefix}{number}", **body})
        return number

    def renew(self, trouble: str) -> None:
        """When a node refused an agent by that word ("network … exists", moby #37087). Those before go when
        their last agent has gone."""
        if "network" not in trouble or "exists" not in trouble:
            return
        with self._changing:
            known = self._known()
            newest = max(known, default=0)
            if newest and known[newest]["Id"] not in trouble:
                return  # another agent's creation was faster
            log.warning("a node does not take the agents' network any more; they get a new one")
            self._add(newest + 1)
        for number in known:
            self._remove(number)

    def remove(self) -> bool:
        """Tries to; True when none is left."""
        for number in self._known():
            self._remove(number)
        return not self._known()

    def _remove(self, number: int) -> None:
        with contextlib.suppress(APIError):
            self._connect().api.remove_network(f"{self._prefix}{number}")
