"""Documents as text for people."""

from __future__ import annotations

import json
from typing import Any

from workflows.domain.texts import MAX_DIFF_LINES, as_json, as_yaml, unified_diff

DOCUMENT: dict[str, Any] = {
    "steps": [
        {
            "run": {"code": "def main(x):\n    # doubles\n    return 2 * x\n"},
            "input": {"x": "${params.x}"},
            "type": "task",
            "id": "double",
        }
    ],
    "params": {"type": "object", "properties": {"x": {"type": "integer"}}},
    "name": "doubling",
}


def test_yaml_is_readable() -> None:
    assert as_yaml(DOCUMENT) == (
        "name: doubling\n"
        "params:\n"
        "  type: object\n"
        "  properties:\n"
        "    x:\n"
        "      type: integer\n"
        "steps:\n"
        "- id: double\n"
        "  type: task\n"
        "  run:\n"
        "    code: |\n"
        "      def main(x):\n"
        "          # doubles\n"
        "          return 2 * x\n"
        "  input:\n"
        "    x: ${params.x}\n"
    )


def test_json_has_the_same_order_and_any_script() -> None:
    text = as_json({**DOCUMENT, "description": "Удвоение"})
    assert list(json.loads(text)) == ["name", "description", "params", "steps"]
    assert "Удвоение" in text


def test_values_that_are_shared_are_written_out() -> None:
    shared = {"a": 1}
    assert "&" not in as_yaml({"output": [shared, shared]})


def test_a_diff_does_not_see_the_order_of_keys() -> None:
    other = {**DOCUMENT, "params": dict(reversed(DOCUMENT["params"].items()))}
    assert unified_diff(DOCUMENT, other, ("a", "b")) == ""


def test_a_diff_is_of_lines() -> None:
    step = {**DOCUMENT["steps"][0], "run": {"code": "def main(x):\n    # doubles\n    return x + x\n"}}
    text = unified_diff(DOCUMENT, {**DOCUMENT, "steps": [step]}, ("version 1", "version 2"))
    assert text is not None
    assert text.startswith("--- version 1\n+++ version 2\n@@")
    assert "-          return 2 * x\n+          return x + x\n" in text


def test_documents_too_long_for_a_diff() -> None:
    long = {"output": ["x"] * (MAX_DIFF_LINES + 1)}
    assert unified_diff(long, {"output": []}, ("a", "b")) is None
