"""One run in this process: what its steps share, and its beginning and end.

Does not: know how a step of some type goes on (`graph` and its neighbours do), or which thread it is in.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agentainer_flow.errors import NotFound
from agentainer_flow.local.baton import Baton
from agentainer_flow.local.bodies import Bodies
from agentainer_flow.local.clock import Clock, seconds
from agentainer_flow.local.expressions import ExpressionError
from agentainer_flow.local.mocks import MockAgent, present
from agentainer_flow.local.params import filled
from agentainer_flow.local.planning import last_of
from agentainer_flow.local.records import Error, StepRecord, error_of
from agentainer_flow.local.scopes import Scope
from agentainer_flow.local.values import Values

if TYPE_CHECKING:
    from agentainer_flow.local.hiring import Errands

log = logging.getLogger("agentainer_flow.local")

MAX_CHILDREN = 20  # runs inside runs


@dataclass(frozen=True, slots=True)
class Definition:
    """A workflow as local runs take it. `cls`: the class it was compiled of."""

    document: Mapping[str, Any]
    cls: type | None = None


Library = Callable[[str], Definition | None]  # a workflow by its name


@dataclass(slots=True)
class Message:
    """Something that a person or a program sent to a run."""

    kind: str  # signal | decision
    name: str
    payload: Any


class Results:
    """The outputs of a map's completed items, in the order in which they came."""

    def __init__(self) -> None:
        self.outputs: list[Any] = []
        self._news = asyncio.Event()

    def add(self, output: Any) -> None:
        self.outputs.append(output)
        self.tell()

    def tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def more(self) -> None:
        await self._news.wait()


