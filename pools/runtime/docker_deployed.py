"""Deployed agents as containers of one Docker Engine: hardened as those of pools are, on the same network.

Named volumes are the engine's own, one for each team and name. Their root is handed to the agents' user by a
container that is made for that, and never started.
Does not: make a container's writable layer outlive it (its root is read-only).
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import tarfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import docker
from docker.errors import APIError, NotFound
from docker.types import LogConfig, Mount, Ulimit

from pools.domain.deployments import Reality
from pools.runtime.cgroups import use_of
from pools.runtime.deployed import (
    SPAN,
    Capability,
    DeployedHandle,
    DeploySpec,
    Usage,
    VolumeSpec,
    second_of,
)
from pools.runtime.docker_streams import streamed
from pools.runtime.images import USER

if TYPE_CHECKING:
    from pools.runtime.docker import DockerRuntime

LABEL = "agentainer.deployed"
PIDS = 512
CHANGES = ("start", "die", "pause", "unpause")  # the engine's events
REALITY = {
    "created": Reality.MADE,
    "running": Reality.RUNNING,
    "restarting": Reality.RUNNING,
    "paused": Reality.PAUSED,
    "exited": Reality.ENDED,
    "dead": Reality.ENDED,
    "removing": Reality.ABSENT,
}


class DockerDeployed:
    """Shares the connection and the network of the pools' runtime, whose friend it is."""

    capabilities = frozenset(Capability)

    def __init__(self, engine: DockerRuntime) -> None:
        self._engine = engine
        # The engine's list lags behind its events, by what it takes to clean up; asked for one it does not.
        self._changed: set[str] = set()

    def _name(self, agent_id: UUID) -> str:
        return f"{self._engine.network}-d-{agent_id}"

    def _volume(self, team_id: int, name: str) -> str:
        return f"{self._engine.network}-t{team_id}-{name}"

    @property
    def _client(self) -> docker.DockerClient:
        return self._engine.client

    # --- life -----------------------------------------------------------------------------------------

    async def start(self, spec: DeploySpec) -> DeployedHandle:
        return await self._engine._call(lambda: self._start(spec))

    def _start(self, spec: DeploySpec) -> DeployedHandle:
        name = self._name(spec.agent_id)
        try:
            self._client.api.start(name)
        except NotFound:
            self._create(spec, name)
            self._client.api.start(name)
        return self._inspected(name)

    def _create(self, spec: DeploySpec, name: str) -> None:
        self._engine.networks.ensure(self._client, self._network_of(spec))
        image = self._engine._image(spec.image)
        for volume in spec.volumes:
            if volume.name is not None:
                self._ensure_volume(self._volume(spec.team_id, volume.name), image)
        try:
            self._client.containers.create(image, **self._options(spec, name))
        except APIError as exc:
            if exc.status_code != 409:
                raise

    def _options(self, spec: DeploySpec, name: str) -> dict[str, Any]:
        tmpfs = {volume.path: _tmpfs(volume) for volume in spec.volumes if volume.tmpfs is not None}
        mounts = [self._mount(spec.team_id, volume) for volume in spec.volumes if volume.tmpfs is None]
        return {
            "name": name,
            "hostname": spec.name,
            "detach": True,
            "environment": {**spec.contract_env(), "AGENTAINER_PORT": str(spec.port), "HOME": "/tmp"},
            "labels": {
                "agentainer.instance": self._engine._instance,
                LABEL: str(spec.agent_id),
                "agentainer.team": str(spec.team_id),
                "agentainer.name": spec.name,
                "agentainer.port": str(spec.port),
                "agentainer.generation": str(spec.generation),
            },
            "network": self._network_of(spec),
            "read_only": True,
            "tmpfs": {"/tmp": "rw,size=64m,mode=1777,noexec,nosuid", **tmpfs},
            "mounts": mounts,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": PIDS,
            "mem_limit": spec.memory,
            "memswap_limit": spec.memory,
            "nano_cpus": int(spec.cpu * 1e9),
            "user": USER,
            "init": True,
            "ulimits": [Ulimit(name="nofile", soft=4096, hard=4096)],
            "log_config": LogConfig(type="json-file", config={"max-size": "10m", "max-file": "2"}),
            "restart_policy": {"Name": "no"},
        }

    def _network_of(self, spec: DeploySpec) -> str:
        return self._engine.networks.outside if spec.egress else self._engine.networks.isolated

    def _mount(self, team_id: int, volume: VolumeSpec) -> Mount:
        if volume.name is not None:
            return Mount(volume.path, self._volume(team_id, volume.name), "volume", volume.read_only)
        return Mount(volume.path, volume.host or "", "bind", volume.read_only)

    def _ensure_volume(self, name: str, image: str) -> None:
        try:
            self._client.volumes.get(name)
            return
        except NotFound:
            pass
        self._client.volumes.create(name, labels={"agentainer.instance": self._engine._instance})
        owner = self._client.containers.create(
            image,
            mounts=[Mount("/v/root", name, "volume")],
            labels={"agentainer.instance": self._engine._instance},
        )
        try:
            owner.put_archive("/v", _directory("root"))
        finally:
            owner.remove(force=True)

    async def stop(self, agent_id: UUID, *, grace: float) -> None:
        def stop() -> None:
            with contextlib.suppress(NotFound):
                self._thaw(agent_id)  # a frozen one does not hear the signal
                self._client.api.stop(self._name(agent_id), timeout=max(0, round(grace)))

        await self._engine._call(stop)

    async def pause(self, agent_id: UUID) -> None:
        def pause() -> None:
            try:
                self._client.api.pause(self._name(agent_id))
            except APIError:
                if self._inspected(self._name(agent_id)).reality is not Reality.PAUSED:
                    raise

        await self._engine._call(pause)

    async def unpause(self, agent_id: UUID) -> None:
        await self._engine._call(lambda: self._thaw(agent_id))

    def _thaw(self, agent_id: UUID) -> None:
        if self._inspected(self._name(agent_id)).reality is Reality.PAUSED:
            self._client.api.unpause(self._name(agent_id))

    async def remove(self, agent_id: UUID, *, grace: float = 0.0) -> None:
        if grace > 0:
            await self.stop(agent_id, grace=grace)
        await self._engine._call(lambda: self._engine._remove(self._name(agent_id)))

    async def remove_volume(self, team_id: int, name: str) -> None:
        def remove() -> None:
            with contextlib.suppress(NotFound):
                try:
                    self._client.volumes.get(self._volume(team_id, name)).remove()
                except APIError as exc:
                    if exc.status_code != 409:  # another agent has it
                        raise

        await self._engine._call(remove)

    # --- looking --------------------------------------------------------------------------------------

    async def list_deployed(self) -> list[DeployedHandle]:
        return await self._engine._call(self._list)

    def _list(self) -> list[DeployedHandle]:
        filters = {"label": [f"agentainer.instance={self._engine._instance}", LABEL]}
        changed, self._changed = self._changed, set()
        handles = []
        for row in self._client.api.containers(all=True, filters=filters):
            # Those that ended have more to tell than the list does.
            ended = REALITY.get(row["State"]) is Reality.ENDED
            if ended or row["Labels"][LABEL] in changed:
                with contextlib.suppress(NotFound):
                    handles.append(self._inspected(row["Id"]))
            else:
                networks = row.get("NetworkSettings", {}).get("Networks", {})
                handles.append(self._handle(row["Labels"], row["Id"], networks, {"Status": row["State"]}))
        return handles

    def _inspected(self, name: str) -> DeployedHandle:
        details = self._client.api.inspect_container(name)
        networks = details["NetworkSettings"]["Networks"]
        return self._handle(details["Config"]["Labels"], details["Id"], networks, details["State"])

    def _handle(
        self, labels: dict[str, str], ref: str, networks: dict[str, Any], state: dict[str, Any]
    ) -> DeployedHandle:
        known = self._engine.networks.names
        ip = next((networks[name].get("IPAddress", "") for name in known if name in networks), "")
        reality = REALITY.get(state["Status"], Reality.ENDED)
        return DeployedHandle(
            agent_id=UUID(labels[LABEL]),
            ref=ref[:12],
            address=f"{ip}:{labels['agentainer.port']}" if ip else "",
            node=self._engine._node,
            reality=reality,
            generation=int(labels["agentainer.generation"]),
            exit_code=state.get("ExitCode") if reality is Reality.ENDED else None,
            out_of_memory=bool(state.get("OOMKilled")),
        )

    async def events(self) -> AsyncIterator[UUID]:
        filters = {
            "type": "container",
            "event": list(CHANGES),
            "label": [f"agentainer.instance={self._engine._instance}", LABEL],
        }
        async for event in streamed(lambda client: client.api.events(decode=True, filters=filters)):
            agent = event.get("Actor", {}).get("Attributes", {}).get(LABEL)
            if agent:
                self._changed.add(agent)
                yield UUID(agent)

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        def read() -> str:
            try:
                raw = self._client.api.logs(self._name(agent_id), tail=tail)
            except NotFound:
                return ""
            return bytes(raw).decode("utf-8", "replace")

        return await self._engine._call(read)

    async def follow(self, agent_id: UUID, tail: int = 100) -> AsyncIterator[str]:
        name = self._name(agent_id)
        async for piece in streamed(
            lambda client: client.api.logs(name, stream=True, follow=True, tail=tail)
        ):
            yield bytes(piece).decode("utf-8", "replace")

    async def usage(self, agent_id: UUID) -> AsyncIterator[Usage]:
        name = self._name(agent_id)
        async for stats in streamed(lambda client: client.api.stats(name, decode=True, stream=True)):
            if not stats.get("memory_stats"):
                return  # it has ended: the engine goes on with zeros
            yield usage_of(stats)

    async def usage_now(self, agent_id: UUID, ref: str) -> Usage | None:
        before, began = await asyncio.to_thread(use_of, ref), time.monotonic()
        if before is None:  # it has ended, or its engine is on another machine
            return await second_of(self.usage(agent_id))
        await asyncio.sleep(SPAN)
        after, span = await asyncio.to_thread(use_of, ref), time.monotonic() - began
        if after is None:
            return None
        cpu = None
        if after.cpu_seconds is not None and before.cpu_seconds is not None:
            cpu = max(0.0, after.cpu_seconds - before.cpu_seconds) / span
        return Usage(
            at=datetime.now(UTC),
            cpu=cpu,
            memory=after.memory,
            memory_limit=after.memory_limit,
            received=after.received,
            sent=after.sent,
            processes=after.processes,
            cpu_seconds=after.cpu_seconds,
        )


