"""Agents as containers of one Docker Engine, hardened, on a network where they reach neither each other nor
the outside. Addresses are the containers' own: no published port is in the way.

Of this machine they reach the bridge's own address alone. It cannot be taken away, since we speak to agents
from there: what listens on all addresses is in their reach, unless a firewall refuses new connections that
come in by the bridge (`af-…`). What the platform itself starts listens on the loopback address.
Does not: keep records (labels are the record), or restart what died.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import LogConfig, Ulimit

from pools.domain.nodes import Availability
from pools.runtime.base import (
    BUILT_IN_IMAGE,
    AgentDeath,
    AgentHandle,
    AgentSpec,
    AgentUse,
    Capability,
    EngineAway,
    EngineNode,
    ImageMissing,
    NotSupported,
    OneMachine,
    RuntimeFault,
    check_place,
)
from pools.runtime.cgroups import use_of as use_in_cgroups
from pools.runtime.command_images import ensure_with_agent
from pools.runtime.deployed import DeployedAgents
from pools.runtime.docker_deployed import DockerDeployed
from pools.runtime.docker_events import EventWatcher, told
from pools.runtime.docker_networks import Networks
from pools.runtime.images import USER, ensure_built_in
from pools.runtime.installs import Installs
from pools.runtime.requirement_images import WithRequirements, prune

log = logging.getLogger(__name__)
T = TypeVar("T")

PORT = 8000
THREADS = 8
LOOK_EVERY = 0.05  # seconds, at an agent that was told to leave


def _look_for_socket() -> None:
    """The client leaves a socket open when there is nothing to connect to."""
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    path = host.removeprefix("unix://")
    if path != host and not os.path.exists(path):
        raise FileNotFoundError(f"there is no {path}")


class DockerRuntime(OneMachine):
    """`instance` marks what is ours; two installations on one engine never touch each other's. `labels` are
    added to the engine's own, as those of its one node."""

    name = "docker"
    isolates = True
    can = frozenset(Capability) - {Capability.CORDONS, Capability.GROWS}
    threads = THREADS

    def __init__(self, instance: str, labels: Mapping[str, str] | None = None) -> None:
        self._instance = instance
        self._labels = dict(labels or {})
        short = hashlib.sha256(instance.encode()).hexdigest()[:10]
        self.networks = Networks(instance, short)
        self.network = self.networks.isolated
        self._threads = ThreadPoolExecutor(self.threads, thread_name_prefix=self.name)
        self._client: docker.DockerClient | None = None
        self._connecting = threading.Lock()
        self._installs = Installs()
        self._node = ""
        self.deployed: DeployedAgents = DockerDeployed(self)

    async def start(self) -> None:
        """Raises `EngineAway`; every later call tries to connect again."""
        await self._call(self._connect)

    def _connect(self) -> docker.DockerClient:
        with self._connecting:
            if self._client is None:
                _look_for_socket()
                client = docker.from_env(timeout=60, max_pool_size=self.threads + 2)
                self._node = str(client.info().get("Name", ""))
                self._client = client
            return self._client

    async def close(self) -> None:
        await self._installs.close()
        if self._client is not None:
            self._client.close()
        self._threads.shutdown(wait=False)

    async def _call(self, function: Callable[[], T]) -> T:
        """In a thread, with the engine's errors in our words."""
        work = partial(self._in_words, function)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _in_words(self, function: Callable[[], T]) -> T:
        try:
            return function()
        except APIError as exc:
            raise RuntimeFault(f"Docker refused: {exc.explanation or exc}.") from exc
        except (DockerException, requests.RequestException, OSError) as exc:
            raise EngineAway(f"The Docker Engine does not answer; start it and try again ({exc}).") from exc

    @property
    def client(self) -> docker.DockerClient:
        """For threads alone: it may have to connect first."""
        return self._client or self._connect()

    async def ping(self) -> None:
        await self._call(lambda: self.client.ping())

    async def ensure_image(
        self, image: str, *, commands: bool = False, requirements: Sequence[str] = ()
    ) -> str:
        if requirements:
            return await self._with_requirements(tuple(requirements))
        return await self._call(lambda: self._image(image, commands=commands))

    async def _with_requirements(self, requirements: tuple[str, ...]) -> str:
        """Only to make it takes a thread of its own, and maybe minutes."""
        wanted = WithRequirements(self._instance, requirements)
        found = await self._call(lambda: wanted.find(self.client))
        if found is not None:
            return found
        make = partial(self._in_words, lambda: wanted.ensure(self.client, self._installs.stop))
        return await self._installs.image(requirements, make)

    async def prune_images(self, requirements: Collection[tuple[str, ...]]) -> None:
        await self._call(lambda: prune(self.client, self._instance, requirements))

    def _image(self, image: str, *, commands: bool = False) -> str:
        if image == BUILT_IN_IMAGE:
            return ensure_built_in(self.client)
        try:
            found = self.client.images.get(image)
            return ensure_with_agent(self.client, image, found) if commands else str(found.id)
        except ImageNotFound as exc:
            raise ImageMissing(
                f"The image {image} is not on this machine; build it, or fetch it with: docker pull {image}"
            ) from exc

    async def create(self, spec: AgentSpec) -> AgentHandle:
        return await self._call(lambda: self._create(spec))

    def _create(self, spec: AgentSpec) -> AgentHandle:
        if not spec.place.anywhere:
            check_place(spec.place, self._the_node())
        self.networks.ensure(self.client, self._network_of(spec))
        name = self._name(spec.agent_id)
        image = self._image(spec.image)
        try:
            container = self.client.containers.create(image, **self._options(spec, name))
        except APIError as exc:
            if exc.status_code != 409:
                raise
            container = self.client.containers.get(name)
        if container.status != "running":
            container.start()
        return self._handle_of(self.client.api.inspect_container(name))

    def _options(self, spec: AgentSpec, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "hostname": "agent",
            "detach": True,
            "environment": {**spec.contract_env(), "AGENTAINER_PORT": str(PORT), "HOME": "/tmp"},
            "labels": {
                "agentainer.instance": self._instance,
                "agentainer.pool": str(spec.pool_id),
                "agentainer.agent": str(spec.agent_id),
                "agentainer.boot": spec.nonce,
                "agentainer.epoch": str(spec.epoch),
            },
            "network": self._network_of(spec),
            "read_only": True,
            "tmpfs": {"/tmp": "rw,size=64m,mode=1777,noexec,nosuid"},
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": spec.limits.pids,
            "mem_limit": spec.limits.memory,
            "memswap_limit": spec.limits.memory,
            "nano_cpus": int(spec.limits.cpu * 1e9),
            "user": USER,
            "init": True,
            "ulimits": [Ulimit(name="nofile", soft=4096, hard=4096)],
            "log_config": LogConfig(type="json-file", config={"max-size": "1m", "max-file": "2"}),
            "restart_policy": {"Name": "no"},
        }

    def _name(self, agent_id: UUID) -> str:
        return f"{self.network}-{agent_id}"

    def _network_of(self, spec: AgentSpec) -> str:
        return self.networks.outside if spec.egress else self.networks.isolated

    async def remove(self, agent_id: UUID, *, grace: float = 0.0) -> None:
        name = self._name(agent_id)
        if grace > 0 and await self._call(lambda: self._told_to_leave(name)):
            # No thread waits with it: others have work for them.
            until = time.monotonic() + grace
            while time.monotonic() < until:
                if not await self._call(lambda: self._runs(name)):
                    break
                await asyncio.sleep(LOOK_EVERY)
        await self._call(lambda: self._remove(name))

    def _told_to_leave(self, name: str) -> bool:
        try:
            self.client.api.kill(name, signal="SIGTERM")
        except APIError as exc:
            if exc.status_code not in (404, 409):  # gone, or not running
                raise
            return False
        return True

    def _runs(self, name: str) -> bool:
        try:
            return bool(self.client.api.inspect_container(name)["State"]["Running"])
        except NotFound:
            return False

    def _remove(self, name: str) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                self.client.api.remove_container(name, force=True, v=True)
                return
            except NotFound:
                return
            except APIError as exc:
                # Another removal of it is under way: the promise is that nothing is left when we return.
                if exc.status_code != 409 or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    async def tidy(self) -> None:
        await self._call(lambda: self.networks.remove(self.client))

    async def list_agents(self) -> list[AgentHandle]:
        return await self._call(self._list)

    def _list(self) -> list[AgentHandle]:
        # One request; the high-level list would inspect every container on its own.
        rows = self.client.api.containers(
            all=True, filters={"label": f"agentainer.instance={self._instance}"}
        )
        return [self._handle_in_list(row) for row in rows if "agentainer.agent" in (row.get("Labels") or {})]

    def _handle_in_list(self, row: dict[str, Any]) -> AgentHandle:
        networks = row.get("NetworkSettings", {}).get("Networks", {})
        return self._make_handle(
            row["Labels"], row["Id"], networks, row["State"] == "running", float(row["Created"])
        )

    def _handle_of(self, details: dict[str, Any]) -> AgentHandle:
        networks = details["NetworkSettings"]["Networks"]
        running = bool(details["State"]["Running"])
        return self._make_handle(details["Config"]["Labels"], details["Id"], networks, running, time.time())

    def _make_handle(
        self, labels: dict[str, str], ref: str, networks: dict[str, Any], running: bool, created_at: float
    ) -> AgentHandle:
        ip = next(
            (networks[name].get("IPAddress", "") for name in self.networks.names if name in networks), ""
        )
        return AgentHandle(
            agent_id=UUID(labels["agentainer.agent"]),
            ref=ref[:12],
            address=f"{ip}:{PORT}" if ip else "",
            node=self._node,
            running=running,
            nonce=labels.get("agentainer.boot", ""),
            created_at=created_at,
        )

    def events(self) -> AsyncIterator[AgentDeath]:
        return told(lambda tell, stop: EventWatcher(self._instance, tell, stop))

    async def nodes(self) -> list[EngineNode]:
        return [await self._call(self._the_node)]

    def _the_node(self) -> EngineNode:
        info = self.client.info()
        labels = dict(label.split("=", 1) for label in info.get("Labels") or [] if "=" in label)
        return EngineNode(
            ref=str(info["ID"]),
            name=str(info["Name"]),
            address=urlsplit(self.client.api.base_url).hostname or "localhost",
            heard=True,
            availability=Availability.ACTIVE,
            cpus=float(info["NCPU"]),
            memory=int(info["MemTotal"]),
            labels={**labels, **self._labels},
        )

    async def set_availability(self, node: str, wanted: Availability) -> None:
        raise NotSupported(
            "A single Docker Engine has no other node that could take over: resize or delete its pools "
            "instead, or make it a swarm (AFLOW_RUNTIME=swarm)."
        )

    async def use_of(self, agent_id: UUID, ref: str) -> AgentUse | None:
        used = await asyncio.to_thread(use_in_cgroups, ref)
        if used is not None:
            return AgentUse(used.memory, used.cpu_seconds)
        return await self._call(lambda: self._use_told(ref))

    def _use_told(self, ref: str) -> AgentUse | None:
        """By an engine on another machine."""
        try:
            told = self.client.api.stats(ref, stream=False, one_shot=True)
        except NotFound:
            return None
        memory = told["memory_stats"]
        cache = memory.get("stats", {}).get(
            "total_inactive_file", memory.get("stats", {}).get("inactive_file", 0)
        )
        if "usage" not in memory:
            return None
        return AgentUse(max(0, memory["usage"] - cache), told["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9)

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        def read() -> str:
            try:
                raw = self.client.api.logs(self._name(agent_id), tail=tail)
            except NotFound:
                return ""
            return bytes(raw).decode("utf-8", "replace")

        return await self._call(read)
