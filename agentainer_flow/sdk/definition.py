"""A workflow class, compiled to the workflow document. Everything that can be wrong is told at decoration.

Does not: know where the class's modules go; `bundling` packs them, `compile_workflow` names them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk.bundling import Bundle, make_bundle
from agentainer_flow.sdk.graph import Graph, Names, graphs_of
from agentainer_flow.sdk.groups import Group
from agentainer_flow.sdk.inputs import output_of
from agentainer_flow.sdk.mapreducing import MapReduce
from agentainer_flow.sdk.options import RetryPolicy
from agentainer_flow.sdk.parts import Case, Part, without_none
from agentainer_flow.sdk.runnable import Runnable
from agentainer_flow.sdk.sourcing import is_relative
from agentainer_flow.sdk.steps import MARK as STEP_MARK
from agentainer_flow.sdk.steps import Step
from agentainer_flow.sdk.writing import Writer

C = TypeVar("C", bound=type)
MARK = "__agentainer_workflow__"  # the attribute of a class that holds its Workflow
API_VERSION = "agentainer.flow/v1"
ITEMS_SUFFIX = "_items"  # of the step that lists the items of a method under @mapreduce
_STEP_ID = re.compile(r"\A[A-Za-z_][A-Za-z0-9_-]{0,62}\Z")
_GIVEN = ("run_local", "to_document")  # methods that each workflow's class gets
LAST = object()  # the output of the last step
_NO_BUNDLE = Bundle("module", b"", "0" * 64)


@dataclass(frozen=True)
class Workflow:
    """`steps`: attribute of the class -> step, in the order of definition, those inside loops too. `params`:
    JSON Schema."""

    cls: type
    name: str
    description: str
    params: dict[str, Any] | None
    max_parallel: int | None
    retry_policy: RetryPolicy | None
    steps: dict[str, Part]
    timeout: str | float | None = None
    failure_strategy: str | None = None
    priority: int | None = None
    max_concurrent_runs: int | None = None
    scaling: dict[str, Any] | None = None
    triggers: list[dict[str, Any]] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    layout: Mapping[str, Any] = field(default_factory=dict)
    output: Any = LAST
    requirements: tuple[str, ...] = ()

    @cached_property
    def ids(self) -> dict[str, str]:
        """Attribute -> step id: the step's name where that can be an id, else the attribute."""
        ids: dict[str, str] = {}
        for attribute, step in self.steps.items():
            if attribute in _GIVEN:
                raise DefinitionError(
                    f"step {attribute}: @workflow gives the class a {attribute} itself; call yours otherwise."
                )
            step_id = step.id or (step.name if step.name and _STEP_ID.match(step.name) else attribute)
            ids[attribute] = step_id
            for lead in step.lead:
                ids[lead] = step_id + lead.removeprefix(attribute)
        taken: set[str] = set()
        for attribute, step_id in ids.items():
            if not _STEP_ID.match(step_id):
                raise DefinitionError(f"step {attribute}: {step_id!r} cannot name a step; give it name=….")
            if step_id in taken:
                raise DefinitionError(f"step {attribute}: another step is called {step_id} too; rename one.")
            taken.add(step_id)
        return ids

    @property
    def files(self) -> tuple[str, ...]:
        """Paths that its sources name among the files of its module, which agents must have."""
        sources = (part.source for part in self.steps.values() if isinstance(part, MapReduce) and part.source)
        return tuple(one["source"] for one in sources if is_relative(one["source"]))

    @cached_property
    def names(self) -> Names:
        parts = {self.ids[attribute]: step for attribute, step in self.steps.items()}
        return Names(parts, {step_id: attribute for attribute, step_id in self.ids.items()})

    @cached_property
    def graphs(self) -> tuple[Graph, dict[str, Graph]]:
        """The graph of the class, and that inside each loop by the loop's id."""
        return graphs_of(self.names)

    @property
    def needs(self) -> Mapping[str, list[str]]:
        """Step id -> ids of the steps it waits for, without those inside loops."""
        return self.graphs[0].needs

    def check(self) -> None:
        """Raises DefinitionError for whatever is wrong."""
        self.document(_NO_BUNDLE)

    def document(self, bundle: Bundle) -> dict[str, Any]:
        """The workflow document; the steps' code is in `bundle`."""
        retry = {} if self.retry_policy is None else {"retry": self.retry_policy.as_document()}
        own, graphs = self.graphs
        writer = Writer(self.cls, self.name, self.names, graphs, self.params, bundle, self.requirements)
        settings = {
            "description": self.description or None,
            "params": self.params,
            "defaults": {**self.defaults, **retry} or None,
            "max_parallel": self.max_parallel,
            "timeout": self.timeout,
            "failure_strategy": self.failure_strategy,
            "priority": self.priority,
            "max_concurrent_runs": self.max_concurrent_runs,
            "scaling": self.scaling,
            "triggers": self.triggers,
            "layout": dict(self.layout) or None,
            "output": self._output(own.last()) if self.output is LAST else self.output,
        }
        return {
            "apiVersion": API_VERSION,
            "name": self.name,
            "steps": writer.steps(own),
            **without_none(settings),
        }

    def _output(self, last: list[str]) -> Any:
        """The output of the last step; of several last ones, each under its id."""
        if len(last) == 1:
            return output_of(last[0])
        return {step_id: output_of(step_id) for step_id in last}


