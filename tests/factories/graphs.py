"""Documents of any shape that are valid, for properties of the planner and of the engine."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from workflows.domain.document import Document
from workflows.domain.validation import check_document

CODE = {"code": "main = 1"}


@st.composite
def graphs(draw: st.DrawFn) -> Document:
    """Valid documents of tasks, branches, streaming reduces, clean-ups and steps that undo."""
    count = draw(st.integers(0, 10))
    steps: list[dict[str, Any]] = []
    for place in range(count):
        earlier = [s["id"] for s in steps]
        needs = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        step: dict[str, Any] = {"id": f"s{place}", "type": "task", "run": CODE, "needs": needs}
        kind = draw(st.sampled_from(["task", "task", "task", "map", "branch", "always", "tolerant"]))
        if kind == "map":
            step |= {"type": "map", "over": [1, 2, 3]}
        elif kind == "branch":
            del step["run"]
            step |= {"type": "branch", "cases": [{"when": True, "then": []}], "else": []}
        elif kind == "always":
            step["always_run"] = True
        elif kind == "tolerant":
            step["error_strategy"] = "continue"
        steps.append(step)
    _choose_targets(draw, steps)
    _add_streams_and_undoing(draw, steps)
    document, faults = check_document({"name": "w", "steps": draw(st.permutations(steps))})
    assert document is not None
    assert not faults, faults
    return document


def _choose_targets(draw: st.DrawFn, steps: list[dict[str, Any]]) -> None:
    for place, step in enumerate(steps):
        later = [s["id"] for s in steps[place + 1 :]]
        if step["type"] == "branch" and later:
            step["cases"][0]["then"] = draw(st.lists(st.sampled_from(later), unique=True, max_size=3))
            step["else"] = draw(st.lists(st.sampled_from(later), unique=True, max_size=2))


def _add_streams_and_undoing(draw: st.DrawFn, steps: list[dict[str, Any]]) -> None:
    for step in list(steps):
        if step["type"] == "map" and draw(st.booleans()):
            name = f"r{step['id']}"
            steps.append(
                {"id": name, "type": "reduce", "run": CODE, "needs": [step["id"]], "streaming": True}
            )
        if step["type"] in ("task", "map") and draw(st.integers(0, 3)) == 0:
            step["compensate"] = f"u{step['id']}"
            steps.append({"id": f"u{step['id']}", "type": "task", "run": CODE})
