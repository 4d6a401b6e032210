"""Deployed agents as local processes: started, stopped and frozen by signals. Their state files lie in a
directory of their own, so that pools never see them.

Does not: run images, hold to CPU or memory, or give volumes; it says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from signal import SIGCONT, SIGSTOP
from typing import TYPE_CHECKING
from uuid import UUID

import psutil

from pools.domain.deployments import Reality
from pools.runtime.deployed import (
    SPAN,
    Capability,
    DeployedHandle,
    DeploySpec,
    NotCapable,
    Usage,
    second_of,
)

if TYPE_CHECKING:
    from pools.runtime.process import ProcessRuntime, Record

LOOK_EVERY = 0.25  # seconds


class ProcessDeployed:
    """`processes` is a runtime of its own for them, whose friend this is."""

    capabilities = frozenset({Capability.PAUSE, Capability.USAGE, Capability.FOLLOW})

    def __init__(self, processes: ProcessRuntime) -> None:
        self._processes = processes

    async def start(self, spec: DeploySpec) -> DeployedHandle:
        await self._processes.start()
        await self._processes.ensure_image(spec.image)
        if spec.volumes:
            raise NotCapable("Local processes have no volumes; deploy this agent with the docker runtime.")
        await self._processes.create(spec)
        record = self._record(spec.agent_id)
        assert record is not None
        return self._handle(record)

    async def stop(self, agent_id: UUID, *, grace: float) -> None:
        record = self._record(agent_id)
        if record is not None:
            self._processes.signal(record, SIGCONT)
            await self._processes.end(record, grace)

    async def pause(self, agent_id: UUID) -> None:
        record = self._record(agent_id)
        if record is not None:
            self._processes.signal(record, SIGSTOP)

    async def unpause(self, agent_id: UUID) -> None:
        record = self._record(agent_id)
        if record is not None:
            self._processes.signal(record, SIGCONT)

    async def remove(self, agent_id: UUID, *, grace: float = 0.0) -> None:
        await self.stop(agent_id, grace=grace)
        await self._processes.remove(agent_id)

    async def remove_volume(self, team_id: int, name: str) -> None:
        return None

    async def list_deployed(self) -> list[DeployedHandle]:
        records = await asyncio.to_thread(self._processes.records)
        return [self._handle(record) for record in records]

    async def events(self) -> AsyncIterator[UUID]:
        before: dict[UUID, Reality] = {
            handle.agent_id: handle.reality for handle in await self.list_deployed()
        }
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now = {handle.agent_id: handle.reality for handle in await self.list_deployed()}
            for agent_id, reality in now.items():
                if before.get(agent_id) is not reality:
                    yield agent_id
            before = now

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        return await self._processes.logs(agent_id, tail)

    async def follow(self, agent_id: UUID, tail: int = 100) -> AsyncIterator[str]:
        path = self._processes.log_path(agent_id)
        last = await self.logs(agent_id, tail) if tail else ""
        if last:
            yield last + "\n"
        place = path.stat().st_size if path.exists() else 0
        while path.exists():
            record = self._record(agent_id)
            ended = record is None or not record.alive()
            with path.open("rb") as file:
                file.seek(place)
                piece = file.read(256 * 1024)
            place += len(piece)
            if piece:
                yield piece.decode("utf-8", "replace")
            elif ended:
                return
            else:
                await asyncio.sleep(LOOK_EVERY)

    def usage(self, agent_id: UUID) -> AsyncIterator[Usage]:
        return self._measuring(agent_id, 1.0)

    async def _measuring(self, agent_id: UUID, pause: float) -> AsyncIterator[Usage]:
        before: tuple[float, float] | None = None  # when, and CPU seconds until then
        while True:
            record = self._record(agent_id)
            if record is None or not record.alive():
                return
            found = await asyncio.to_thread(_measured, record.pid)
            if found is None:
                return
            seconds, memory, count = found
            moment = time.monotonic()
            cpu = None if before is None else max(0.0, (seconds - before[1]) / (moment - before[0]))
            before = moment, seconds
            yield Usage(datetime.now(UTC), cpu, memory, None, None, None, count, seconds)
            await asyncio.sleep(pause)

    async def usage_now(self, agent_id: UUID, ref: str) -> Usage | None:
        return await second_of(self._measuring(agent_id, SPAN))

    def _record(self, agent_id: UUID) -> Record | None:
        return self._processes.record(agent_id)

    def _handle(self, record: Record) -> DeployedHandle:
        handle = self._processes.handle(record)
        reality = _reality(record)
        return DeployedHandle(
            agent_id=handle.agent_id,
            ref=handle.ref,
            address=handle.address,
            node=handle.node,
            reality=reality,
            generation=int(record.nonce),
            exit_code=self._processes.exit_code(record) if reality is Reality.ENDED else None,
        )


def _reality(record: Record) -> Reality:
    if not record.alive():
        return Reality.ENDED
    try:
        stopped = psutil.Process(record.pid).status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return Reality.ENDED
    return Reality.PAUSED if stopped else Reality.RUNNING


def _measured(pid: int) -> tuple[float, int, int] | None:
    """CPU seconds, bytes in memory, and number of its processes; None when it has ended."""
    try:
        leader = psutil.Process(pid)
        family = [leader, *leader.children(recursive=True)]
    except psutil.Error:
        return None
    seconds, memory, count = 0.0, 0, 0
    for process in family:
        try:
            times = process.cpu_times()
            seconds += times.user + times.system
            memory += process.memory_info().rss
            count += 1
        except psutil.Error:  # it ended meanwhile
            continue
    return seconds, memory, count
