"""The shapes of what the REST API takes and gives, as its OpenAPI schema has them."""

from __future__ import annotations

from handbook.reference.rest import openapi
from handbook.reference.tables import fields

HEAD = """# Shapes of the REST API

What the [addresses](rest.md) take and give. Answers may have more fields in later versions; bodies with
fields that the platform does not know are refused.

"""


def page() -> str:
    parts = []
    for name, schema in sorted(openapi()["components"]["schemas"].items()):
        told = str(schema.get("description", "")).strip()
        parts.append(f"## {name}\n\n" + (f"{told}\n\n" if told and "properties" in schema else ""))
        parts.append(fields(schema, _link) + "\n")
    return HEAD + "".join(parts)


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"
