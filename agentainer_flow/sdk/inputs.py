"""Lays the input of each step out, by the rule in `sdk.steps`, and looks after what expressions read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk.graph import Graph, Names
from agentainer_flow.sdk.steps import PARAMS, Step

_ITERATION = ("item", "index")  # what a loop gives to its steps
EXPRESSION = re.compile(r"\$\{((?:[^{}\"']|\{[^{}]*\}|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')*)\}")
# A plain path may go over ids with dashes; in any other expression a dash is a minus.
_PATH = re.compile(
    r"""^steps\.([A-Za-z_][\w-]*)(?:\.[A-Za-z_][\w-]*|\[\d+\]|\["[^"\\]*"\]|\['[^'\\]*'\])*$"""
)
_STEP = re.compile(r"""\bsteps(?:\.([A-Za-z_]\w*)|\[\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*\])""")


def output_of(step_id: str) -> str:
    return f"${{steps.{step_id}.output}}"


class Inputs:
    """Of the steps of one workflow. `schema`: JSON Schema of the run's params."""

    def __init__(self, names: Names, schema: Mapping[str, Any] | None) -> None:
        self._names = names
        self._has_params = schema is not None
        self._params: Mapping[str, Any] = (schema or {}).get("properties") or {}
        self._required: Iterable[str] = (schema or {}).get("required") or ()

    def of_step(self, graph: Graph, step_id: str, step: Step) -> Any:
        """The step's input. Images and commands get the bare values. Raises DefinitionError."""
        if not step.has_body and step.input is not None and not step.extra:
            return step.input
        if step.kind == "task":
            values = self._task(graph, step_id, step)
            if not step.has_body and not step.extra:
                return values.get("input", "${params}")
        else:
            source = self.source(graph, step_id, step)
            if step.kind == "map":
                values = {"item": "${item}"}
            else:  # a stream of results is not there yet when the input is laid out
                values = {} if step.streaming else {"results": output_of(source)}
            values.update(self._given(step))
        if self._has_params and step.has_body:
            values[PARAMS] = "${params}"
        return values

    def before(self, graph: Graph, step_id: str) -> Any:
        """The output of the step before, of several each by its id; else a loop's `item` or the params."""
        feeds = graph.feeds(step_id)
        if not feeds:
            return "${item}" if graph.loop is not None else "${params}" if self._has_params else None
        if len(feeds) == 1:
            return output_of(feeds[0])
        return {feed: output_of(feed) for feed in feeds}

    def source(self, graph: Graph, step_id: str, step: Step) -> str:
        """The one step whose list a parallel or reduce step takes."""
        feeds = graph.feeds(step_id)
        if len(feeds) != 1:
            raise DefinitionError(_wants_one(step))
        return feeds[0]

    def _task(self, graph: Graph, step_id: str, step: Step) -> dict[str, Any]:
        if step.extra:
            given = self._given(step)
            return {**self._named(graph, step_id, step), **given}
        if step.input is not None:
            return {"input": step.input}
        if graph.feeds(step_id) or graph.loop is not None:
            return {"input": self.before(graph, step_id)}
        return {}

    def _given(self, step: Step) -> dict[str, Any]:
        """What `input={…}` says of single parameters."""
        for name in step.named if step.extra or step.kind != "task" else ():
            if name not in step.extra and step.has_body:
                near = get_close_matches(name, step.extra, 1)
                hint = f"; did you mean {near[0]}?" if near else "."
                raise DefinitionError(f"{step.where}: input fills {name}, which is no parameter of it{hint}")
        return step.named

    def _named(self, graph: Graph, step_id: str, step: Step) -> dict[str, Any]:
        """One entry for each of the method's parameters after ctx that `input` does not fill."""
        before = graph.before(step_id)
        values: dict[str, Any] = {}
        for name, parameter in step.extra.items():
            if name in step.named:
                continue
            earlier = self._names.id_of(name)
            if name == PARAMS:
                values[name] = "${params}"
            elif graph.loop is not None and name in _ITERATION:
                values[name] = f"${{{name}}}"
            elif name in self._params:
                given = name in self._required or "default" in self._params[name]
                if given or not step.has_body:
                    values[name] = f"${{params.{name}}}"
                elif parameter.default is parameter.empty:
                    raise DefinitionError(
                        f"{step.where}: a run may leave the param {name} out; give it a default in the"
                        f" schema, list it under required, or write {name}=None here."
                    )
            elif earlier in before:
                values[name] = output_of(earlier)
            elif parameter.default is parameter.empty:
                raise DefinitionError(_unfilled(step, name, [*self._params, *before]))
        return values

    # --- expressions -----------------------------------------------------------------------------

    def check_expressions(self, graph: Graph, step_id: str, value: Any, *more: str) -> None:
        """That the steps whose outputs a JSON value reads have ended by then. `more`: others that have."""
        ended: set[str] | None = None
        for name in steps_read(value):
            if name in more:
                continue
            where = self._names.where(step_id)
            if name not in self._names.parts:
                near = get_close_matches(name, self._names.parts, 1)
                hint = f"; did you mean {near[0]}?" if near else "."
                raise DefinitionError(f"{where} reads steps.{name}, and there is no such step{hint}")
            if name in graph.needs[step_id]:
                continue
            ended = graph.before(step_id) if ended is None else ended
            if name not in ended:
                advice = "a step cannot read itself" if name == step_id else f"add {name} to depends_on"
                raise DefinitionError(f"{where} reads steps.{name}, which has not run by then; {advice}.")


def steps_read(value: Any) -> Iterator[str]:
    """The ids of the steps that the expressions in a JSON value name."""
    if isinstance(value, str):
        for expression in EXPRESSION.findall(value):
            path = _PATH.match(expression.strip())
            if path is not None:
                yield path[1]
                continue
            for found in _STEP.findall(expression):
                yield next(name for name in found if name)
    elif isinstance(value, Mapping):
        for child in value.values():
            yield from steps_read(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from steps_read(child)


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
        f" step that it depends on, give it a default, or fill it by input={{…}}.{hint}{there}"
    )
