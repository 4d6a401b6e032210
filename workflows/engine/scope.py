"""What expressions may look at: params, the run, its state, and the steps that have ended.

Scopes stand inside each other: the steps of a loop see those around the loop, and their own before them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from workflows.domain.artifacts import is_longer, is_ref, may_be_large, read_ref
from workflows.domain.expressions import (
    Expression,
    Resolver,
    compile_expression,
    compile_template,
    expressions_in,
    plain_path,
)
from workflows.domain.json_lists import NoList
from workflows.domain.states import STEP_FINAL, StepState
from workflows.domain.work import ExpressionError
from workflows.engine.loading import each_map_output, failed_items, map_outputs
from workflows.engine.records import StepRecord
from workflows.selectors.artifacts import elements_of

MOST_VALUES = 64 * 1024 * 1024  # as much as an agent's answer may hold bytes


@dataclass(frozen=True, slots=True)
class Elements(Iterable[Any]):
    """A list that is read while it is gone over, from rows or an artifact, each time anew.

    Away from the loop. Raises NoList when there is none, and what reading an artifact does.
    """

    read: Callable[[], Iterator[Any]]

    def __iter__(self) -> Iterator[Any]:
        return self.read()


class Values(Protocol):
    """Where a scope reads what is not in its records."""

    run: Any

    async def read(self, function: Any, *args: Any) -> Any: ...

    async def settled(self) -> None: ...

    async def value(self, stored: Any) -> Any: ...

    async def keep(self, value: Any) -> Any: ...

    async def keep_list(self, elements: Iterable[Any]) -> Any: ...

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
        compute, roots = compile_template(template), await self.roots(template)
        if plain_path(template) is not None or not may_be_large(roots):
            return compute(roots)
        return await self._values.read(_computed, compute, roots)

    async def roots(self, *templates: Any) -> dict[str, Any]:
        """The values that the expressions in `templates` name; maps' outputs come from the rows."""
        used = [
            compile_expression(source) for template in templates for _, source in expressions_in(template)
        ]
        wanted = {key for expression in used for key in expression.steps if self.find(key) is not None}
        run = self._values.run
        found: dict[str, Any] = {
            "params": run.params,
            "steps": {key: await self._step(key, used) for key in wanted},
            "run": {"id": str(run.id), "workflow": run.workflow, "version": run.version},
            **self._extras(),
        }
        if any("state" in expression.roots for expression in used):
            found["state"] = await self._values.state_values()
        return found

    async def kept(self, template: Any) -> Any:
        """What a column holds for the template's value; nothing is read of what is large already. Raises
        ExpressionError."""
        if (stored := self.reference(template)) is not None:
            return stored
        if (elements := self.elements(template)) is not None:
            await self._values.settled()
            with suppress(NoList):
                return await self._values.keep_list(elements)
        return await self._values.keep(await self.resolve(template))

    def reference(self, template: Any) -> Any:
        """What the column of a step's output holds, when the template gives that output and it is large."""
        match plain_path(template):
            case ("steps", str(key), "output") if (step := self.find(key)) is not None:
                return step.output if is_ref(step.output) else None
        return None

    def find(self, key: str) -> StepRecord | None:
        """The step of that id in this graph, or in one around it."""
        record = self._records.get(key)
        if record is None and self._parent is not None:
            return self._parent.find(key)
        return record

    def _extras(self) -> dict[str, Any]:
        outer = self._parent._extras() if self._parent is not None else {}
        return {**outer, **self._extra}

    def elements(self, template: Any) -> Elements | None:
        """The list that a plain path names, when it lies in rows or an artifact."""
        match plain_path(template):
            case ("steps", str(key), "output", *rest) if (step := self.find(key)) is not None:
                team_id = self._values.run.team_id
                if step.collects and step.state is StepState.COMPLETED and not rest:
                    return Elements(partial(each_map_output, team_id, step.pk, step.total))
                if (ref := read_ref(step.output)) is not None:
                    return Elements(partial(elements_of, team_id, ref.sha256, tuple(rest)))
        return None

    async def _step(self, key: str, used: list[Expression]) -> dict[str, Any]:
        """What expressions see of a step; large parts that none of `used` looks at are left out."""
        step, run = self.find(key), self._values.run
        assert step is not None
        output, failed = None, []
        ended_map = step.type in ("map", "mapreduce") and step.state in STEP_FINAL
        if ended_map:
            await self._values.settled()
        if any(expression.reads(key, "output") for expression in used):
            if step.collects and step.state is StepState.COMPLETED:
                output = await self._values.read(map_outputs, run.team_id, step.pk, step.total)
            else:
                output = await self._values.value(step.output)
        if ended_map and step.failed and any(expression.reads(key, "failed") for expression in used):
            failed = await self._values.read(failed_items, step.pk)
        return {"output": output, "state": str(step.state), "attempts": step.attempts, "failed": failed}


def _computed(compute: Resolver, roots: dict[str, Any]) -> Any:
    value = compute(roots)
    # Many expressions may name one large value; the whole is as long as all of them together.
    if is_longer(value, MOST_VALUES):
        raise ExpressionError(f"this comes to more than {MOST_VALUES} values and characters; pass less on")
    return value
