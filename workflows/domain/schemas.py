"""JSON Schemas that people write (of params, of forms): checked when saved, used without any danger.

Nothing is ever fetched for a schema, and its patterns run on RE2, whose time is linear in the text: a pattern
such as ``^(a+)+$`` would hold Python's own engine, and with it the whole process, for as long as its author
likes. Does not: know what the schema is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jsonschema
import re2
import referencing
import referencing.exceptions
from jsonschema import ValidationError, validators

from aflow_site.kernel.errors import Fault

Schema = dict[str, Any]
MAX_VALUES = 20_000  # of any type; reading a schema takes some 50 µs for each


class SchemaUnusable(ValueError):
    """The schema itself is at fault; the text is a sentence."""


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    return re2.compile(pattern, options)


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError(f"{instance[:100]!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: dict[str, Any], instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for key, value in instance.items():
            if _compiled(pattern).search(key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    patterns = [_compiled(pattern) for pattern in schema.get("patternProperties", {})]
    known = schema.get("properties", {})
    for key, value in instance.items():
        if key in known or any(pattern.search(key) for pattern in patterns):
            continue
        if isinstance(allowed, dict):
            yield from validator.descend(value, allowed, path=key)
        elif not allowed:
            yield ValidationError(f"{key!r} is not expected here")


_Validator: Any = validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    },
)


def faults_of_schema(schema: Schema, path: str) -> Iterator[Fault]:
    """What is wrong with a schema for objects that stands at `path` in a document."""
    if _has_more_values(schema, MAX_VALUES):
        yield Fault(path, f"This schema is too large: it holds more than {MAX_VALUES} values.")
        return
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as exc:
        where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in exc.absolute_path)
        yield Fault(f"{path}{where}", f"This is not JSON Schema: {exc.message}.")
        return
    if schema.get("type", "object") != "object":
        yield Fault(f"{path}.type", "It describes an object; write type: object.")
    if _reaches_out(schema):
        yield Fault(path, "A $ref may only point inside this schema (#/…); $id and $dynamicRef are not used.")
        return
    if _has_key(schema, "unevaluatedProperties"):
        # The library would match its patterns with Python's engine.
        yield Fault(path, "unevaluatedProperties is not supported; use additionalProperties.")
        return
    unusable = [pattern for pattern in _patterns(schema) if not _is_usable(pattern)]
    for pattern in unusable:
        yield Fault(
            path,
            f"The pattern {pattern!r} cannot be used: patterns have no look-around and no back-references.",
        )
    if unusable:
        return
    try:
        list(problems(schema, {}))
        yield from _default_faults(schema, path)
    except SchemaUnusable as exc:
        yield Fault(path, str(exc))


def _default_faults(schema: Schema, path: str) -> Iterator[Fault]:
    """Defaults of the object's own properties that their schema refuses: they would break every use."""
    properties = schema.get("properties", {})
    for name, part in properties.items():
        if not isinstance(part, dict) or "default" not in part:
            continue
        around = {**schema, "required": [], "properties": {name: part}}
        for error in problems(around, {name: part["default"]}):
            yield Fault(f"{path}.properties.{name}.default", f"The default does not fit: {error.message}.")
            break


def problems(schema: Schema, value: Any) -> Iterator[ValidationError]:
    """Every way in which the value breaks the schema. Raises `SchemaUnusable`."""
    try:
        yield from _Validator(schema, registry=referencing.Registry()).iter_errors(value)
    except (referencing.exceptions.Unresolvable, RecursionError) as exc:
        raise SchemaUnusable("A $ref of this schema points nowhere, or to itself.") from exc


def _has_more_values(value: Any, most: int) -> bool:
    todo = [value]
    while todo and most >= 0:
        current = todo.pop()
        most -= 1
        if isinstance(current, dict):
            todo += current.values()
        elif isinstance(current, list):
            todo += current
    return most < 0


def _is_usable(pattern: str) -> bool:
    try:
        _compiled(pattern)
    except re2.error:
        return False
    return True


def _patterns(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield value["pattern"]
        if isinstance(value.get("patternProperties"), dict):
            yield from value["patternProperties"]
        for child in value.values():
            yield from _patterns(child)
    elif isinstance(value, list):
        for child in value:
            yield from _patterns(child)


def _has_key(value: Any, name: str) -> bool:
    if isinstance(value, dict):
        return name in value or any(_has_key(child, name) for child in value.values())
    return isinstance(value, list) and any(_has_key(child, name) for child in value)


def _reaches_out(value: Any) -> bool:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            return True
        if any(isinstance(value.get(name), str) for name in ("$id", "$dynamicRef")):
            return True
        return any(_reaches_out(child) for child in value.values())
    return isinstance(value, list) and any(_reaches_out(child) for child in value)
