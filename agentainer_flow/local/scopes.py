"""What expressions may look at: params, the run, its state, and the steps that have ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentainer_flow.local.expressions import ExpressionError, resolve, steps_in
from agentainer_flow.local.records import StepRecord

if TYPE_CHECKING:
    from agentainer_flow.local.run import LocalRun


class Scope:
    """`records`: the steps of this graph by their ids. `extra`: more roots, such as `item` and `index`."""

    def __init__(
        self,
        run: LocalRun,
        records: Mapping[str, StepRecord],
        parent: Scope | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self._run = run
        self._records = records
        self._parent = parent
        outer: dict[str, Any] = parent._extra if parent is not None else {}
        self._extra: dict[str, Any] = {**outer, **(extra or {})}

    def resolve(self, template: Any, **more: Any) -> Any:
        """The template's value. Raises ExpressionError."""
        return resolve(template, {**self.roots(template), **more})

    def roots(self, *templates: Any) -> dict[str, Any]:
        """The values that the expressions in `templates` may name."""
        run = self._run
        records = {name: self.find(name) for name in steps_in(*templates)}
        return {
            "params": run.params,
            "steps": {name: _seen(record) for name, record in records.items() if record is not None},
            "run": {"id": run.id, "workflow": run.workflow, "version": 0},
            "state": run.values.all(),
            **self._extra,
        }

    def find(self, step_id: str) -> StepRecord | None:
        """The step of that id in this graph, or in one around it."""
        record = self._records.get(step_id)
        if record is None and self._parent is not None:
            return self._parent.find(step_id)
        return record

    def holds(self, condition: str | bool) -> bool:
        """Raises ExpressionError, also when it is neither true nor false."""
        value = self.resolve(condition)
        if not isinstance(value, bool):
            raise ExpressionError(f"{condition} must give true or false; here it gave {str(value)[:80]!r}")
        return value


def _seen(record: StepRecord) -> dict[str, Any]:
    return {
        "output": record.output,
        "state": record.state,
        "attempts": record.attempts,
        "failed": record.failures,
    }
