"""What bodies have others do for them: agents they deploy and ask, runs they start, secrets of their team.

A body that waits for one of these gives its place away meanwhile (docs/adr/0024). An agent of a body is a
name for a pool: each call to it is a lease of its own, given back after the call. Its requests cannot run
errands themselves. Does not: outlive the request of the body.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from aflow_site.kernel.errors import FlowError, InvalidInput, NotFound
from pools.facade import api as pools
from pools.facade.contracts import (
    AgentKind,
    Code,
    Invocation,
    ItemResult,
    Lease,
    LeaseOutcome,
    LogLine,
    PoolSpec,
)
from teams.facade import api as teams
from workflows.domain.retry import MAX_AGENT_LOSSES
from workflows.domain.states import RUN_FINAL
from workflows.engine.agents import NoAgent
from workflows.engine.context import RunContext
from workflows.engine.invoking import Outcome, send
from workflows.engine.purse import Bound
from workflows.engine.records import StepRecord
from workflows.services import children

MOST_AGENTS = 1000  # of one request
LOGS_KEPT = 1000  # lines of one agent
OWN_CONTAINERS = 20  # at once, of one image: the size of a pool whose agents serve once
FIRST_LOOK, LONGEST_LOOK = 0.05, 1.0  # seconds between looks at a run that was started

Operation = Callable[[Mapping[str, Any]], Awaitable[Any]]


@dataclass(slots=True)
class Hired:
    """`first`: the call that began when it was deployed."""

    name: str
    image: str | None
    pool: str
    env: dict[str, str]
    first: asyncio.Task[dict[str, Any]] | None = None
    logs: list[str] = field(default_factory=list)
    stopped: bool = False


class Errands:
    """Of one request. `lease` is its body's, `timeout` seconds that a call to an agent may take."""

    def __init__(self, context: RunContext, step: StepRecord, lease: Lease, timeout: float, key: str) -> None:
        self._context = context
        self._step = step
        self._lease = lease
        self._timeout = timeout
        self._key = key  # tells this attempt from all others
        self._hired: dict[str, Hired] = {}
        self._runs = 0
        self._operations: dict[str, Operation] = {
            "agent.deploy": self._deploy,
            "agent.wait": self._wait,
            "agent.invoke": self._invoke,
            "agent.stop": self._stop,
            "agent.logs": self._logs,
            "workflow.run": self._run_workflow,
            "secrets.get": self._secret,
        }

    def has(self, op: str) -> bool:
        return op in self._operations

    async def call(self, op: str, args: Mapping[str, Any]) -> Any:
        """Raises FlowError."""
        return await self._operations[op](args)

    async def close(self) -> None:
        """The request has ended: what its agents still do is stopped."""
        tasks = [one.first for one in self._hired.values() if one.first is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- agents ----------------------------------------------------------------------------------

    async def _deploy(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """`image` null: the built-in agent. `mode`: standard (a container for each call) | pooled."""
        if len(self._hired) >= MOST_AGENTS:
            raise InvalidInput(f"A body deploys {MOST_AGENTS} agents at most.")
        image = _image(args.get("image"))
        pool = await self._context.read(_pool, self._context.run.team_id, image, args)
        agent_id = uuid4().hex
        agent = Hired(str(args.get("name") or pool), image, pool, _env(args.get("env")))
        self._hired[agent_id] = agent
        if args.get("start", True):
            agent.first = asyncio.ensure_future(self._ask(agent, args.get("input")))
        return {"id": agent_id, "name": agent.name, "pool": pool}

    def _find(self, args: Mapping[str, Any]) -> Hired:
        agent = self._hired.get(str(args.get("id")))
        if agent is None:
            raise NotFound("This body deployed no such agent.")
        if agent.stopped:
            raise InvalidInput(f"The agent {agent.name} was stopped.")
        return agent

    async def _wait(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """{"output"} or {"error"} of the call that began when it was deployed."""
        agent = self._find(args)
        if agent.first is None:
            raise InvalidInput(f"The agent {agent.name} was not started with a call; ask it by invoke().")
        async with self._context.agents.broker.waiting(self._lease):
            await asyncio.wait({agent.first})
        if agent.first.cancelled():
            raise InvalidInput(f"The agent {agent.name} was stopped.")
        return agent.first.result()

    async def _invoke(self, args: Mapping[str, Any]) -> dict[str, Any]:
        agent, code = self._find(args), args.get("code")
        async with self._context.agents.broker.waiting(self._lease):
            return await self._ask(agent, args.get("input"), code if isinstance(code, str) else None)

    async def _stop(self, args: Mapping[str, Any]) -> None:
        agent = self._find(args)
        agent.stopped = True
        if agent.first is not None:
            agent.first.cancel()

    async def _logs(self, args: Mapping[str, Any]) -> list[str]:
        agent = self._hired.get(str(args.get("id")))
        return [] if agent is None else list(agent.logs)

    async def _ask(self, agent: Hired, value: Any, code: str | None = None) -> dict[str, Any]:
        outcome = await self._ask_once(agent, value, code)
        for _ in range(MAX_AGENT_LOSSES - 1):
            if not outcome.agent_lost:
                break
            outcome = await self._ask_once(agent, value, code)
        result = outcome.results[0]
        return {"output": result.output} if result.error is None else {"error": result.error.as_dict()}

    async def _ask_once(self, agent: Hired, value: Any, code: str | None) -> Outcome:
        context, run = self._context, self._context.run
        holder = f"{run.id}/{self._step.key}/hired/{uuid4().hex}/{run.fence}"
        try:
            bound = Bound(self._timeout)  # with which the step itself was admitted
            lease = await context.agents.lease(agent.pool, AgentKind(agent.image), holder, self._step, bound)
        except NoAgent as exc:
            return Outcome((ItemResult(error=exc.error),))
        given_back, sent = LeaseOutcome.ERROR, asyncio.get_running_loop().time()
        try:
            outcome = await send(context.agents.broker, lease, self._invocation(agent, value, code))
            given_back = outcome.lease
            return outcome
        finally:
            context.agents.used(self._step, lease, asyncio.get_running_loop().time() - sent)
            await context.agents.give_back(lease, given_back, uses=1)

    def _invocation(self, agent: Hired, value: Any, code: str | None) -> Invocation:
        runs = None
        if code is not None:
            runs = Code(sha256=hashlib.sha256(code.encode()).hexdigest(), source=code)
        run = self._context.run
        told = {"workflow_id": run.workflow, "run_id": str(run.id), "step_id": self._step.key}
        return Invocation(
            inputs=(value,),
            batch=False,
            runs=runs,
            context={**told, "item_index": None, "attempt": 1, "env": agent.env},
            timeout=self._timeout,
            listener=_HiredListener(agent),
        )

    # --- runs and secrets ------------------------------------------------------------------------

    async def _run_workflow(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """{"id", "state", "output", "error"} of the run, once it has ended."""
        context = self._context
        self._runs += 1
        request = children.BodyRequest(
            parent_run=context.run.id,
            key="body/" + hashlib.sha256(f"{self._key}/{self._runs}".encode()).hexdigest(),
            workflow=str(args.get("workflow")),
            version=args.get("version"),
            params=dict(args.get("params") or {}),
        )
        # Stopped half-way, the row may be there all the same.
        starting = asyncio.ensure_future(context.read(children.start_for_body, request))
        try:
            run_id = await asyncio.shield(starting)
            async with context.agents.broker.waiting(self._lease):
                return await self._ended(run_id)
        except asyncio.CancelledError:
            await asyncio.shield(self._cancel_run(starting))
            raise

    async def _cancel_run(self, starting: asyncio.Future[UUID]) -> None:
        context = self._context
        with contextlib.suppress(FlowError):  # it never began
            await context.read(children.cancel_for_body, await starting, f"run {context.run.id}")

    async def _ended(self, run_id: UUID) -> dict[str, Any]:
        pause = FIRST_LOOK
        while True:
            child = await self._context.read(children.look_at, run_id)
            if child.state in RUN_FINAL:
                output = await self._context.value(child.output)
                return {"id": str(run_id), "state": str(child.state), "output": output, "error": child.error}
            await asyncio.sleep(pause)
            pause = min(LONGEST_LOOK, pause * 1.5)

    async def _secret(self, args: Mapping[str, Any]) -> str:
        name = str(args.get("name"))
        found = await self._context.read(teams.secret_values, self._context.run.team_id, [name])
        if name not in found:
            raise NotFound(f"There is no secret {name} in this team.")
        return found[name]


class _HiredListener:
    """Of a request to an agent of a body: its lines are kept, and it may ask nothing."""

    def __init__(self, agent: Hired) -> None:
        self._agent = agent

    def log(self, line: LogLine) -> None:
        if len(self._agent.logs) < LOGS_KEPT:
            self._agent.logs.append(line.text)

    def progress(self, value: Any, item: int) -> None:
        """Nobody looks."""

    def metric(self, name: str, value: float, item: int) -> None:
        """Nobody looks."""

    async def call(self, op: str, args: Mapping[str, Any], item: int) -> Any:
        raise _NotForHired(f"{op}: an agent that a body deployed cannot ask the run.")


class _NotForHired(FlowError):
    code = "not_supported"
    status = 501
    title = "Not supported"


def _image(given: Any) -> str | None:
    if given in (None, "", "python"):
        return None
    if not isinstance(given, str):
        raise InvalidInput("An image is text, such as processor:latest.")
    return given


def _env(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(one, str) for one in given.values()):
        raise InvalidInput("env is an object of texts.")
    return given


def _pool(team_id: int, image: str | None, args: Mapping[str, Any]) -> str:
    """The name of the pool that the agent's calls lease from, which is made if need be. Raises
    InvalidInput."""
    env, cpu, memory = _env(args.get("env")), args.get("cpu"), args.get("memory")
    cold = args.get("mode", "standard") != "pooled"
    shared = pools.default_pool_name(AgentKind(image))
    if not (cold or env or cpu or memory):
        return pools.ensure_shared_pool(team_id, AgentKind(image)).name
    kind = json.dumps([cold, env, cpu, memory], sort_keys=True)
    name = f"{shared[:48]}-{'own' if cold else 'for'}-{hashlib.sha256(kind.encode()).hexdigest()[:8]}"
    spec = PoolSpec(
        name=name,
        image=image,
        min_size=0,
        max_size=OWN_CONTAINERS,
        warm_up=False,
        max_uses=1 if cold else None,
        idle_timeout=60.0,
        env=env or None,
        cpu=cpu,
        memory=memory,
    )
    return pools.ensure_pool(team_id, spec).name
