"""How steps of each type but maps go on, from queued to their end. Cancelling `run` stops the step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agentainer_flow.errors import FlowAPIError
from agentainer_flow.local.calls import RESULTS, Caller, Outcome, retry_of
from agentainer_flow.local.clock import seconds
from agentainer_flow.local.expressions import ExpressionError
from agentainer_flow.local.graph import Graph
from agentainer_flow.local.mapping import MapBody
from agentainer_flow.local.params import faults_of
from agentainer_flow.local.records import StepRecord, error_of
from agentainer_flow.local.run import Message, first_error, iso, output_template
from agentainer_flow.local.scopes import Scope

if TYPE_CHECKING:
    from agentainer_flow.local.run import LocalRun


class StepBody(ABC):
    """What all have. `graph` sets states."""

    def __init__(
        self, run: LocalRun, graph: Graph, step: Mapping[str, Any], record: StepRecord, scope: Scope
    ) -> None:
        self.run_ = run
        self.graph = graph
        self.step = step
        self.record = record
        self.scope = scope

    @abstractmethod
    async def run(self) -> None:
        """Returns when the step has ended. Raises ExpressionError."""

    def settle(self, outcome: Outcome) -> None:
        if outcome.error is None:
            self.graph.complete(self.record, outcome.output)
        else:
            self.graph.fail(self.record, outcome.error)

    def on_change(self, state: str) -> None:
        self.graph.begin(self.record, state)


def body_of(
    run: LocalRun, graph: Graph, step: Mapping[str, Any], record: StepRecord, scope: Scope
) -> StepBody | MapBody:
    if step["type"] in ("map", "mapreduce"):
        return MapBody(run, graph, step, record, scope)
    return _KINDS[step["type"]](run, graph, step, record, scope)


class Single(StepBody):
    """`task` and `reduce`."""

    async def run(self) -> None:
        source = self._source()
        value = self._input(source)
        self.record.input = value
        caller = Caller(self.run_, self.record, self.step, self.step["run"], source)
        self.settle(await caller.until_done(value, self.on_change))

    def _source(self) -> StepRecord | None:
        if not self.step.get("streaming"):
            return None
        found = (self.scope.find(need) for need in self.step["needs"])
        return next(one for one in found if one is not None and one.type == "map")

    def _input(self, source: StepRecord | None) -> Any:
        template = self.step.get("input")
        if source is not None:
            return self.scope.resolve(template or {})
        if template is None and self.step["type"] == "reduce":
            template = {RESULTS: f'${{steps["{self.step["needs"][0]}"].output}}'}
        return self.scope.resolve(template)


class BranchBody(StepBody):
    async def run(self) -> None:
        self.record.attempts = 1
        for number, case in enumerate(self.step["cases"]):
            if self.scope.holds(case["when"]):
                self.graph.complete(self.record, {"case": number, "chosen": list(case["then"])})
                return
        self.graph.complete(self.record, {"case": None, "chosen": list(self.step.get("else", ()))})


class LoopBody(StepBody):
    async def run(self) -> None:
        record, most = self.record, self.step.get("max_iterations", 100)
        item = record.input = self.scope.resolve(self.step.get("input"))
        record.attempts = 1
        self.graph.begin(record)
        for number in range(most):
            inside: dict[str, StepRecord] = {}
            scope = Scope(self.run_, inside, self.scope, {"item": item, "index": number})
            prefix = f"{record.key}.{number}."
            graph = Graph(self.run_, self.step["steps"], inside, scope, prefix)
            try:
                outcome = await graph.run()
            finally:
                await graph.close()
                self.run_.steps.update({one.key: one for one in inside.values()})
            if outcome != "completed":
                self._failed(inside, number, outcome)
                return
            item = record.output = scope.resolve(output_template(self.step["steps"]))
            if scope.holds(self.step["until"]):
                self.graph.complete(record, item)
                return
        sentence = f"The condition did not hold after {most} iterations."
        self.graph.fail(record, error_of("max_iterations", sentence))

    def _failed(self, inside: Mapping[str, StepRecord], number: int, outcome: str) -> None:
        if outcome == "cancelled":
            self.graph.end(self.record, "cancelled")
            return
        error = first_error(inside.values())
        sentence = f"Step {error['step']} failed in iteration {number + 1}: {error.get('message', '')}"
        self.graph.fail(self.record, error_of(error.get("type", "step_failed"), sentence))


class ChildBody(StepBody):
    """A sub-workflow: one run for each attempt."""

    async def run(self) -> None:
        record, run = self.record, self.run_
        retry = retry_of(run, self.step)
        while True:
            params = self.scope.resolve(self.step.get("params") or {})
            if not isinstance(params, dict):
                raise ExpressionError(f"params must give an object; here it gave {type(params).__name__}")
            record.input = params
            record.attempts += 1
            self.graph.begin(record)
            error = await self._attempt(params)
            if error is None:
                return
            record.error = error
            if not retry.again(record.attempts, error):
                self.graph.fail(record, error)
                return
            self.graph.begin(record, "queued")
            await run.clock.sleep(retry.wait(record.attempts + 1, run.random.random()))

    async def _attempt(self, params: dict[str, Any]) -> dict[str, Any] | None:
        run, limit = self.run_, self.step.get("timeout")
        try:
            child = run.child(self.step["workflow"], params)
        except FlowAPIError as exc:
            return error_of(exc.code, str(exc))
        self.record.progress = {"run": child.id}
        try:
            await run.clock.within(
                None if limit is None else seconds(limit), child.drive(), skip=run.clock.alone
            )
        except TimeoutError:
            child.state, child.error = "failed", error_of("timeout", "It took longer than its time-out.")
        finally:
            run.children.discard(child)
        if child.state == "completed":
            self.graph.complete(self.record, child.output)
            return None
        reason = f": {child.error['message']}" if child.error else "."
        return error_of(f"run_{child.state}", f"Run {child.id} of the sub-workflow is {child.state}{reason}")


class Waiting(StepBody):
    """For a time, an event or a person: `kind` and `name` of the message that it waits for."""

    kind = "signal"

    async def run(self) -> None:
        self.record.attempts += 1
        due, name = self.prepare()
        self.graph.begin(self.record, "waiting")
        # Nobody can come for a wait alone, so its time may be skipped.
        while True:
            message = None if name is None else self.run_.take(self.kind, name)
            if message is not None:
                if self.came(message):
                    return
                continue
            if due is not None and due <= self.run_.clock.now():
                self.time_is_up()
                return
            try:
                left = None if due is None else due - self.run_.clock.now()
                skip = name is None or self.run_.clock.alone
                await self.run_.clock.within(left, self.run_.news(), skip=skip)
            except TimeoutError:
                pass

    @abstractmethod
    def prepare(self) -> tuple[float | None, str | None]:
        """When its time is up (seconds since 1970), and the message's name. Raises ExpressionError."""

    def came(self, message: Message) -> bool:
        """Whether the step has ended by it."""
        self.graph.complete(self.record, message.payload)
        return True

    @abstractmethod
    def time_is_up(self) -> None: ...

    def after(self, duration: Any) -> float | None:
        try:
            return None if duration is None else self.run_.clock.now() + seconds(duration)
        except ValueError as exc:
            raise ExpressionError(f"duration: {exc}") from exc


