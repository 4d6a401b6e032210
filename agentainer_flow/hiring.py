"""What a body has others do for it: agents that it deploys, workflows that it runs, secrets of its team.

While a body waits for one of these, its own agent may serve others. In sync code every call returns its
value; where an event loop runs it returns something to await.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agentainer_flow.errors import AgentFailed, DefinitionError
from agentainer_flow.outcomes import output_of

Ask = Callable[[str, dict[str, Any]], Any]  # op, args -> result, or something to await
_MEMORY = re.compile(r"^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?$", re.IGNORECASE)
_CPU = re.compile(r"^(\d+(?:\.\d+)?)(m?)$")


@dataclass(frozen=True, slots=True)
class ParallelContext:
    """Where a parallel step's body stands: `index` from 0, of `total` items; `item` is its own."""

    index: int
    total: int
    item: Any


class Agent:
    """A deployed agent. Its container, or its lease, is there while it works; `name` is for people."""

    __slots__ = ("_ask", "id", "name")

    def __init__(self, ask: Ask, told: Mapping[str, Any]) -> None:
        self._ask = ask
        self.id: str = str(told["id"])
        self.name: str = str(told["name"])

    def wait(self) -> Any:
        """The output of the call that began when it was deployed. Raises AgentFailed."""
        return then(self._ask("agent.wait", {"id": self.id}), self._output)

    wait_for_completion = wait

    def invoke(self, value: Any = None, *, code: str | None = None) -> Any:
        """Asks it with another input; its output. `code` is Python with a `main`, for the built-in agent.

        Raises AgentFailed.
        """
        asked = {"id": self.id, "input": value, **({} if code is None else {"code": code})}
        return then(self._ask("agent.invoke", asked), self._output)

    def stop(self) -> Any:
        """Its calls end; it can be asked no more."""
        return self._ask("agent.stop", {"id": self.id})

    def logs(self) -> Any:
        """The lines that it wrote so far, as a list."""
        return self._ask("agent.logs", {"id": self.id})

    def _output(self, told: Mapping[str, Any]) -> Any:
        error = told.get("error")
        if error is not None:
            kind, message = str(error.get("type") or "error"), str(error.get("message") or "")
            raise AgentFailed(self.name, kind, message, error.get("traceback"))
        return told.get("output")

    def __repr__(self) -> str:
        return f"Agent({self.name!r})"


class Secrets:
    """Of the team, by name. Their values are never part of a document or of a run's record."""

    __slots__ = ("_ask",)

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def get(self, name: str) -> Any:
        """The value (text). Raises NotFound."""
        return self._ask("secrets.get", {"name": name})

    __getitem__ = get


def deploy(
    ask: Ask,
    mode: str,
    given: Any,
    image: str | None,
    name: str | None,
    env: Mapping[str, Any] | None,
    cpu_limit: float | str | None,
    memory_limit: int | str | None,
    start: bool,
) -> Any:
    """`mode`: "standard" | "pooled"; `given`: the input that the agent begins with."""
    args = {
        "image": image,
        "name": name,
        "env": {key: str(value) for key, value in (env or {}).items()},
        "cpu": None if cpu_limit is None else cpus(cpu_limit),
        "memory": None if memory_limit is None else memory_bytes(memory_limit),
        "mode": mode,
        "start": start,
        "input": given,
    }
    return then(ask("agent.deploy", args), lambda told: Agent(ask, told))


def run_workflow(
    ask: Ask, workflow: str | type, params: Mapping[str, Any] | None, version: int | None
) -> Any:
    name = workflow
    if isinstance(workflow, type):
        from agentainer_flow.sdk.definition import definition_of  # agents need it here alone

        name = definition_of(workflow).name
    asked = {"workflow": name, "params": dict(params or {}), "version": version}
    return then(ask("workflow.run", asked), output_of)


def then(result: Any, convert: Callable[[Any], Any]) -> Any:
    """The result converted, now or when it is awaited."""
    return _later(result, convert) if inspect.isawaitable(result) else convert(result)


async def _later(result: Awaitable[Any], convert: Callable[[Any], Any]) -> Any:
    return convert(await result)


def cpus(value: float | str, where: str = "cpu_limit") -> float:
    """0.5, "0.5" or "500m". Raises DefinitionError."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    match = _CPU.match(value.strip()) if isinstance(value, str) else None
    if match is None or float(match[1]) <= 0:
        raise DefinitionError(f'{where} is a number of CPUs such as 0.5 or "500m", not {value!r}.')
    return float(match[1]) / (1000 if match[2] else 1)


def memory_bytes(value: int | str, where: str = "memory_limit") -> int:
    """Bytes, "512M", "1Gi". Raises DefinitionError."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _MEMORY.match(value.strip()) if isinstance(value, str) else None
    if match is None or float(match[1]) <= 0:
        raise DefinitionError(f'{where} is in bytes, or such as "512M" or "1Gi", not {value!r}.')
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** " kmgt".index(match[2].lower() or " "))
