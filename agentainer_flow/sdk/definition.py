"""A workflow class, compiled to the workflow document. Everything that can be wrong is told at decoration.

Does not: know where the class's modules go; `bundling` packs them, `compile_workflow` names them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any, TypeVar

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk.bundling import Bundle, make_bundle
from agentainer_flow.sdk.options import RetryPolicy
from agentainer_flow.sdk.steps import PARAMS, Step

C = TypeVar("C", bound=type)
MARK = "__agentainer_workflow__"  # the attribute of a class that holds its Workflow
API_VERSION = "agentainer.flow/v1"
_STEP_ID = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$")


@dataclass(frozen=True)
class Workflow:
    """`steps`: method name -> step, in the order of definition. `params`: JSON Schema."""

    cls: type
    name: str
    description: str
    params: dict[str, Any] | None
    max_parallel: int | None
    retry_policy: RetryPolicy | None
    steps: dict[str, Step]

    @cached_property
    def ids(self) -> dict[str, str]:
        """Method name -> step id: the step's name where that can be an id, else the method's."""
        ids: dict[str, str] = {}
        for method, step in self.steps.items():
            step_id = step.name if step.name and _STEP_ID.match(step.name) else method
            if not _STEP_ID.match(step_id):
                raise DefinitionError(f"{step.where}: {step_id!r} cannot name a step; give it name=….")
            if step_id in ids.values():
                raise DefinitionError(f"{step.where}: another step is called {step_id} too; rename one.")
            ids[method] = step_id
        return ids

    @cached_property
    def needs(self) -> dict[str, list[str]]:
        """Step id -> ids of the steps it waits for. Raises DefinitionError for unknown names and cycles."""
        known = {step.name: self.ids[method] for method, step in self.steps.items() if step.name}
        known.update(self.ids)
        known.update({step_id: step_id for step_id in self.ids.values()})
        needs: dict[str, list[str]] = {}
        before: list[str] = []
        for method, step in self.steps.items():
            names = before if step.depends_on is None else step.depends_on
            needs[self.ids[method]] = [_known(step, name, known) for name in names]
            before = [self.ids[method]]
        _refuse_cycle(needs)
        return needs

    def check(self) -> None:
        """Raises DefinitionError for whatever is wrong."""
        for method, step in self.steps.items():
            self._input(step, self.needs[self.ids[method]])

    # --- the document ----------------------------------------------------------------------------

    def document(self, bundle: Bundle) -> dict[str, Any]:
        """The workflow document; the steps' code is in `bundle`."""
        document: dict[str, Any] = {"apiVersion": API_VERSION, "name": self.name}
        if self.description:
            document["description"] = self.description
        if self.params is not None:
            document["params"] = self.params
        if self.retry_policy is not None:
            document["defaults"] = {"retry": self.retry_policy.as_document()}
        if self.max_parallel is not None:
            document["max_parallel"] = self.max_parallel
        document["steps"] = [self._step(method, step, bundle) for method, step in self.steps.items()]
        document["output"] = self._output()
        return document

    def _step(self, method: str, step: Step, bundle: Bundle) -> dict[str, Any]:
        step_id = self.ids[method]
        needs = self.needs[step_id]
        document: dict[str, Any] = {"id": step_id, "type": step.kind}
        if step.name and step.name != step_id:
            document["name"] = step.name
        if needs:
            document["needs"] = needs
        if step.kind == "map":
            document["over"] = _output_of(needs[0])
        document["input"] = self._input(step, needs)
        if step.image is not None:
            document["run"] = {"image": step.image}
        else:
            target = f"{bundle.module}:{self.cls.__qualname__}.{method}"
            document["run"] = {"handler": target, "bundle": bundle.sha256}
        optional = {
            "pool": None if step.pool is None else dict(step.pool),
            "timeout": step.timeout,
            "retry": None if step.retry_policy is None else step.retry_policy.as_document(),
            "max_parallel": step.max_parallel,
            "error_strategy": step.error_strategy,
            "min_success_rate": step.min_success_rate,
        }
        document.update({key: value for key, value in optional.items() if value is not None})
        return document

    def _output(self) -> Any:
        """The output of the last step; of several last ones, each under its id."""
        inner = {need for needs in self.needs.values() for need in needs}
        last = [step_id for step_id in self.needs if step_id not in inner]
        if len(last) == 1:
            return _output_of(last[0])
        return {step_id: _output_of(step_id) for step_id in last}

    # --- inputs ----------------------------------------------------------------------------------

    def _input(self, step: Step, needs: list[str]) -> Any:
        """The step's input, by the rule in `sdk.steps`. An image gets the bare values."""
        if step.kind == "task":
            values = self._named(step, needs) if step.extra else self._everything(needs)
            if step.image is not None and not step.extra:
                return values.get("input", "${params}")
        else:
            if len(needs) != 1:
                raise DefinitionError(_wants_one(step))
            values = {"item": "${item}"} if step.kind == "map" else {"results": _output_of(needs[0])}
        if self.params is not None and step.image is None:
            values[PARAMS] = "${params}"
        return values

    def _everything(self, needs: list[str]) -> dict[str, Any]:
        if not needs:
            return {}
        if len(needs) == 1:
            return {"input": _output_of(needs[0])}
        return {"input": {need: _output_of(need) for need in needs}}

    def _named(self, step: Step, needs: list[str]) -> dict[str, Any]:
        """One entry for each of the method's parameters after ctx."""
        before = self._ancestors(needs)
        params: Mapping[str, Any] = (self.params or {}).get("properties") or {}
        required = (self.params or {}).get("required") or ()
        values: dict[str, Any] = {}
        for name, parameter in step.extra.items():
            earlier = self.ids.get(name, name)
            if name == PARAMS:
                values[name] = "${params}"
            elif name in params:
                given = name in required or "default" in params[name]
                if given or step.image is not None:
                    values[name] = f"${{params.{name}}}"
                elif parameter.default is parameter.empty:
                    raise DefinitionError(
                        f"{step.where}: a run may leave the param {name} out; give it a default in the"
                        f" schema, list it under required, or write {name}=None here."
                    )
            elif earlier in before:
                values[name] = _output_of(earlier)
            elif parameter.default is parameter.empty:
                raise DefinitionError(_unfilled(step, name, [*params, *before]))
        return values

    def _ancestors(self, needs: list[str]) -> set[str]:
        found: set[str] = set()
        waiting = list(needs)
        while waiting:
            step_id = waiting.pop()
            if step_id not in found:
                found.add(step_id)
                waiting += self.needs[step_id]
        return found


