"""The addresses of the REST API, as its OpenAPI schema has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from handbook.reference.tables import Schema, kind, table

HEAD = """# REST API

All addresses begin with `/api/v1/`. Programs send `Authorization: Token …`; what a token may do is its role's
([Teams and roles](../concepts/teams.md)). Bodies are JSON. Lists are `{"results", "next", "previous"}`:
follow `next` until it is null. Errors are [problem documents](errors.md). A running platform shows the same
with forms to try it at `/api/v1/docs/`, and as OpenAPI 3.1 at `/api/v1/schema/`.

"""
METHODS = ("get", "post", "put", "patch", "delete")


@cache
def openapi() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return found


def page() -> str:
    by_tag: dict[str, list[str]] = {}
    for path, method, operation in operations():
        by_tag.setdefault(operation["tags"][0], []).append(_section(path, method, operation))
    return HEAD + "\n".join(f"## {tag}\n\n" + "\n".join(by_tag[tag]) for tag in sorted(by_tag))


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(path, method, operation) of all."""
    for path, item in openapi()["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def _section(path: str, method: str, operation: Mapping[str, Any]) -> str:
    parts = [f"### {method.upper()} {path.removeprefix('/api/v1')}", operation.get("description", "").strip()]
    given = [one for one in operation.get("parameters", ()) if one["in"] != "path"]
    if given:
        rows = [
            (f"`{one['name']}`", one["in"], kind(one.get("schema", {}), link), one.get("description", ""))
            for one in given
        ]
        parts.append(table(("parameter", "in", "type", "meaning"), rows).strip())
    parts.append(" ".join(_bodies(operation)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _bodies(operation: Mapping[str, Any]) -> Iterator[str]:
    body = _of(operation.get("requestBody", {}))
    if body is not None:
        yield f"Body: {body}."
    for status, answer in operation["responses"].items():
        told = _of(answer)
        yield f"Answer {status}: {told}." if told else f"Answer {status}."


def _of(content: Mapping[str, Any]) -> str | None:
    """The shape of a body, as Markdown."""
    for one in content.get("content", {}).values():
        return kind(one.get("schema", {}), link) or "any JSON value"
    return None


def link(name: str) -> str:
    return f"[{name}](shapes.md#{name.lower()})"


def shape(name: str) -> Schema:
    found: Schema = openapi()["components"]["schemas"][name]
    return found
