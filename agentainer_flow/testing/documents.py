"""Documents that were written by hand, before they are run here: that their steps can be found and ordered.

Does not: check all that the platform does when it saves one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk import options
from agentainer_flow.sdk.order import find_cycle
from agentainer_flow.sdk.written import FIELDS

_TYPES = (*FIELDS, "branch")


def check_document(where: str, document: Mapping[str, Any]) -> None:
    """Raises DefinitionError."""
    if not isinstance(document.get("name"), str) or not isinstance(document.get("steps"), list):
        raise DefinitionError(f'{where}: a document has a "name" and a list of "steps".')
    _check_steps(where, document["steps"])


def _check_steps(where: str, steps: Iterable[Any]) -> None:
    """Of the document, or inside a loop."""
    needs: dict[str, list[str]] = {}
    for step in steps:
        if not isinstance(step, Mapping) or not isinstance(step.get("id"), str):
            raise DefinitionError(f'{where}: a step is an object with an "id" and a "type", not {step!r}.')
        place = f"{where}: step {step['id']}"
        if step["id"] in needs:
            raise DefinitionError(f"{place}: another step has this id too.")
        options.choice(place, "type", step.get("type"), _TYPES)
        needs[step["id"]] = list(step.get("needs") or ())
        _check_steps(place, step.get("steps") or ())
    for step_id, wanted in needs.items():
        for name in wanted:
            if name not in needs:
                near = get_close_matches(name, needs, 1)
                hint = f"; did you mean {near[0]}?" if near else "."
                raise DefinitionError(
                    f"{where}: step {step_id} needs {name}, which is no step beside it{hint}"
                )
    cycle = find_cycle(needs)
    if cycle:
        raise DefinitionError(f"{where}: the steps wait for each other: {' → '.join(cycle)}. Cut one.")