class WaitBody(Waiting):
    def prepare(self) -> tuple[float | None, str | None]:
        step = self.step
        if step.get("event") is not None:
            name = str(self.scope.resolve(step["event"]))
            self.record.input = {"event": name}
            return self.after(step.get("timeout")), name
        if step.get("until") is not None:
            return _moment(self.scope.resolve(step["until"])), None
        return self.after(self.scope.resolve(step["duration"])), None

    def time_is_up(self) -> None:
        if self.step.get("event") is None:
            self.graph.complete(self.record, {"at": iso(self.run_.clock.now())})
            return
        sentence = f"The event {self.record.input['event']} did not come in time."
        self.graph.fail(self.record, error_of("timeout", sentence))


class ApprovalBody(Waiting):
    kind = "decision"

    def prepare(self) -> tuple[float | None, str | None]:
        prompt = self.scope.resolve(self.step.get("prompt", ""))
        self.record.input = {"prompt": str(prompt), "form": self.step.get("form")}
        return self.after(self.step.get("timeout")), self.record.key

    def came(self, message: Message) -> bool:
        decision = {**message.payload, "at": iso(self.run_.clock.now())}
        self._decided(decision, f"{decision['by']} rejected it")
        return True

    def time_is_up(self) -> None:
        approved = self.step.get("on_timeout") == "approve"
        decision = {"approved": approved, "by": None, "at": iso(self.run_.clock.now()), "data": None}
        self._decided(decision, "Nobody decided in time")

    def _decided(self, decision: dict[str, Any], rejection: str) -> None:
        if decision["approved"] or self.step.get("on_reject") == "continue":
            self.graph.complete(self.record, decision)
            return
        self.record.output = decision
        self.graph.fail(self.record, error_of("rejected", f"{rejection}."))


def form_faults(step: Mapping[str, Any], data: Any) -> list[Any]:
    """What a decision's data lacks for the approval's form."""
    form = step.get("form")
    return [] if form is None else list(faults_of(form, data, "data"))


def _moment(value: Any) -> float:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ExpressionError(f"until: {str(value)[:80]!r} is no time such as 2027-01-31T09:00:00Z") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


_KINDS: dict[str, type[StepBody]] = {
    "task": Single,
    "reduce": Single,
    "branch": BranchBody,
    "loop": LoopBody,
    "workflow": ChildBody,
    "wait": WaitBody,
    "approval": ApprovalBody,
}
