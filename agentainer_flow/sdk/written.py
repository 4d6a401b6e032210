"""Steps as a workflow document has them, as attributes of a class: for code that is no method, and for
workflows that were drawn or written elsewhere (`aflow workflow export --python`).

    count = document_step("map", over="${steps.files.output}", run={"code": COUNT}, input={"path": "${item}"})

Fields are the document's, word for word; only the names of fields are checked here. `depends_on`, `when`,
`always_run` and `compensate` are those of every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk import options
from agentainer_flow.sdk.bodiless import Steps
from agentainer_flow.sdk.parts import Fields, Find, Part, StepLike, reference, references

_CALLING = ("input", "pool", "timeout", "total_timeout", "retry", "error_strategy")
_ITEMS = (*_CALLING, "over", "as", "max_parallel", "batch_size", "min_success_rate")
FIELDS: dict[str, tuple[str, ...]] = {
    "task": (*_CALLING, "run"),
    "map": (*_ITEMS, "run"),
    "reduce": (*_CALLING, "run", "streaming"),
    "mapreduce": (*_ITEMS, "mapper", "reducer"),
    "loop": ("steps", "until", "max_iterations", "input"),
    "workflow": ("workflow", "version", "params", "timeout", "retry"),
    "approval": ("prompt", "form", "approvers", "timeout", "on_timeout", "on_reject"),
    "wait": ("duration", "until", "event", "timeout"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Written(Part):
    """`fields`: as the document has them. Made by `document_step`."""

    fields: Mapping[str, Any]
    title: str | None = None

    def own_fields(self, find: Find) -> Fields:
        named: Fields = {} if self.title is None else {"name": self.title}
        return {**named, **self.fields}

    def inside(self) -> Iterator[str]:
        """The ids of the steps inside a loop, of loops in it too."""
        waiting = list(self.fields.get("steps") or ())
        while waiting:
            step = waiting.pop()
            yield str(step.get("id"))
            waiting += step.get("steps") or ()


def _kind(step_type: str) -> type[Written]:
    return type("Of", (Written,), {"step_type": step_type})


_KINDS: dict[str, type[Written]] = {one: _kind(one) for one in FIELDS}


def document_step(
    step_type: str,
    /,
    *,
    id: str | None = None,  # noqa: A002 - the document's word
    name: str | None = None,
    depends_on: Steps | None = None,
    when: str | bool | None = None,
    always_run: bool = False,
    compensate: StepLike | None = None,
    **fields: Any,
) -> Written:
    """`step_type`: task, map, reduce, mapreduce, loop, workflow, approval or wait (branches: `branch`).

    `id`: left out, the attribute's name. `name`: for people. Raises DefinitionError.
    """
    where = "document_step(…)"
    options.choice(where, "step_type", step_type, FIELDS)
    where = f"document_step({step_type!r}, …)"
    options.refuse_unknown(where, set(fields) - set(FIELDS[step_type]), FIELDS[step_type])
    if when is not None and not isinstance(when, str | bool):
        raise DefinitionError(f"{where}: when must be an expression in ${{}}, not {when!r}.")
    return _KINDS[step_type](
        id=None if id is None else options.text(where, "id", id),
        title=None if name is None else options.text(where, "name", name),
        depends_on=None if depends_on is None else references(where, "depends_on", depends_on),
        when=when,
        always_run=options.flag(where, "always_run", always_run),
        compensate=None if compensate is None else reference(where, "compensate", compensate),
        fields=options.json_value(where, "a field", fields),
    )