def attach(cls: C, workflow: Workflow) -> C:
    """Checks the workflow and makes it known to its class."""
    workflow.check()
    setattr(cls, MARK, workflow)
    setattr(cls, "to_document", staticmethod(lambda: compile_workflow(cls)))  # noqa: B010 - types do not know it
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


def _output_of(step_id: str) -> str:
    return f"${{steps.{step_id}.output}}"


def _known(step: Step, name: str, known: Mapping[str, str]) -> str:
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else f". There is {', '.join(sorted(known))}."
        raise DefinitionError(f"{step.where} depends on {name}, which is no step{hint}")
    return known[name]


def _wants_one(step: Step) -> str:
    does = "maps over the list that" if step.kind == "map" else "takes the results that"
    return (
        f"{step.where} {does} one step before it returns: "
        + (f"name just that one in depends_on, not {len(step.depends_on)}." if step.depends_on else "")
        + ("" if step.depends_on else "define that step above it, or name it in depends_on.")
    )


def _unfilled(step: Step, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    there = f" Here these are: {', '.join(sorted(known))}." if known and not near else ""
    return (
        f"{step.where}: nothing fills its parameter {name}; name it like a param of the workflow or like a"
        f" step that it depends on, or give it a default.{hint}{there}"
    )


def _refuse_cycle(needs: Mapping[str, list[str]]) -> None:
    done: set[str] = set()
    for start in needs:
        path: list[str] = []
        # Depth first without recursion: a chain may have thousands of steps. None marks the way back.
        waiting: list[str | None] = [start]
        while waiting:
            step_id = waiting.pop()
            if step_id is None:
                done.add(path.pop())
            elif step_id in path:
                loop = [*path[path.index(step_id) :], step_id]
                raise DefinitionError(
                    f"The steps wait for each other: {' → '.join(reversed(loop))}. Cut one."
                )
            elif step_id not in done:
                path.append(step_id)
                waiting += [None, *needs[step_id]]
