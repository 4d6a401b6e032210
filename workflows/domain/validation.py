"""Reads a workflow document and finds every fault at once, each with its JSON path and how to mend it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aflow_site.kernel.errors import Fault, InvalidInput
from workflows.domain.document import MAX_STEPS, Document
from workflows.domain.graph import Ancestors, find_cycle, needs_of
from workflows.domain.references import (
    COMMON_ROOTS,
    Surroundings,
    condition_faults,
    did_you_mean,
    expression_faults,
)
from workflows.domain.schemas import faults_of_schema
from workflows.domain.shape import MAX_FAULTS, read_shape
from workflows.domain.step_checks import document_faults, step_faults
from workflows.domain.steps import AnyStep, BranchStep, LoopStep, MapReduceStep, MapStep, ReduceStep

MAX_LOOP_DEPTH = 3
MOST_NAMED = 20  # steps of a cycle
# Addresses of the API that stand where a workflow's name stands.
RESERVED_NAMES = frozenset({"validate"})


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
    meaning = (fault for fault in _meaning_faults(reading.document) if not _within(fault.path, wrong))
    return reading.document, [*reading.faults, *islice(meaning, MAX_FAULTS - len(reading.faults))]


def _within(path: str, others: list[str]) -> bool:
    return any(path == other or path.startswith((f"{other}.", f"{other}[")) for other in others)


def summary(faults: list[Fault]) -> str:
    count = len(faults)
    return f"{count} fault{'s' if count != 1 else ''}; the first: {faults[0].path}: {faults[0].message}"


def _meaning_faults(document: Document) -> Iterator[Fault]:
    if document.name in RESERVED_NAMES:
        yield Fault("name", f"{document.name} is an address of the API; choose another name.")
    yield from document_faults(document)
    count = sum(1 for _step in document.all_steps())
    if count > MAX_STEPS:
        yield Fault("steps", f"There are {count} steps with those in loops; {MAX_STEPS} is the most.")
        return
    yield from _duplicate_ids(document)
    nowhere = Surroundings(None, COMMON_ROOTS, frozenset(), lambda _step: False)
    yield from _graph_faults(document, document.steps, "steps", nowhere, depth=0)
    known = frozenset(step.id for step in document.steps)
    at_the_end = Surroundings(None, COMMON_ROOTS, known, known.__contains__)
    yield from expression_faults(document.output, "output", at_the_end)
    if document.params is not None:
        yield from faults_of_schema(document.params, "params")
    wanted = document.scaling
    if wanted is not None and wanted.max is not None and wanted.max < (wanted.min or 0):
        yield Fault("scaling.max", f"At least 1, and not below min ({wanted.min}).")


def _graph_faults(
    document: Document, steps: Sequence[AnyStep], path: str, outer: Surroundings, *, depth: int
) -> Iterator[Fault]:
    """Of one graph: the document's own steps, or those of a loop. `outer`: what is known around it."""
    own = frozenset(step.id for step in steps)
    naming = _Naming.of(steps)
    for index, step in enumerate(steps):
        yield from _needs_faults(f"{path}[{index}]", step, own)
        yield from _naming_faults(f"{path}[{index}]", step, naming, in_loop=depth > 0)
    needs = {
        step: tuple(need for need in named if need in own and need != step)
        for step, named in needs_of(steps).items()
    }
    cycle = find_cycle(needs)
    if cycle:
        loop = " → ".join([*_shortened(cycle), cycle[0]])
        at = next(i for i, step in enumerate(steps) if step.id == cycle[0])
        yield Fault(f"{path}[{at}].needs", f"The steps wait for each other: {loop}. Cut one.", cycle[0])
    # Inside a cycle, what comes before what has no answer: every step may be read then.
    before = None if cycle else Ancestors(needs)
    undone_by = {step.compensate: step.id for step in steps if step.compensate}
    known = outer.known | own
    for index, step in enumerate(steps):
        has_run = _has_run(step, own, outer, before, undone_by.get(step.id))
        around = Surroundings(step.id, outer.roots, known, has_run)
        here = f"{path}[{index}]"
        yield from step_faults(document, here, step, around)
        if isinstance(step, LoopStep):
            yield from _loop_faults(document, here, step, around, depth=depth)


def _shortened(cycle: list[str]) -> list[str]:
    left_out = len(cycle) - MOST_NAMED
    if left_out <= 1:
        return cycle
    return [*cycle[: MOST_NAMED - 1], f"({left_out} more)", cycle[-1]]


def _has_run(
    step: AnyStep, own: frozenset[str], outer: Surroundings, before: Ancestors | None, undoes: str | None
) -> Callable[[str], bool]:
    """Whether another step has ended when this one begins."""

    def has_run(name: str) -> bool:
        if name not in own:
            return outer.has_run(name)
        if before is None or before.has(step.id, name):
            return True
        return undoes is not None and (name == undoes or before.has(undoes, name))

    return has_run


