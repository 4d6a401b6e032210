"""Loops: the same steps again and again, each iteration with rows of its own, until a condition holds."""

from __future__ import annotations

from typing import Any

from pools.facade.contracts import AgentError
from workflows.domain.graph import needs_of
from workflows.domain.outputs import output_template
from workflows.domain.states import RunState, StepState
from workflows.domain.steps import LoopStep
from workflows.domain.work import ExpressionError
from workflows.engine.bodies.base import Body
from workflows.engine.bodies.choosing import holds
from workflows.engine.context import RunContext
from workflows.engine.loading import collects
from workflows.engine.records import StepRecord
from workflows.engine.scope import Scope
from workflows.services.journal import add_steps
from workflows.services.step_pools import first_pool_name


class LoopRun(Body):
    """`record.completed` counts the iterations that ended; `record.output` is what the last of them gave."""

    definition: LoopStep

    def __init__(
        self, context: RunContext, step: LoopStep, record: StepRecord, scope: Scope, graph: Any
    ) -> None:
        super().__init__(context, step, record, scope)
        self._make_graph = graph  # workflows.engine.graphs.Graph, which knows this module
        self._graph: Any = None

    async def run(self) -> None:
        record = self.record
        try:
            if record.state is StepState.QUEUED:
                record.input = await self.scope.kept(self.definition.input)
                record.attempts = 1
                self.begin(StepState.RUNNING, "step.started")
            while record.completed < self.definition.max_iterations:
                if await self._iteration(record.completed):
                    return
        except ExpressionError as exc:
            self.fail(AgentError("bad_input", str(exc)))
            return
        sentence = f"The condition did not hold after {self.definition.max_iterations} iterations."
        self.fail(AgentError("max_iterations", sentence))

    async def _iteration(self, number: int) -> bool:
        """Whether the loop has ended with it."""
        record = self.record
        prefix = f"{record.key}.{number}."
        records = await self._records(prefix)
        item = await self.context.value(record.input if number == 0 else record.output)
        scope = Scope(self.context, records, self.scope, {"item": item, "index": number})
        self._graph = self._make_graph(self.context, self.definition.steps, records, scope)
        outcome = await self._graph.run()
        if outcome is not RunState.COMPLETED:
            failed = next(r for r in records.values() if r.state is StepState.FAILED)
            reason = (failed.error or {}).get("message", "")
            sentence = f"Step {failed.key} failed in iteration {number + 1}: {reason}"
            self.fail(AgentError((failed.error or {}).get("type", "step_failed"), sentence))
            return True
        output = await scope.kept(output_template(self.definition.steps))
        done = await holds(scope, self.definition.until)
        record.output = output
        record.completed = number + 1
        record.total = record.completed
        self._graph = None
        if done:
            self.complete(output)
        else:
            self.context.book.step_changed(record, "step.iterated")
        await self.context.book.settled()
        self.context.forget(step.key for step in records.values())
        return done

    async def _records(self, prefix: str) -> dict[str, StepRecord]:
        """The iteration's steps by their ids: those that are held already, and new rows for the others."""
        run, document = self.context.run, self.context.run.document
        needs = needs_of(self.definition.steps)
        missing = [step for step in self.definition.steps if prefix + step.id not in run.steps]
        rows = [
            {
                "key": prefix + step.id,
                "type": step.type,
                "position": self.record.position,
                "pool": first_pool_name(document, step),
            }
            for step in missing
        ]
        if rows:
            ids = await self.context.read(add_steps, run.id, run.fence, rows)
            for step, row in zip(missing, rows, strict=True):
                key = prefix + step.id
                run.steps[key] = StepRecord(
                    pk=ids[key],
                    key=key,
                    type=step.type,
                    position=self.record.position,
                    pool=str(row["pool"]),
                    needs=needs[step.id],
                    collects=collects(step),
                )
        return {step.id: run.steps[prefix + step.id] for step in self.definition.steps}

    async def close(self) -> None:
        """The iteration under way ends with the loop."""
        if self._graph is None and self.record.state is StepState.RUNNING:
            prefix = f"{self.record.key}.{self.record.completed}."
            records = {
                step.id: self.context.run.steps[prefix + step.id]
                for step in self.definition.steps
                if prefix + step.id in self.context.run.steps
            }
            if len(records) == len(self.definition.steps):
                self._graph = self._make_graph(self.context, self.definition.steps, records, self.scope)
        if self._graph is not None:
            await self._graph.close()
