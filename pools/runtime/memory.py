"""Agents as servers inside this process: the twin of the real runtimes for unit tests.

Speaks the agent contract, calls of bodies and their replies too. `code` runs in a thread of this process (see
`memory_bodies`), so this runtime is for tests alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from aiohttp import web

from pools.domain.nodes import Availability, facts_of
from pools.domain.placement import ANYWHERE, refusal
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
    Invitation,
    NotInstalled,
    RuntimeFault,
)
from pools.runtime.deployed import DeploySpec
from pools.runtime.memory_bodies import Talk, command, load, numbers, outcome
from pools.runtime.memory_deployed import MemoryDeployed

Behaviour = Callable[[Any], Any]  # the input of a request -> its output


@dataclass(slots=True)
class MemoryAgent:
    spec: AgentSpec | DeploySpec
    node: str = ""
    boot: str = field(default_factory=lambda: secrets.token_hex(8))
    healthy: bool = True
    code: dict[str, str] = field(default_factory=dict)
    fence: int = 0
    concurrency: int = 1
    memory: int = 0  # bytes in use; 0: not told
    cpu_seconds: float | None = None
    served: int = 0
    resets: int = 0
    knows_reset: bool = True  # images need not
    cancelled: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    runner: web.AppRunner | None = None
    listening: asyncio.Task[None] | None = None
    address: str = ""
    created_at: float = field(default_factory=time.time)
    calls: set[asyncio.Task[Any]] = field(default_factory=set)
    talks: set[Talk] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=numbers)


class MemoryRuntime:
    """`images` maps an image's name to its behaviour; `broken` names images whose agents never start, `sick`
    those whose agents never become healthy, `concurrent` says how many requests agents of an image take at
    once. `away` plays an engine that does not answer. `machines` are its nodes; `lose` takes one away with
    all that runs there."""

    name = "memory"
    isolates = False
    can = frozenset({Capability.CORDONS, Capability.GROWS, Capability.DEPLOYS})

    def __init__(
        self,
        images: Mapping[str, Behaviour] | None = None,
        *,
        nodes: Sequence[str] = ("this process",),
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.machines = {
            name: EngineNode(
                f"ref-{name}", name, "localhost", True, Availability.ACTIVE, 2.0, 2**30, dict(labels or {})
            )
            for name in nodes
        }
        self.images: dict[str, Behaviour] = {"echo": lambda value: value, **(images or {})}
        self.broken: set[str] = set()
        self.sick: set[str] = set()
        self.concurrent: dict[str, int] = {}
        self.away = False
        self.agents: dict[UUID, MemoryAgent] = {}
        self.graces: dict[UUID, float] = {}  # that agents which were removed got to finish
        self.creations = 0
        self._deaths: asyncio.Queue[AgentDeath] = asyncio.Queue()
        self._deployed: MemoryDeployed | None = None

    @property
    def deployed(self) -> MemoryDeployed:
        if self._deployed is None:
            self._deployed = MemoryDeployed(self, MemoryRuntime())
        return self._deployed

    async def start(self) -> None:
        return None

    async def close(self) -> None:
        for agent_id in list(self.agents):
            await self.remove(agent_id)
        if self._deployed is not None:
            await self._deployed.close()

    async def ping(self) -> None:
        if self.away:
            raise EngineAway("The engine of this process does not answer.")

    async def ensure_image(
        self, image: str, *, commands: bool = False, requirements: Sequence[str] = ()
    ) -> str:
        if missing := self.broken.intersection(requirements):
            raise NotInstalled(f"The requirements could not be installed: there is no {min(missing)}.")
        if image != BUILT_IN_IMAGE and image not in {*self.images, *self.broken, *self.sick}:
            raise ImageMissing(f"There is no image {image} in this process.")
        if requirements:
            return f"{image} with {', '.join(requirements)}"
        return f"{image} with an agent" if commands else image  # whatever it does by itself

    async def create(self, spec: AgentSpec) -> AgentHandle:
        return await self.serve(spec)

    async def serve(self, spec: AgentSpec | DeploySpec) -> AgentHandle:
        await self.ping()
        if spec.agent_id in self.agents:
            return self._handle(self.agents[spec.agent_id])
        self.creations += 1
        if spec.image in self.broken:
            raise RuntimeFault(f"The image {spec.image} does not start.")
        agent = MemoryAgent(spec, self._place(spec), healthy=spec.image not in self.sick)
        agent.concurrency = self.concurrent.get(spec.image, 1)
        self.agents[spec.agent_id] = agent
        app = web.Application(client_max_size=64 * 1024 * 1024)
        server = _Server(agent, self.images.get(spec.image))
        app.router.add_get("/health", server.health)
        app.router.add_post("/cancel", server.cancel)
        app.router.add_post("/reply", server.reply)
        app.router.add_post("/reset", server.reset)
        app.router.add_post("/{path:.*}", server.invoke)
        agent.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await agent.runner.setup()
        site = web.TCPSite(agent.runner, "127.0.0.1", 0)
        # Cancelled in the middle of it, whoever asks leaves a socket behind that nobody knows.
        agent.listening = asyncio.create_task(site.start())
        await asyncio.shield(agent.listening)
        port = agent.runner.addresses[0][1]
        agent.address = f"127.0.0.1:{port}"
        return self._handle(agent)

    def _place(self, spec: AgentSpec | DeploySpec) -> str:
        """The open node with the fewest agents, as engines spread them."""
        load = Counter(agent.node for agent in self.agents.values())
        is_open = {node.name: facts_of(node.labels) for node in self.machines.values() if node.takes_agents}
        if not is_open:
            raise RuntimeFault("No node takes an agent: all are cordoned or lost.")
        place = spec.place if isinstance(spec, AgentSpec) else ANYWHERE
        why = refusal(place, list(is_open.items()))
        if why is not None:
            raise RuntimeFault(why)
        fitting = [name for name, facts in is_open.items() if place.allows(facts)]
        return min(fitting, key=lambda name: load[name])

    async def nodes(self) -> list[EngineNode]:
        await self.ping()
        return list(self.machines.values())

    async def set_availability(self, node: str, wanted: Availability) -> None:
        await self.ping()
        known = next((machine for machine in self.machines.values() if machine.ref == node), None)
        if known is None:
            raise RuntimeFault(f"The engine knows no node {node}.")
        self.machines[known.name] = replace(known, availability=wanted)
        if wanted is Availability.DRAIN:
            for agent_id in self._agents_on(known.name):
                await self.kill(agent_id)

    async def invite(self) -> Invitation:
        await self.ping()
        return Invitation("localhost:2377", "token-of-this-process")

    async def label_node(self, node: str, labels: Mapping[str, str]) -> None:
        await self.ping()
        known = next((machine for machine in self.machines.values() if machine.ref == node), None)
        if known is None:
            raise RuntimeFault(f"The engine knows no node {node}.")
        self.machines[known.name] = replace(known, labels={**known.labels, **labels})

    async def forget_node(self, node: str) -> None:
        await self.ping()
        self.machines = {name: machine for name, machine in self.machines.items() if machine.ref != node}

    def join(self, name: str, *, since: datetime | None = None, size: float = 1) -> str:
        """Another machine, `size` times the usual, whose ref is returned; `since` is when it came, for an
        engine that tells that."""
        cpus, memory = 2.0 * size, int(size * 8 * 2**30)
        self.machines[name] = EngineNode(
            f"ref-{name}", name, "localhost", True, Availability.ACTIVE, cpus, memory, since=since
        )
        return f"ref-{name}"

    def _agents_on(self, node: str) -> list[UUID]:
        return [agent_id for agent_id, agent in self.agents.items() if agent.node == node]

    async def lose(self, node: str) -> None:
        """A power cut: it is noticed, and nothing there answers any more."""
        self.machines[node] = replace(self.machines[node], heard=False)
        for agent_id in self._agents_on(node):
            await self._stop(self.agents[agent_id])
            self._deaths.put_nowait(AgentDeath(agent_id, node_lost=True))

    async def remove(self, agent_id: UUID, *, grace: float = 0.0) -> None:
        agent = self.agents.pop(agent_id, None)
        if agent is not None:
            self.graces[agent_id] = grace
            if agent.calls and grace > 0:
                await asyncio.wait(agent.calls, timeout=grace)
            await self._stop(agent)

    async def kill(self, agent_id: UUID) -> None:
        """A death as an engine would report it."""
        await self.remove(agent_id)
        self._deaths.put_nowait(AgentDeath(agent_id))

    async def _stop(self, agent: MemoryAgent) -> None:
        for call in list(agent.calls):
            call.cancel()
        if agent.listening is not None:
            await asyncio.wait([agent.listening])
        if agent.runner is not None:
            with contextlib.suppress(RuntimeError):
                await agent.runner.cleanup()

    async def list_agents(self) -> list[AgentHandle]:
        await self.ping()
        return [self._handle(agent) for agent in self.agents.values()]

    async def events(self) -> AsyncIterator[AgentDeath]:
        while True:
            yield await self._deaths.get()

    async def prune_images(self, requirements: Collection[tuple[str, ...]]) -> None:
        return None

    async def upkeep(self) -> None:
        return None

    async def tidy(self) -> None:
        return None

    async def use_of(self, agent_id: UUID, ref: str) -> AgentUse | None:
        agent = self.agents.get(agent_id)
        return AgentUse(agent.memory, agent.cpu_seconds) if agent and agent.memory else None

    async def logs(self, agent_id: UUID, tail: int = 100) -> str:
        agent = self.agents.get(agent_id)
        return "\n".join(agent.log[-tail:]) if agent else ""

    def _handle(self, agent: MemoryAgent) -> AgentHandle:
        heard = self.machines[agent.node].heard
        return AgentHandle(
            agent_id=agent.spec.agent_id,
            ref=f"memory-{agent.spec.agent_id}",
            address=agent.address,
            node=agent.node,
            running=heard,
            nonce=agent.spec.nonce,
            created_at=agent.created_at,
            lost=not heard,
        )


class _Server:
    def __init__(self, agent: MemoryAgent, behaviour: Behaviour | None) -> None:
        self._agent = agent
        self._behaviour = behaviour

    def _answer(self, body: Any, status: int = 200) -> web.Response:
        return web.json_response(body, status=status, headers={"X-Agent-Boot": self._agent.boot})

    def _refused(self, kind: str) -> web.Response:
        return self._answer({"error": {"type": kind, "message": kind}}, status=409)

    async def health(self, request: web.Request) -> web.Response:
        status = "ok" if self._agent.healthy else "failing"
        told = {"status": status, "boot": self._agent.boot, "concurrency": self._agent.concurrency}
        return self._answer(told, status=200 if self._agent.healthy else 503)

    async def cancel(self, request: web.Request) -> web.Response:
        lease = (await request.json()).get("lease", "")
        self._agent.cancelled.append(lease)
        for talk in list(self._agent.talks):
            if talk.lease == lease:
                talk.end()
        return self._answer({"cancelled": True})

    async def reply(self, request: web.Request) -> web.Response:
        if not self._trusts(request):
            return self._answer({"error": {"type": "unauthorized", "message": "wrong token"}}, status=401)
        reply = await request.json()
        talks = [talk for talk in self._agent.talks if talk.lease == reply["lease"]]
        return self._answer({"delivered": any(talk.take(reply) for talk in talks)})

    async def reset(self, request: web.Request) -> web.Response:
        if not self._agent.knows_reset:
            return self._answer({"error": {"type": "not_found", "message": "no such path"}}, status=404)
        self._agent.resets += 1
        self._agent.code.clear()
        return self._answer({"reset": True})

    def _trusts(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self._agent.spec.token}"

    async def invoke(self, request: web.Request) -> web.StreamResponse:
        agent, body = self._agent, await request.json()
        if not self._trusts(request):
            return self._answer({"error": {"type": "unauthorized", "message": "wrong token"}}, status=401)
        fence = int(body.get("context", {}).get("fence", 0))
        # Leases side by side have fences in any order.
        if fence < agent.fence and agent.concurrency == 1:
            return self._refused("stale_fence")
        agent.fence = fence
        task = asyncio.current_task()
        assert task is not None
        agent.calls.add(task)
        agent.served += 1
        agent.log.append(f"request {agent.served}")
        try:
            return await self._run(request, body)
        finally:
            agent.calls.discard(task)

    async def _run(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        runs = body.get("runs")
        if runs is None:
            behaviour = self._behaviour
            if behaviour is None:
                return self._answer(
                    {"error": {"type": "bad_request", "message": "nothing to run"}}, status=400
                )
            return await self._answered(request, body, lambda value, _talk: behaviour(value))
        if "command" in runs:
            return await self._answered(request, body, command(runs["command"]))
        if "source" in body:
            self._agent.code[runs["code"]] = body["source"]
        if runs.get("code") not in self._agent.code:
            return self._refused("code_missing")
        return await self._answered(request, body, load(self._agent.code[runs["code"]]))

    async def _answered(self, request: web.Request, body: dict[str, Any], main: Any) -> web.StreamResponse:
        """Runs the items in a thread, and writes what they say until they end."""
        lines: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def emit(line: dict[str, Any]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(lines.put_nowait, line)

        context = body.get("context", {})
        talk = Talk(context.get("lease", ""), context, self._agent.numbers, emit)
        self._agent.talks.add(talk)
        loop.run_in_executor(None, _work, body, main, talk, emit)
        try:
            return await self._write(request, lines)
        finally:
            self._agent.talks.discard(talk)
            talk.end()

    async def _write(self, request: web.Request, lines: asyncio.Queue[dict[str, Any]]) -> web.StreamResponse:
        line = await lines.get()
        if _is_answer(line):
            return self._answer(line)
        headers = {"X-Agent-Boot": self._agent.boot, "Content-Type": "application/x-ndjson"}
        stream = web.StreamResponse(headers=headers)
        await stream.prepare(request)
        while True:
            await stream.write(json.dumps(line).encode() + b"\n")
            if _is_answer(line):
                return stream
            line = await lines.get()


def _is_answer(line: dict[str, Any]) -> bool:
    return "seconds" in line


def _work(body: dict[str, Any], main: Any, talk: Talk, emit: Callable[[dict[str, Any]], None]) -> None:
    """In a thread of its own; its last line is the answer."""
    began = time.perf_counter()
    answers = []
    for item, value in enumerate(body.get("inputs", [body.get("input")])):
        talk.item = item
        answers.append(outcome(main, value, talk))
    talk.end()
    answer = {"outputs": answers} if "inputs" in body else answers[0]
    emit({**answer, "seconds": time.perf_counter() - began})