def _loop_faults(
    document: Document, path: str, loop: LoopStep, around: Surroundings, *, depth: int
) -> Iterator[Fault]:
    if depth + 1 > MAX_LOOP_DEPTH:
        yield Fault(f"{path}.steps", f"Loops stand inside loops {MAX_LOOP_DEPTH} deep at most.", loop.id)
        return
    inside = around.with_roots("item", "index")
    yield from _graph_faults(document, loop.steps, f"{path}.steps", inside, depth=depth + 1)
    own = frozenset(step.id for step in loop.steps)
    at_the_end = Surroundings(
        loop.id, inside.roots, around.known | own, lambda name: name in own or around.has_run(name)
    )
    yield from condition_faults(loop.until, f"{path}.until", at_the_end)


def _duplicate_ids(document: Document) -> Iterator[Fault]:
    """Ids are unique in the whole document, loops included: pools and expressions go by them."""
    seen: set[str] = set()
    for path, step in document.all_steps():
        if step.id in seen:
            yield Fault(f"{path}.id", f"Another step is called {step.id} too; rename one.", step.id)
        seen.add(step.id)


def _needs_faults(path: str, step: AnyStep, known: frozenset[str]) -> Iterator[Fault]:
    for place, need in enumerate(step.needs):
        here = f"{path}.needs[{place}]"
        if need == step.id:
            yield Fault(here, "A step cannot wait for itself; remove this.", step.id)
        elif need not in known:
            yield Fault(here, f"There is no step {need}{did_you_mean(need, known)}.", step.id)
        elif need in step.needs[:place]:
            yield Fault(here, f"{need} is named twice; once is enough.", step.id)


@dataclass(frozen=True, slots=True)
class _Naming:
    """The steps of one graph by their ids, those that others need, and how many each of them undoes."""

    steps: dict[str, AnyStep]
    ids: frozenset[str]
    needed: frozenset[str]
    undoing: Counter[str]

    @classmethod
    def of(cls, steps: Sequence[AnyStep]) -> _Naming:
        return cls(
            {step.id: step for step in steps},
            frozenset(step.id for step in steps),
            frozenset(need for step in steps for need in step.needs),
            Counter(step.compensate for step in steps if step.compensate is not None),
        )


def _naming_faults(path: str, step: AnyStep, naming: _Naming, *, in_loop: bool) -> Iterator[Fault]:
    """Of steps that a step names other than by `needs`."""
    if isinstance(step, BranchStep):
        yield from _target_faults(path, step, naming.ids)
    if isinstance(step, ReduceStep) and step.streaming:
        known = naming.steps
        sources = [need for need in step.needs if isinstance(known.get(need), MapStep | MapReduceStep)]
        if len(sources) != 1:
            yield Fault(f"{path}.needs", "A streaming reduce needs exactly one map step.", step.id)
        elif isinstance(known[sources[0]], MapReduceStep):
            yield Fault(f"{path}.needs", f"{sources[0]} reduces its results already.", step.id)
    if step.compensate is not None:
        yield from _undoing_faults(f"{path}.compensate", step, step.compensate, naming, in_loop=in_loop)


def _undoing_faults(
    here: str, step: AnyStep, name: str, naming: _Naming, *, in_loop: bool
) -> Iterator[Fault]:
    if in_loop:
        yield Fault(here, "Steps inside a loop cannot be undone; put this on the loop.", step.id)
    undo = naming.steps.get(name)
    if undo is None:
        yield Fault(here, f"There is no step {name}{did_you_mean(name, naming.ids)}.", step.id)
        return
    if undo.id == step.id:
        yield Fault(here, "A step cannot undo itself.", step.id)
    elif undo.needs or undo.compensate or undo.always_run:
        yield Fault(
            here, f"{undo.id} only undoes: it has no needs, no compensate and no always_run.", step.id
        )
    if undo.id in naming.needed:
        yield Fault(here, f"{undo.id} only undoes: no other step may need it.", step.id)
    if naming.undoing[undo.id] > 1:
        yield Fault(here, f"{undo.id} undoes two steps; give each its own.", step.id)


def _target_faults(path: str, step: BranchStep, known: frozenset[str]) -> Iterator[Fault]:
    places = [(f"{path}.cases[{i}].then", case.then) for i, case in enumerate(step.cases)]
    for place, targets in [*places, (f"{path}.else", step.else_)]:
        for number, target in enumerate(targets):
            if target == step.id:
                yield Fault(f"{place}[{number}]", "A branch cannot choose itself.", step.id)
            elif target not in known:
                yield Fault(
                    f"{place}[{number}]", f"There is no step {target}{did_you_mean(target, known)}.", step.id
                )
