"""What expressions may look at: params, the run, its state, and the steps that have ended.

Scopes stand inside each other: the steps of a loop see those around the loop, and their own before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from workflows.domain.expressions import compile_expression, compile_template, expressions_in
from workflows.domain.states import STEP_FINAL, StepState
from workflows.engine.loading import failed_items, map_outputs
from workflows.engine.records import StepRecord


class Values(Protocol):
    """Where a scope reads what is not in its records."""

    run: Any

    async def read(self, function: Any, *args: Any) -> Any: ...

    async def settled(self) -> None: ...

    async def value(self, stored: Any) -> Any: ...

    async def state_values(self) -> dict[str, Any]: ...


class Scope:
    """`records`: the steps of this graph by their ids. `extra`: more roots, such as `item` and `index`."""

    def __init__(
        self,
        values: Values,
        records: Mapping[str, StepRecord],
        parent: Scope | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self._values = values
        self._records = records
        self._parent = parent
        self._extra = dict(extra or {})

    async def resolve(self, template: Any) -> Any:
        """The template's value. Raises ExpressionError."""
        return compile_template(template)(await self.roots(template))

    async def roots(self, *templates: Any) -> dict[str, Any]:
        """The values that the expressions in `templates` name; maps' outputs come from the rows."""
        wanted: set[str] = set()
        names: set[str] = set()
        for template in templates:
            for _, source in expressions_in(template):
                expression = compile_expression(source)
                wanted |= expression.steps
                names |= expression.roots
        run = self._values.run
        found: dict[str, Any] = {
            "params": run.params,
            "steps": {key: await self._step(key) for key in wanted if self.find(key) is not None},
            "run": {"id": str(run.id), "workflow": run.workflow, "version": run.version},
            **self._extras(),
        }
        if "state" in names:
            found["state"] = await self._values.state_values()
        return found

    def find(self, key: str) -> StepRecord | None:
        """The step of that id in this graph, or in one around it."""
        record = self._records.get(key)
        if record is None and self._parent is not None:
            return self._parent.find(key)
        return record

    def _extras(self) -> dict[str, Any]:
        outer = self._parent._extras() if self._parent is not None else {}
        return {**outer, **self._extra}

    async def _step(self, key: str) -> dict[str, Any]:
        step, run = self.find(key), self._values.run
        assert step is not None
        output: Any = await self._values.value(step.output)
        failed: list[dict[str, Any]] = []
        if step.type in ("map", "mapreduce") and step.state in STEP_FINAL:
            await self._values.settled()
            failed = await self._values.read(failed_items, step.pk) if step.failed else []
            if step.collects and step.state is StepState.COMPLETED:
                output = await self._values.read(map_outputs, run.team_id, step.pk, step.total)
        return {"output": output, "state": str(step.state), "attempts": step.attempts, "failed": failed}