def _tmpfs(volume: VolumeSpec) -> str:
    return f"{'ro' if volume.read_only else 'rw'},size={volume.tmpfs},mode=1777,noexec,nosuid"


def _directory(name: str) -> bytes:
    """A tar archive of one directory that belongs to the agents' user."""
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    entry.mode = 0o770
    entry.uid, entry.gid = (int(part) for part in USER.split(":"))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(entry)
    return archive.getvalue()


def usage_of(stats: dict[str, Any]) -> Usage:
    """By the arithmetic of `docker stats`: the page cache that can be dropped does not count as memory."""
    memory, cpu, before = stats["memory_stats"], stats["cpu_stats"], stats["precpu_stats"]
    parts = memory.get("stats", {})
    cache = parts.get("total_inactive_file", parts.get("inactive_file", 0))
    networks = (stats.get("networks") or {}).values()
    system = cpu.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    used = cpu["cpu_usage"]["total_usage"] - before.get("cpu_usage", {}).get("total_usage", 0)
    known = before.get("system_cpu_usage", 0) > 0 and system > 0
    return Usage(
        at=datetime.now(UTC),
        cpu=max(0.0, used / system * cpu.get("online_cpus", 1)) if known else None,
        memory=max(0, memory.get("usage", 0) - cache),
        memory_limit=memory.get("limit"),
        received=sum(one["rx_bytes"] for one in networks),
        sent=sum(one["tx_bytes"] for one in networks),
        processes=stats.get("pids_stats", {}).get("current"),
        cpu_seconds=cpu["cpu_usage"]["total_usage"] / 1e9,
    )