def attach(cls: C, workflow: Workflow) -> C:
    """Checks the workflow and makes it known to its class."""
    workflow.check()
    setattr(cls, MARK, workflow)
    for name in _GIVEN:
        setattr(cls, name, vars(Runnable)[name])
    return cls


def definition_of(cls: type) -> Workflow:
    """Raises DefinitionError for a class without `@workflow`."""
    workflow = vars(cls).get(MARK) if inspect.isclass(cls) else None
    if not isinstance(workflow, Workflow):
        raise DefinitionError(
            f"{getattr(cls, '__name__', cls)!r} is not a workflow; put @workflow on the class."
        )
    return workflow


def compile_workflow(cls: type, bundle: Bundle | None = None) -> dict[str, Any]:
    """The workflow document of a class; `bundle` is made of the class's module when it is not given.

    Raises DefinitionError, and BundleError when the module cannot be packed.
    """
    workflow = definition_of(cls)
    return workflow.document(bundle or make_bundle(cls))


# --- out of a class ---------------------------------------------------------------------------------------


def parts_of(cls: type) -> dict[str, Part]:
    """Attribute -> step, in the order of definition; those of base classes first. A method under
    `@mapreduce` is two of them."""
    written: dict[str, Part] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            part = _part_of(name, value)
            if part is not None:
                written[name] = part
            elif name in written:
                del written[name]  # a subclass put something else in its place
    found: dict[str, Part] = {}
    for name, part in written.items():
        for own, one in _expanded(name, part).items():
            if own != name and own in written:
                raise DefinitionError(f"step {name}: it makes a step {own}, too; rename the other one.")
            found[own] = one
    if not found:
        raise DefinitionError(f"@workflow on {cls.__name__}: mark at least one method with @step.")
    return found


def _part_of(name: str, value: Any) -> Part | None:
    if isinstance(value, Part):
        if isinstance(value, MapReduce) and value.over is None and value.source is None:
            sentence = "mapreduce(…) needs over=… or source=…, unless it decorates a method."
            raise DefinitionError(f"step {name}: {sentence}")
        if isinstance(value, MapReduce) and value.mapper is None:
            raise DefinitionError(f"step {name}: mapreduce(…) needs mapper=….")
        return value
    if isinstance(value, Case):
        raise DefinitionError(f"{name}: case(…) goes inside branch([…]).")
    wrapped = isinstance(value, staticmethod | classmethod)
    step = getattr(value.__func__ if wrapped else value, STEP_MARK, None)
    if wrapped and step is not None:
        raise DefinitionError(f"step {name}: @step goes on a plain method, def {name}(self, ctx).")
    return step if isinstance(step, Step) and step.works_for is None else None


def _expanded(name: str, part: Part) -> dict[str, Part]:
    if isinstance(part, Group):
        return part.expanded(name)
    if not isinstance(part, Step) or not isinstance(part.then, MapReduce):
        return {name: part}
    items = name + ITEMS_SUFFIX
    # Where the items were not listed nothing is left to do, which only a step that always runs must be told.
    when = part.when if part.always_run else None
    return {items: part, name: replace(part.then, items=items, lead=(items,), depends_on=(items,), when=when)}