@dataclass
class LocalRun:
    """`settings` are shared with the runs that it starts. Made and driven on one event loop."""

    definition: Definition
    params: dict[str, Any]
    clock: Clock
    library: Library
    own_mocks: Sequence[MockAgent] = ()
    values: Values = field(default_factory=Values)
    secrets: Mapping[str, str] = field(default_factory=dict)
    depth: int = 0
    baton: Baton = field(default_factory=Baton)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: str = "pending"
    output: Any = None
    error: Error | None = None
    cancelled: bool = False

    def __post_init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.document = self.definition.document
        self.workflow = str(self.document["name"])
        self.bodies = Bodies(self.definition.cls)
        self.random = random.Random(0)
        self.steps: dict[str, StepRecord] = {}
        self.events: list[dict[str, Any]] = []
        self.logs: list[dict[str, Any]] = []
        self.messages: list[Message] = []
        self.look: Callable[[], None] = lambda: None  # the graph's: something has changed
        self.children: set[LocalRun] = set()
        self.on_event: Callable[[], None] = lambda: None
        self._news = asyncio.Event()
        self._results: dict[str, Results] = {}
        self._ends = 0
        self._expired = False

    def __hash__(self) -> int:
        return id(self)

    # --- what steps use --------------------------------------------------------------------------

    def mocks(self) -> Sequence[MockAgent]:
        return present(self.own_mocks)

    def errands(self, step: StepRecord, item: int | None) -> Errands:
        from agentainer_flow.local.hiring import Errands  # which knows how mocks are asked

        return Errands(self, step, item)

    def results_of(self, step: StepRecord) -> Results:
        return self._results.setdefault(step.key, Results())

    def log(self, step: str, item: int | None, stream: str, text: str) -> None:
        at = self.clock.moment().isoformat()
        entry = {"id": len(self.logs) + 1, "at": at, "step": step, "item": item, "stream": stream}
        self.logs.append({**entry, "text": text})
        log.info("%s: %s", step, text)

    def event(self, kind: str, **data: Any) -> None:
        at = self.clock.moment().isoformat()
        self.events.append({"seq": len(self.events) + 1, "type": kind, "at": at, "data": data})
        self.on_event()

    def next_end(self) -> int:
        """Of a step: its place among the ends of all."""
        self._ends += 1
        return self._ends

    def child(self, name: str, params: Mapping[str, Any]) -> LocalRun:
        """A run of another workflow. Raises NotFound and InvalidRequest."""
        found = self.library(name)
        if found is None:
            raise NotFound(
                404, "not_found", f"There is no workflow {name} here; give it to the run: workflows=[…]."
            )
        return self.child_of(found, params)

    def child_of(self, definition: Definition, params: Mapping[str, Any]) -> LocalRun:
        if self.depth >= MAX_CHILDREN:
            raise NotFound(
                404, "too_deep", f"Workflows start each other {MAX_CHILDREN} deep; cut the circle."
            )
        child = LocalRun(
            definition,
            filled(definition.document.get("params"), params),
            self.clock,
            self.library,
            self.own_mocks,
            secrets=self.secrets,
            depth=self.depth + 1,
            baton=self.baton,
        )
        self.children.add(child)
        return child

    # --- messages --------------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        self.messages.append(message)
        self.tell()
        self.clock.news()

    def tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def news(self) -> None:
        await self._news.wait()

    def take(self, kind: str, name: str) -> Message | None:
        for message in self.messages:
            if (message.kind, message.name) == (kind, name):
                self.messages.remove(message)
                return message
        return None

    def cancel(self) -> None:
        self.cancelled = True
        self.look()
        for child in self.children:
            child.cancel()

    # --- from beginning to end -------------------------------------------------------------------

    async def drive(self) -> None:
        """Returns when the run has ended: `state`, `output` and `error` tell how."""
        from agentainer_flow.local.graph import Graph  # which knows this module

        self._set("running")
        scope = Scope(self, self.steps)
        graph = Graph(self, self.document.get("steps", ()), self.steps, scope)
        self.look = graph.look
        deadline = asyncio.ensure_future(self._deadline())
        try:
            outcome: str = await graph.run()
        finally:
            deadline.cancel()
        self._finish(outcome, scope)

    async def _deadline(self) -> None:
        limit = self.document.get("timeout")
        if limit is not None:
            await self.clock.sleep(seconds(limit), skip=self.clock.alone)
            self._expired = True
            self.cancel()

    def _finish(self, outcome: str, scope: Scope) -> None:
        if self._expired and outcome != "completed":
            limit = seconds(self.document["timeout"])
            sentence = f"The run took longer than its time-out of {limit:g} s."
            outcome, self.error = "failed", {**error_of("timeout", sentence), "step": None}
        if outcome == "completed":
            try:
                self.output = scope.resolve(self._output())
            except ExpressionError as exc:
                outcome, self.error = "failed", {**error_of("bad_output", str(exc)), "step": None}
        if outcome == "failed" and self.error is None:
            self.error = first_error(self.steps.values())
        self._set(outcome)

    def _output(self) -> Any:
        given = self.document.get("output")
        return output_template(self.document.get("steps", ())) if given is None else given

    def _set(self, state: str) -> None:
        self.state = state
        self.event(f"run.{'started' if state == 'running' else state}", error=self.error)

    def as_dict(self) -> dict[str, Any]:
        """As the REST API shows a run."""
        times = {event["type"]: event["at"] for event in self.events if event["type"].startswith("run.")}
        ended = self.state in ("completed", "failed", "cancelled")
        return {
            "id": self.id,
            "workflow": self.workflow,
            "version": None,
            "state": self.state,
            "params": self.params,
            "output": self.output,
            "error": self.error,
            "created_at": times.get("run.started"),
            "started_at": times.get("run.started"),
            "finished_at": times.get(f"run.{self.state}") if ended else None,
        }


def first_error(records: Iterable[StepRecord]) -> Error:
    """Of the step that failed first, with its key."""
    first = min((one for one in records if one.state == "failed"), key=lambda one: one.ended)
    return {"traceback": None, **(first.error or {}), "step": first.key}


def output_template(steps: Iterable[Mapping[str, Any]]) -> Any:
    """The output of the only last step, or of each last step by its id."""
    outputs = {one: f'${{steps["{one}"].output}}' for one in last_of(steps)}
    return next(iter(outputs.values())) if len(outputs) == 1 else (outputs or None)


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
