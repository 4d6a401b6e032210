"""The workflow document's JSON Schema, as tables."""

from __future__ import annotations

from handbook.reference.tables import fields
from workflows.domain.document import json_schema

HEAD = """# The workflow document

Every field of a document, as the published JSON Schema (`/api/v1/schemas/workflow.json` of a running
platform) has it. What the types of steps do, with an example of each, stands in [Types of steps](steps.md);
what a document is, in [The document](../concepts/document.md).
"""


def page() -> str:
    schema = json_schema()
    parts = [HEAD, "## The document itself\n", fields(schema, _link)]
    for name, one in schema["$defs"].items():
        parts.append(f"## {name}\n")
        if one.get("description"):
            parts.append(f"{one['description']}\n")
        parts.append(fields(one, _link))
    return "\n".join(parts)


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"
