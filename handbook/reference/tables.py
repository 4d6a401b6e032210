"""Tables of Markdown, and JSON Schemas in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]
Link = Callable[[str], str]  # the name of a shape -> Markdown that leads to it


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row(head), _row(["---"] * len(head)), *(_row([cell(one) for one in row]) for row in rows)]
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def fields(schema: Schema, link: Link) -> str:
    """A table of an object's fields; a sentence where it has none of its own."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    if not properties:
        return f"{kind(schema, link)}.\n" if kind(schema, link) else "Any JSON value.\n"
    required = set(schema.get("required", ()))
    rows = [
        (f"`{name}`", kind(one, link), "yes" if name in required else "", about(one))
        for name, one in properties.items()
    ]
    return table(("field", "type", "required", "meaning"), rows)


def kind(schema: Schema, link: Link) -> str:
    """A type in words."""
    if "$ref" in schema:
        return link(str(schema["$ref"]).rpartition("/")[2])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            kinds = [kind(one, link) or "any" for one in schema[several]]
            return " or ".join(dict.fromkeys(kinds))
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    found = schema.get("type", "")
    if isinstance(found, list):
        return " or ".join(found)
    if found == "array":
        return f"list of {kind(schema.get('items', {}), link) or 'any'}"
    form = schema.get("format")
    return f"{found} ({form})" if form else str(found)


def about(schema: Schema) -> str:
    """Its description, limits and default."""
    said = [str(schema.get("description", "")).strip()]
    for name, words in (("minimum", "at least"), ("maximum", "at most"), ("maxLength", "up to characters:")):
        if name in schema:
            said.append(f"{words} {schema[name]}")
    if schema.get("default") not in (None, "", [], {}):
        said.append(f"default `{json.dumps(schema['default'])}`")
    return "; ".join(one for one in said if one)
