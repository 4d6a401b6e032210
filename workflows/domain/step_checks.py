"""Checks of one step of a document, by its type. Each gives faults with the step's path in front."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from aflow_site.kernel.errors import Fault
from workflows.domain.document import Document
from workflows.domain.expressions import ROOTS, expressions_in
from workflows.domain.moments import parse_time
from workflows.domain.references import Surroundings, condition_faults, expression_faults
from workflows.domain.schemas import faults_of_schema
from workflows.domain.sources import is_source, source_of
from workflows.domain.steps import (
    AnyStep,
    ApprovalStep,
    BranchStep,
    CallingStep,
    LoopStep,
    MapReduceStep,
    MapStep,
    PoolOptions,
    ReduceStep,
    Retry,
    Run,
    WaitStep,
    WorkflowStep,
)
from workflows.domain.work import ExpressionError


def step_faults(document: Document, path: str, step: AnyStep, around: Surroundings) -> Iterator[Fault]:
    """Everything that is wrong with the step itself (steps inside a loop are checked on their own)."""
    if step.when is not None:
        yield from condition_faults(step.when, f"{path}.when", around)
    if isinstance(step, CallingStep):
        yield from _calling_faults(document, path, step, around)
    if isinstance(step, BranchStep):
        for place, case in enumerate(step.cases):
            yield from condition_faults(case.when, f"{path}.cases[{place}].when", around)
    elif isinstance(step, LoopStep):
        yield from expression_faults(step.input, f"{path}.input", around)
    elif isinstance(step, WorkflowStep):
        yield from _workflow_faults(document, path, step, around)
    elif isinstance(step, ApprovalStep):
        yield from expression_faults(step.prompt, f"{path}.prompt", around)
        if step.form is not None:
            yield from faults_of_schema(step.form, f"{path}.form")
        yield from _zero_faults(f"{path}.timeout", step.timeout, step.id)
    elif isinstance(step, WaitStep):
        yield from _wait_faults(path, step, around)


def retry_faults(path: str, retry: Retry | None, step: str | None) -> Iterator[Fault]:
    if retry and retry.delay > retry.max_delay:
        yield Fault(f"{path}.delay", "delay is longer than max_delay.", step)


def _zero_faults(path: str, seconds: float | None, step: str | None) -> Iterator[Fault]:
    if seconds == 0:
        yield Fault(path, "A time-out of 0 lets nothing run; remove it or raise it.", step)


def document_faults(document: Document) -> Iterator[Fault]:
    """Of the settings that stand outside the steps."""
    yield from _zero_faults("timeout", document.timeout, None)
    yield from _zero_faults("defaults.timeout", document.defaults.timeout, None)
    yield from retry_faults("defaults.retry", document.defaults.retry, None)
    names = [trigger.name for trigger in document.triggers]
    for place, name in enumerate(names):
        if name in names[:place]:
            yield Fault(f"triggers[{place}].name", f"Another trigger is called {name}, too; rename one.")


# --- steps that call agents --------------------------------------------------------------------------------


def _calling_faults(
    document: Document, path: str, step: CallingStep, around: Surroundings
) -> Iterator[Fault]:
    inside = around
    if isinstance(step, MapStep | MapReduceStep):
        yield from expression_faults(step.over, f"{path}.over", around)
        yield from _items_faults(path, step)
        inside = around.with_roots("item", "index", step.as_)
    yield from expression_faults(step.input, f"{path}.input", inside)
    if isinstance(step, ReduceStep):
        yield from _reduce_faults(path, step)
    for name in ("run", "mapper", "reducer"):
        run = getattr(step, name, None)
        if isinstance(run, Run):
            yield from _code_faults(f"{path}.{name}", run, step.id)
    yield from _pool_faults(document, path, step)
    yield from _zero_faults(f"{path}.timeout", step.timeout, step.id)
    yield from _zero_faults(f"{path}.total_timeout", step.total_timeout, step.id)
    yield from retry_faults(f"{path}.retry", step.retry, step.id)


def _items_faults(path: str, step: MapStep | MapReduceStep) -> Iterator[Fault]:
    if isinstance(step.over, str) and not list(expressions_in(step.over)):
        yield Fault(
            f"{path}.over", "`over` must give a list: an expression such as ${steps.list.output}.", step.id
        )
    elif is_source(step.over):
        yield from _source_faults(f"{path}.over", step)
    elif step.over is None or isinstance(step.over, int | float | bool | dict):
        sentence = '`over` must be a list, an expression that gives one, or a source: {"source": "…"}.'
        yield Fault(f"{path}.over", sentence, step.id)
    partial = step.error_strategy == "continue_on_partial"
    if not partial and step.min_success_rate is not None:
        yield Fault(
            f"{path}.min_success_rate", "It only counts with error_strategy continue_on_partial.", step.id
        )
    if step.as_ in ROOTS - {"item"}:
        yield Fault(f"{path}.as", f"{step.as_} has a meaning of its own; choose another name.", step.id)


def _source_faults(path: str, step: MapStep | MapReduceStep) -> Iterator[Fault]:
    if list(expressions_in(step.over)):
        return  # it is known when the step runs
    try:
        source_of(step.over, written=True)
    except ExpressionError as exc:
        yield Fault(path, f"{str(exc)[0].upper()}{str(exc)[1:]}.", step.id)


def _reduce_faults(path: str, step: ReduceStep) -> Iterator[Fault]:
    if not step.needs and step.input is None:
        yield Fault(f"{path}.needs", "A reduce step takes the results of another step; name it.", step.id)
    if step.streaming and (step.run.image is not None or step.run.command is not None):
        sentence = "Results are streamed to code and handlers; images and commands get a list."
        yield Fault(f"{path}.streaming", sentence, step.id)
    if step.streaming and step.input is not None and not isinstance(step.input, dict):
        yield Fault(f"{path}.input", "With streaming, input is an object; results are added to it.", step.id)


def _code_faults(path: str, run: Run, step: str) -> Iterator[Fault]:
    """Code that no agent could load; what it does is not looked at."""
    if run.code is None:
        return
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(run.code)
    except SyntaxError as exc:
        yield Fault(f"{path}.code", f"Line {exc.lineno or 1} is not Python: {exc.msg}.", step)
        return
    except (ValueError, RecursionError, MemoryError):
        yield Fault(f"{path}.code", "This cannot be read as Python.", step)
        return
    names = {name for node in tree.body for name in _defined(node)}
    if "main" not in names and not any(isinstance(node, ast.If | ast.Try | ast.With) for node in tree.body):
        yield Fault(f"{path}.code", "There is no `main`; write def main(…), which is called.", step)


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name) for alias in node.names)


def _pool_faults(document: Document, path: str, step: CallingStep) -> Iterator[Fault]:
    pool = step.pool
    if not isinstance(pool, PoolOptions):
        return
    low, high = pool.min_size, pool.max_size
    if pool.size is not None and (low is not None or high is not None):
        yield Fault(f"{path}.pool.size", "Give size, or min_size and max_size, not both.", step.id)
    if low is not None and high is not None and low > high:
        yield Fault(f"{path}.pool.min_size", f"min_size {low} is more than max_size {high}.", step.id)
    if pool.mode == "standard" and (pool.max_uses or 1) > 1:
        yield Fault(f"{path}.pool.max_uses", "mode standard uses an agent once; remove max_uses.", step.id)
    if pool.mode == "standard" and (pool.warm_up or low):
        yield Fault(f"{path}.pool.mode", "mode standard keeps no warm agents; use pooled.", step.id)
    if len(document.name) + 1 + len(step.id) > 63:
        yield Fault(
            f"{path}.pool", "The pool's name <workflow>-<step> is over 63 characters; shorten one.", step.id
        )


# --- the others --------------------------------------------------------------------------------------------


def _workflow_faults(
    document: Document, path: str, step: WorkflowStep, around: Surroundings
) -> Iterator[Fault]:
    yield from expression_faults(step.params, f"{path}.params", around)
    if step.params is not None and not isinstance(step.params, dict | str):
        yield Fault(f"{path}.params", "params is an object, or an expression that gives one.", step.id)
    if step.workflow == document.name and step.version is None and step.when is None:
        yield Fault(
            f"{path}.workflow", "This workflow would start itself without end; add a `when`.", step.id
        )
    yield from _zero_faults(f"{path}.timeout", step.timeout, step.id)
    yield from retry_faults(f"{path}.retry", step.retry, step.id)


def _wait_faults(path: str, step: WaitStep, around: Surroundings) -> Iterator[Fault]:
    if isinstance(step.duration, str):
        if list(expressions_in(step.duration)):
            yield from expression_faults(step.duration, f"{path}.duration", around)
        else:
            yield Fault(f"{path}.duration", 'Write a duration such as "10m", or an expression.', step.id)
    if step.until is not None:
        if list(expressions_in(step.until)):
            yield from expression_faults(step.until, f"{path}.until", around)
        elif parse_time(step.until) is None:
            wanted = "Write a time such as 2027-01-31T09:00:00Z, or an expression."
            yield Fault(f"{path}.until", wanted, step.id)
    if step.event is not None:
        yield from expression_faults(step.event, f"{path}.event", around)
    yield from _zero_faults(f"{path}.timeout", step.timeout, step.id)
