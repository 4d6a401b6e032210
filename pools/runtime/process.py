"""Agents as local processes, for a machine without a container engine. It does not isolate, and says so.

Each agent leads a process group of its own, hence outlives the controller and is found again by a state file
(`DIR/ID.json`: pid and start time, so that a pid that was given to another process is never touched).
Does not: run images; only the built-in Python agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from uuid import UUID

import psutil

from pools.domain.nodes import Availability
from pools.runtime.base import (
    BUILT_IN_IMAGE,
    AgentDeath,
    AgentHandle,
    AgentSpec,
    AgentUse,
    Capability,
    EngineNode,
    ImageMissing,
    NotSupported,
    OneMachine,
    RuntimeFault,
    check_place,
)
from pools.runtime.choose import NO_REQUIREMENTS
from pools.runtime.deployed import DeploySpec
from pools.runtime.process_deployed import ProcessDeployed

LOOK_EVERY = 0.25  # seconds between two looks at the processes
# Of this whole process: whoever started a child must collect it, even after its runtime was closed.
_children: dict[int, subprocess.Popen[bytes]] = {}
_exit_codes: dict[int, int] = {}  # of the last children that were collected
MOST_CODES = 1000
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Record:
    agent_id: str
    pid: int
    process_started: float
    address: str
    nonce: str
    instance: str
    created_at: float

    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.process_started) < 0.01
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


class ProcessRuntime(OneMachine):
    """`directory` holds state, logs and scratch space of this installation's agents; `labels` are those of
    this machine, its one node."""

    name = "process"
    isolates = False
    can = frozenset({Capability.OUTLIVES, Capability.BUNDLES, Capability.DEPLOYS, Capability.MEASURES})

    def __init__(self, directory: Path, instance: str, labels: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        self._labels = dict(labels or {})
        self._instance = instance
        self._lock = asyncio.Lock()

    @cached_property
    def deployed(self) -> ProcessDeployed:
        return ProcessDeployed(ProcessRuntime(self._directory / "deployed", self._instance))

    async def start(self) -> None:
        with _in_words("The directory of local agents cannot be made"):
            self._directory.mkdir(parents=True, exist_ok=True)

    async def close(self) -> None:
        _reap()

    async def ping(self) -> None:
        return None

    async def ensure_image(
        self, image: str, *, commands: bool = False, requirements: Sequence[str] = ()
    ) -> str:
        if requirements:
            raise NotSupported(NO_REQUIREMENTS[self.name])
        if image != BUILT_IN_IMAGE:
            raise ImageMissing(
                f"The image {image} needs Docker; the process runtime runs the built-in Python agent alone."
            )
        return image

    async def create(self, spec: AgentSpec | DeploySpec) -> AgentHandle:
        if isinstance(spec, AgentSpec):
            check_place(spec.place, self._the_node())
        # One at a time: a port is chosen, and must be taken before the next is.
        async with self._lock:
            known = self._read(self._path(spec.agent_id))
            if known is not None and known.alive():
                return self.handle(known)
            return await asyncio.to_thread(self._spawn, spec)

    def _spawn(self, spec: AgentSpec | DeploySpec) -> AgentHandle:
        with _in_words("A local agent could not be started"):
            child, port = self._start(spec)
            try:
                return self.handle(self._remember(spec, child, port))
            except BaseException:
                # Without its record nobody would ever find it again.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                raise

    def _start(self, spec: AgentSpec | DeploySpec) -> tuple[subprocess.Popen[bytes], int]:
        scratch = self._scratch(spec.agent_id)
        scratch.mkdir(parents=True, exist_ok=True)
        port = _free_port()
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(scratch),
            "HOME": str(scratch),
            "LANG": "C.UTF-8",
            **spec.contract_env(),
            "AGENTAINER_PORT": str(port),
            "AGENTAINER_HOST": "127.0.0.1",
        }
        with self.log_path(spec.agent_id).open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "agentainer_flow.agent"],
                cwd=scratch,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                close_fds=True,
            )
        return child, port

    def _remember(self, spec: AgentSpec | DeploySpec, child: subprocess.Popen[bytes], port: int) -> Record:
        record = Record(
            agent_id=str(spec.agent_id),
            pid=child.pid,
            process_started=_started(child.pid),
            address=f"127.0.0.1:{port}",
            nonce=spec.nonce,
            instance=self._instance,
            created_at=time.time(),
        )
        path = self._path(spec.agent_id)
        partial = path.with_suffix(".part")
        try:
            partial.write_text(json.dumps(asdict(record)))
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        _exit_codes.pop(child.pid, None)  # of an earlier process with this number
        _children[child.pid] = child
        return record

    async def remove(self, agent_id: UUID, *, grace: float = 0.0) -> None:
        with _in_words(f"The local agent {agent_id} could not be removed"):
            record = self._read(self._path(agent_id))
            if record is not None:
                await self.end(record, grace)
                self._path(agent_id).unlink(missing_ok=True)
            await asyncio.to_thread(shutil.rmtree, self._scratch(agent_id), ignore_errors=True)
            self.log_path(agent_id).unlink(missing_ok=True)

    async def end(self, record: Record, grace: float) -> None:
        if grace > 0 and record.alive():
            _signal(record, signal.SIGTERM)
            await self._gone_within(record, grace)
        # The group outlives its leader when the body started processes of its own.
        _signal(record, signal.SIGKILL)
        if not await self._gone_within(record, 5):
            raise RuntimeFault(f"The local agent {record.agent_id} (process {record.pid}) does not end.")

    async def _gone_within(self, record: Record, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            _reap()
            if not record.alive():
                _reap()  # it may have become a zombie since
                return True
            await asyncio.sleep(0.02)
        return False

    async def list_agents(self) -> list[AgentHandle]:
        return [self.handle(record) for record in await asyncio.to_thread(self.records)]

    async def events(self) -> AsyncIterator[AgentDeath]:
        told: set[str] = set()
        while True:
            _reap()
            records = await asyncio.to_thread(self.records)
            for record in records:
                if record.agent_id not in told and not record.alive():
                    told.add(record.agent_id)
                    yield AgentDeath(UUID(record.agent_id))
            told &= {record.agent_id for record in records}
            await asyncio.sleep(LOOK_EVERY)

    async def tidy(self) -> None:
        return None

    async def nodes(self) -> list[EngineNode]:
        return [self._the_node()]

    def _the_node(self) -> EngineNode:
        name = socket.gethostname()
        cpus, memory = float(os.cpu_count() or 1), int(psutil.virtual_memory().total)
        return EngineNode(name, name, "localhost", True, Availability.ACTIVE, cpus, memory, self._labels)

    async def set_availability(self, node: str, wanted: Availability) -> None:
        raise NotSupported("Local processes have one node, this machine: resize or delete its pools instead.")

    async def use_of(self, agent_id: UUID, ref: str) -> AgentUse | None:
        known = self._read(self._path(agent_id))
        return await asyncio.to_thread(_use_of_group, known.pid) if known is not None else None

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        try:
            text = await asyncio.to_thread(self.log_path(agent_id).read_text, "utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-tail:])

    def records(self) -> list[Record]:
        with _in_words("The local agents cannot be listed"):
            found = [self._read(path) for path in self._directory.glob("*.json")]
        return [record for record in found if record is not None and record.instance == self._instance]

    def _read(self, path: Path) -> Record | None:
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            return Record(**json.loads(path.read_text()))
        return None

    def record(self, agent_id: UUID) -> Record | None:
        return self._read(self._path(agent_id))

    def signal(self, record: Record, number: int) -> None:
        _signal(record, number)

    def exit_code(self, record: Record) -> int | None:
        """As far as it is known: of this process's own children."""
        _reap()
        return _exit_codes.get(record.pid)

    def handle(self, record: Record) -> AgentHandle:
        return AgentHandle(
            agent_id=UUID(record.agent_id),
            ref=f"pid {record.pid}",
            address=record.address,
            node=socket.gethostname(),
            running=record.alive(),
            nonce=record.nonce,
            created_at=record.created_at,
        )

    def _path(self, agent_id: UUID) -> Path:
        return self._directory / f"{agent_id}.json"

    def log_path(self, agent_id: UUID) -> Path:
        return self._directory / f"{agent_id}.log"

    def _scratch(self, agent_id: UUID) -> Path:
        return self._directory / f"{agent_id}.scratch"


