"""Reads a workflow document and finds every fault at once, each with its JSON path and how to mend it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

import jsonschema
import referencing
import referencing.exceptions

from aflow_site.kernel.errors import Fault, InvalidInput
from workflows.domain.document import Document, MapStep, PoolOptions, ReduceStep, TaskStep
from workflows.domain.expressions import ROOTS, ExpressionError, compile_expression, expressions_in
from workflows.domain.graph import ancestors, find_cycle
from workflows.domain.shape import read_shape

MAX_FAULTS = 200
STEP_FIELDS = ("attempts", "failed", "output", "state")


class InvalidDocument(InvalidInput):
    code = "invalid_document"
    title = "The workflow document has faults"


def parse_document(data: Any) -> Document:
    """The typed document; InvalidDocument with every fault otherwise."""
    document, faults = check_document(data)
    if document is None or faults:
        raise InvalidDocument(summary(faults), faults=faults)
    return document


def check_document(data: Any) -> tuple[Document | None, list[Fault]]:
    """The document and all its faults of shape and meaning. With faults of shape it is a mended one, good
    only for further checks; None when it is beyond mending."""
    reading = read_shape(data)
    if reading.document is None:
        return None, list(reading.faults)
    wrong = [fault.path for fault in reading.faults]
    meaning = [fault for fault in _meaning_faults(reading.document) if not _within(fault.path, wrong)]
    faults = [*reading.faults, *meaning][:MAX_FAULTS]
    return reading.document, faults


def _within(path: str, others: list[str]) -> bool:
    return any(path == other or path.startswith((f"{other}.", f"{other}[")) for other in others)


def summary(faults: list[Fault]) -> str:
    count = len(faults)
    return f"{count} fault{'s' if count != 1 else ''}; the first: {faults[0].path}: {faults[0].message}"


AnyStep = TaskStep | MapStep | ReduceStep


def _meaning_faults(document: Document) -> Iterator[Fault]:
    yield from _duplicate_ids(document)
    known = {step.id for step in document.steps}
    for index, step in enumerate(document.steps):
        yield from _needs_faults(index, step, known)
    needs = {
        step.id: tuple(need for need in step.needs if need in known and need != step.id)
        for step in document.steps
    }
    cycle = find_cycle(needs)
    if cycle:
        loop = " → ".join([*cycle, cycle[0]])
        at = next(i for i, step in enumerate(document.steps) if step.id == cycle[0])
        yield Fault(f"steps[{at}].needs", f"The steps wait for each other: {loop}. Cut one.", cycle[0])
    # Inside a loop, what comes before what has no answer: every step may be read then.
    before = dict.fromkeys(known, known) if cycle else ancestors(needs)
    for index, step in enumerate(document.steps):
        yield from _step_faults(document, index, step, known, before[step.id])
    yield from _expression_faults(document.output, "output", None, known, known, ROOTS - {"item", "index"})
    yield from _params_faults(document.params)


def _duplicate_ids(document: Document) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, step in enumerate(document.steps):
        if step.id in seen:
            yield Fault(f"steps[{index}].id", f"Another step is called {step.id} too; rename one.", step.id)
        seen.add(step.id)


def _needs_faults(index: int, step: AnyStep, known: set[str]) -> Iterator[Fault]:
    for place, need in enumerate(step.needs):
        path = f"steps[{index}].needs[{place}]"
        if need == step.id:
            yield Fault(path, "A step cannot wait for itself; remove this.", step.id)
        elif need not in known:
            yield Fault(path, f"There is no step {need}{_did_you_mean(need, known)}.", step.id)
        elif need in step.needs[:place]:
            yield Fault(path, f"{need} is named twice; once is enough.", step.id)


def _step_faults(
    document: Document, index: int, step: AnyStep, known: set[str], before: set[str]
) -> Iterator[Fault]:
    base = f"steps[{index}]"
    roots = {"params", "steps", "run"}
    if isinstance(step, MapStep):
        yield from _expression_faults(step.over, f"{base}.over", step.id, known, before, roots)
        yield from _map_faults(base, step)
        roots |= {"item", "index", step.as_}
    yield from _expression_faults(step.input, f"{base}.input", step.id, known, before, roots)
    if isinstance(step, ReduceStep) and not step.needs and step.input is None:
        yield Fault(f"{base}.needs", "A reduce step takes the results of another step; name it.", step.id)
    yield from _code_faults(base, step)
    yield from _pool_faults(document, base, step)
    yield from _limit_faults(document, base, step)


def _map_faults(base: str, step: MapStep) -> Iterator[Fault]:
    if isinstance(step.over, str) and not list(expressions_in(step.over)):
        yield Fault(
            f"{base}.over", "`over` must give a list: an expression such as ${steps.list.output}.", step.id
        )
    elif step.over is None or isinstance(step.over, int | float | bool | dict):
        yield Fault(f"{base}.over", "`over` must be a list, or an expression that gives one.", step.id)
    partial = step.error_strategy == "continue_on_partial"
    if partial and step.min_success_rate is None:
        yield Fault(f"{base}.min_success_rate", "continue_on_partial needs it; add 0.95, say.", step.id)
    if not partial and step.min_success_rate is not None:
        yield Fault(
            f"{base}.min_success_rate", "It only counts with error_strategy continue_on_partial.", step.id
        )
    if step.as_ in ROOTS - {"item"}:
        yield Fault(f"{base}.as", f"{step.as_} has a meaning of its own; choose another name.", step.id)


def _code_faults(base: str, step: AnyStep) -> Iterator[Fault]:
    """Code that no agent could load; what it does is not looked at."""
    if step.run.code is None:
        return
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(step.run.code)
    except SyntaxError as exc:
        yield Fault(f"{base}.run.code", f"Line {exc.lineno or 1} is not Python: {exc.msg}.", step.id)
        return
    except (ValueError, RecursionError, MemoryError):
        yield Fault(f"{base}.run.code", "This cannot be read as Python.", step.id)
        return
    names = {name for node in tree.body for name in _defined(node)}
    if "main" not in names and not any(isinstance(node, ast.If | ast.Try | ast.With) for node in tree.body):
        yield Fault(f"{base}.run.code", "There is no `main`; write def main(…), which is called.", step.id)


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name) for alias in node.names)


def _pool_faults(document: Document, base: str, step: AnyStep) -> Iterator[Fault]:
    pool = step.pool
    if not isinstance(pool, PoolOptions):
        return
    low, high = pool.min_size, pool.max_size
    if pool.size is not None and (low is not None or high is not None):
        yield Fault(f"{base}.pool.size", "Give size, or min_size and max_size, not both.", step.id)
    if low is not None and high is not None and low > high:
        yield Fault(f"{base}.pool.min_size", f"min_size {low} is more than max_size {high}.", step.id)
    if pool.mode == "standard" and (pool.max_uses or 1) > 1:
        yield Fault(f"{base}.pool.max_uses", "mode standard uses an agent once; remove max_uses.", step.id)
    if pool.mode == "standard" and (pool.warm_up or low):
        yield Fault(f"{base}.pool.mode", "mode standard keeps no warm agents; use pooled.", step.id)
    if len(document.name) + 1 + len(step.id) > 63:
        yield Fault(
            f"{base}.pool", "The pool's name <workflow>-<step> is over 63 characters; shorten one.", step.id
        )


def _limit_faults(document: Document, base: str, step: AnyStep) -> Iterator[Fault]:
    if step.timeout == 0:
        yield Fault(f"{base}.timeout", "A time-out of 0 lets nothing run; remove it or raise it.", step.id)
    retry = step.retry
    if retry and retry.delay > retry.max_delay:
        yield Fault(f"{base}.retry.delay", "delay is longer than max_delay.", step.id)


def _expression_faults(
    value: Any, path: str, step: str | None, known: set[str], before: set[str], roots: Iterable[str]
) -> Iterator[Fault]:
    allowed = set(roots)
    for place, source in expressions_in(value, path):
        try:
            expression = compile_expression(source)
        except ExpressionError as exc:
            yield Fault(place, f"{exc}.", step)
            continue
        for root in sorted(expression.roots - allowed):
            choices = ", ".join(sorted(allowed))
            yield Fault(place, f"{root} is not known here; there is {choices}.", step)
        if "steps" in expression.roots and "steps" in allowed:
            yield from _reference_faults(place, expression.source, expression.steps, step, known, before)
    for place in _unclosed(value, path):
        yield Fault(place, "A ${ is not closed; add the }.", step)


def _reference_faults(
    place: str, source: str, names: Iterable[str], step: str | None, known: set[str], before: set[str]
) -> Iterator[Fault]:
    for name in sorted(names):
        if name not in known:
            yield Fault(place, f"There is no step {name}{_did_you_mean(name, known)}.", step)
        elif name not in before:
            advice = "a step cannot read itself" if name == step else f"add {name} to needs"
            yield Fault(place, f"{name} has not run yet when this is read; {advice}.", step)
    for field in re.findall(r"\bsteps\.[A-Za-z_][\w-]*\.([A-Za-z_]\w*)", source):
        if field not in STEP_FIELDS:
            yield Fault(place, f"A step has no {field}; it has {', '.join(STEP_FIELDS)}.", step)


def _unclosed(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if value.count("${") > len(list(expressions_in(value))):
            yield path
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _unclosed(child, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _unclosed(child, f"{path}[{index}]")


def _params_faults(schema: dict[str, Any] | None) -> Iterator[Fault]:
    if schema is None:
        return
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as exc:
        where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in exc.absolute_path)
        yield Fault(f"params{where}", f"This is not JSON Schema: {exc.message}.")
        return
    if schema.get("type", "object") != "object":
        yield Fault("params.type", "The params of a run are an object; write type: object.")
    if _reaches_out(schema):
        yield Fault(
            "params", "A $ref may only point inside this schema (#/…); $id and $dynamicRef are not used."
        )
        return
    try:
        for _ in schema_validator(schema).iter_errors({}):
            break
    except (referencing.exceptions.Unresolvable, RecursionError):
        yield Fault("params", "A $ref of this schema points nowhere, or to itself.")


def schema_validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    """Checks params. Its registry is empty: nothing is ever fetched for a schema."""
    return jsonschema.Draft202012Validator(schema, registry=referencing.Registry())


def _reaches_out(value: Any) -> bool:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            return True
        if any(isinstance(value.get(name), str) for name in ("$id", "$dynamicRef")):
            return True
        return any(_reaches_out(child) for child in value.values())
    return isinstance(value, list) and any(_reaches_out(child) for child in value)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
