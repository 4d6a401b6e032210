"""What a graph of steps gives when nobody says: the output of its last steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workflows.domain.graph import needs_of
from workflows.domain.steps import AnyStep


def output_template(steps: Sequence[AnyStep]) -> Any:
    """The output of the only last step, or of each last step by its id; steps that only undo do not count."""
    needed = {need for needs in needs_of(steps).values() for need in needs}
    undoing = {step.compensate for step in steps if step.compensate}
    last = [step.id for step in steps if step.id not in needed and step.id not in undoing]
    outputs = {key: f'${{steps["{key}"].output}}' for key in last}
    return outputs[last[0]] if len(last) == 1 else (outputs or None)