@contextlib.contextmanager
def _in_words(what: str) -> Iterator[None]:
    """A full disk, a missing right or too many processes, as the fault that callers expect."""
    try:
        yield
    except OSError as exc:
        raise RuntimeFault(f"{what}: {exc.strerror or exc}.") from exc


def _reap() -> None:
    for pid, child in list(_children.items()):
        code = child.poll()
        if code is not None:
            del _children[pid]
            _exit_codes[pid] = code
            while len(_exit_codes) > MOST_CODES:
                del _exit_codes[next(iter(_exit_codes))]


def _started(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def _signal(record: Record, number: int) -> None:
    """To the agent's whole group, and only while the group is still the agent's."""
    try:
        leader_is_ours = record.alive()
        group_remains = not psutil.pid_exists(record.pid)  # the leader ended; its number cannot be reused
        if leader_is_ours or group_remains:
            os.killpg(record.pid, number)
    except ProcessLookupError:
        return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _use_of_group(pid: int) -> AgentUse | None:
    """Of a process and its children, those that ended included; pages that they share are counted once."""
    try:
        leader = psutil.Process(pid)
        family = [leader, *leader.children(recursive=True)]
        memory = sum(process.memory_full_info().pss for process in family)
        times = [process.cpu_times() for process in family]
    except psutil.Error:
        return None
    return AgentUse(
        memory, sum(one.user + one.system + one.children_user + one.children_system for one in times)
    )
