"""The params of a local run: the schema's defaults filled in, and what does not fit refused.

Names, required ones and plain types are checked here; the rest of JSON Schema where the library `jsonschema`
is installed, as with the extra `local`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from typing import Any

from agentainer_flow.errors import Fault, InvalidRequest

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def filled(schema: Mapping[str, Any] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Raises InvalidRequest with every fault, as a client would for a run on the platform."""
    if schema is None:
        if given:
            names = ", ".join(sorted(given))
            raise _refusal([Fault("params", f"This workflow takes no params; it does not know {names}.")])
        return {}
    properties: Mapping[str, Any] = schema.get("properties") or {}
    defaults = {
        name: part["default"]
        for name, part in properties.items()
        if isinstance(part, Mapping) and "default" in part
    }
    params = {**defaults, **given}
    closed = {"additionalProperties": False, **schema} if properties else schema
    faults = list(faults_of(closed, params, "params"))
    if faults:
        raise _refusal(faults)
    return params


def faults_of(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[Fault]:
    """What does not fit a schema of an object."""
    if importlib.util.find_spec("jsonschema") is not None:
        yield from _by_library(schema, value, path)
        return
    if not isinstance(value, Mapping):
        yield Fault(path, f"{value!r} is not of type 'object'.")
        return
    properties: Mapping[str, Any] = schema.get("properties") or {}
    for name in schema.get("required") or ():
        if name not in value:
            yield Fault(path, f"{name!r} is a required property.")
    for name, one in value.items():
        if name not in properties:
            if schema.get("additionalProperties") is False:
                yield Fault(path, f"{name!r} is not known here.")
        elif not _has_type(properties[name], one):
            yield Fault(f"{path}.{name}", f"{one!r} is not of type {properties[name]['type']!r}.")


def _by_library(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[Fault]:
    import jsonschema

    for error in jsonschema.Draft202012Validator(dict(schema)).iter_errors(value):
        where = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in error.absolute_path)
        message = error.message[:500]
        yield Fault(f"{path}{where}", message if message.endswith(".") else f"{message}.")


def _has_type(part: Any, value: Any) -> bool:
    wanted = part.get("type") if isinstance(part, Mapping) else None
    if wanted is None:
        return True
    kinds = [wanted] if isinstance(wanted, str) else wanted
    return any(
        isinstance(value, _TYPES.get(kind, (object,)))
        and not (isinstance(value, bool) and kind in ("integer", "number"))
        for kind in kinds
    )


def _refusal(faults: list[Fault]) -> InvalidRequest:
    first = faults[0]
    return InvalidRequest(400, "invalid_params", f"{first.path}: {first.message}", faults)
