"""What bodies of a local run have others do: agents are mocks, workflows run here too."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentainer_flow.errors import FlowAPIError
from agentainer_flow.local.calls import Outcome, ask_mock
from agentainer_flow.local.mocks import AgentCall
from agentainer_flow.local.values import Refused

if TYPE_CHECKING:
    from agentainer_flow.local.records import StepRecord
    from agentainer_flow.local.run import LocalRun

BUILT_IN = "python"


@dataclass(slots=True)
class Hired:
    """`names`: by which a mock may stand in for it."""

    names: tuple[str, ...]
    first: asyncio.Task[Outcome] | None = None
    stopped: bool = False


class Errands:
    """Of one attempt of a body."""

    def __init__(self, run: LocalRun, step: StepRecord, item: int | None) -> None:
        self._run = run
        self._step = step
        self._item = item
        self._hired: dict[str, Hired] = {}
        self._operations = {
            "agent.deploy": self._deploy,
            "agent.wait": self._wait,
            "agent.invoke": self._invoke,
            "agent.stop": self._stop,
            "agent.logs": self._logs,
            "workflow.run": self._run_workflow,
            "secrets.get": self._secret,
        }

    async def call(self, op: str, args: Mapping[str, Any]) -> Any:
        """Raises Refused."""
        act = self._operations.get(op)
        if act is None:
            raise Refused("not_supported", f"There is no operation {op} here.")
        return await act(args)

    async def close(self) -> None:
        tasks = [one.first for one in self._hired.values() if one.first is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deploy(self, args: Mapping[str, Any]) -> dict[str, Any]:
        image, name = args.get("image") or BUILT_IN, args.get("name")
        agent = Hired(tuple(one for one in (name, image) if one))
        agent_id = uuid.uuid4().hex
        self._hired[agent_id] = agent
        if args.get("start", True):
            agent.first = asyncio.ensure_future(self._ask(agent, args.get("input")))
        return {"id": agent_id, "name": name or image}

    async def _ask(self, agent: Hired, value: Any) -> Outcome:
        call = AgentCall(agent.names[0], value, self._step.key, self._item)
        return await ask_mock(self._run, call, *agent.names)

    def _find(self, args: Mapping[str, Any]) -> Hired:
        agent = self._hired.get(str(args.get("id")))
        if agent is None:
            raise Refused("not_found", "This body deployed no such agent.")
        if agent.stopped:
            raise Refused("invalid", f"The agent {agent.names[0]} was stopped.")
        return agent

    async def _wait(self, args: Mapping[str, Any]) -> dict[str, Any]:
        agent = self._find(args)
        if agent.first is None:
            raise Refused("invalid", f"The agent {agent.names[0]} was not started with a call; invoke() it.")
        await asyncio.wait({agent.first})
        if agent.first.cancelled():
            raise Refused("invalid", f"The agent {agent.names[0]} was stopped.")
        return _told(agent.first.result())

    async def _invoke(self, args: Mapping[str, Any]) -> dict[str, Any]:
        return _told(await self._ask(self._find(args), args.get("input")))

    async def _stop(self, args: Mapping[str, Any]) -> None:
        agent = self._find(args)
        agent.stopped = True
        if agent.first is not None:
            agent.first.cancel()

    async def _logs(self, args: Mapping[str, Any]) -> list[str]:
        return []  # mocks write nothing

    async def _run_workflow(self, args: Mapping[str, Any]) -> dict[str, Any]:
        try:
            child = self._run.child(str(args["workflow"]), args.get("params") or {})
        except FlowAPIError as exc:
            raise Refused(exc.code, str(exc)) from None
        try:
            await child.drive()
        finally:
            self._run.children.discard(child)
        return {"id": child.id, "state": child.state, "output": child.output, "error": child.error}

    async def _secret(self, args: Mapping[str, Any]) -> str:
        name = str(args.get("name"))
        if name not in self._run.secrets:
            raise Refused("not_found", f"There is no secret {name} here; give it to the run: secrets={{…}}.")
        return self._run.secrets[name]


def _told(outcome: Outcome) -> dict[str, Any]:
    return {"output": outcome.output} if outcome.error is None else {"error": outcome.error}
