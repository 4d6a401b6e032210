"""Checks of a document's expressions: that they can be read, and that what they name is there by then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice
from typing import Any

from aflow_site.kernel.errors import Fault
from workflows.domain.expressions import compile_expression, expressions_in
from workflows.domain.work import ExpressionError

STEP_FIELDS = ("attempts", "failed", "output", "state")
MOST_COMPARED = 1000  # names, of those that may have been meant
COMMON_ROOTS = frozenset({"params", "steps", "run", "state"})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an expression may name. `has_run(step)` tells whether a known step has ended when it is read."""

    step: str | None
    roots: frozenset[str]
    known: frozenset[str]
    has_run: Callable[[str], bool]

    def with_roots(self, *more: str) -> Surroundings:
        return replace(self, roots=self.roots | set(more))


def expression_faults(value: Any, path: str, around: Surroundings) -> Iterator[Fault]:
    """Every fault of the expressions in a JSON value."""
    for place, source in expressions_in(value, path):
        try:
            expression = compile_expression(source)
        except ExpressionError as exc:
            yield Fault(place, f"{exc}.", around.step)
            continue
        for root in sorted(expression.roots - around.roots):
            choices = ", ".join(sorted(around.roots))
            yield Fault(place, f"{root} is not known here; there is {choices}.", around.step)
        if "steps" in expression.roots and "steps" in around.roots:
            yield from _reference_faults(place, expression.source, expression.steps, around)
    for place in _unclosed(value, path):
        yield Fault(place, "A ${ is not closed; add the }.", around.step)


def condition_faults(value: str | bool, path: str, around: Surroundings) -> Iterator[Fault]:
    """A condition is `true`, `false`, or one expression."""
    if isinstance(value, bool):
        return
    found = list(expressions_in(value))
    if len(found) != 1 or value.strip() != f"${{{found[0][1]}}}":
        yield Fault(path, "A condition is one expression, such as ${params.n > 3}.", around.step)
    yield from expression_faults(value, path, around)


def _reference_faults(
    place: str, source: str, names: frozenset[str], around: Surroundings
) -> Iterator[Fault]:
    for name in sorted(names):
        if name not in around.known:
            yield Fault(place, f"There is no step {name}{did_you_mean(name, around.known)}.", around.step)
        elif not around.has_run(name):
            advice = "a step cannot read itself" if name == around.step else f"add {name} to needs"
            yield Fault(place, f"{name} has not run yet when this is read; {advice}.", around.step)
    for field in re.findall(r"\bsteps\.[A-Za-z_][\w-]*\.([A-Za-z_]\w*)", source):
        if field not in STEP_FIELDS:
            yield Fault(place, f"A step has no {field}; it has {', '.join(STEP_FIELDS)}.", around.step)


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


def did_you_mean(name: str, known: frozenset[str]) -> str:
    # The search costs about 30 µs a name, and a document of 10,000 steps may have 200 faults.
    near = get_close_matches(name, list(islice(known, MOST_COMPARED)), n=1)
    return f"; did you mean {near[0]}?" if near else ""
