"""The shape of a document: types, required and unknown fields, each fault with a sentence.

A document with faults of shape is mended where that is possible (the faulty field left out), only so that the
check of its meaning can run as well: people want every fault at once.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from aflow_site.kernel.errors import Fault
from workflows.domain.document import Document

MAX_DEPTH = 64
MAX_FAULTS = 200  # with more there is no point in mending, or in telling them
_MENDING_ROUNDS = 4

Parts = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """`document` is complete when there are no faults, mended when there are, None when beyond mending."""

    document: Document | None
    faults: tuple[Fault, ...]


def read_shape(data: Any) -> Reading:
    if not isinstance(data, dict):
        return Reading(None, (Fault("$", "A workflow is a JSON object with a name and steps."),))
    if _depth(data) > MAX_DEPTH:
        sentence = f"The document is nested deeper than {MAX_DEPTH} levels; flatten it."
        return Reading(None, (Fault("$", sentence),))
    try:
        return Reading(Document.model_validate(data), ())
    except ValidationError as exc:
        faults = tuple(_faults(exc, data)[:MAX_FAULTS])
        return Reading(_mended(data, exc) if len(faults) < MAX_FAULTS else None, faults)


def _depth(value: Any) -> int:
    """Levels of nesting, counted without recursion (the value may be hostile)."""
    deepest, todo = 0, [(value, 1)]
    while todo:
        current, level = todo.pop()
        deepest = max(deepest, level)
        if level > MAX_DEPTH:
            return level
        if isinstance(current, dict):
            todo += [(child, level + 1) for child in current.values()]
        elif isinstance(current, list):
            todo += [(child, level + 1) for child in current]
    return deepest


def _faults(error: ValidationError, data: dict[str, Any]) -> list[Fault]:
    faults: dict[tuple[str, str], Fault] = {}
    for parts, detail in _complaints(error, data):
        path, message = _path_text(parts), _sentence(detail)
        faults.setdefault((path, message), Fault(path, message, _step_of(parts, data)))
    return list(faults.values())


def _complaints(error: ValidationError, data: dict[str, Any]) -> list[tuple[Parts, Any]]:
    """Where it is wrong, and how; of a union only what the member that the author meant has to say."""
    told = [(_author_path(detail, data), detail) for detail in error.errors(include_url=False)]
    meant = [(parts, detail) for parts, detail in told if not _other_member(detail)]
    told_within = {parts[:length] for parts, _detail in meant for length in range(len(parts) + 1)}
    return meant + [
        (parts, detail) for parts, detail in told if _other_member(detail) and parts not in told_within
    ]


def _other_member(detail: Any) -> bool:
    """Whether this may be the complaint of a union member that the author plainly did not mean."""
    given, kind = detail["input"], detail["type"]
    return (kind == "string_type" and isinstance(given, dict | list)) or (
        kind in ("model_type", "tuple_type") and isinstance(given, str)
    )


def _author_path(detail: Any, data: dict[str, Any]) -> Parts:
    """Pydantic's location without the names of union members, which the author never wrote."""
    parts: list[int | str] = []
    value: Any = data
    last = len(detail["loc"]) - 1
    for position, part in enumerate(detail["loc"]):
        present = (isinstance(value, dict) and part in value) or isinstance(part, int)
        if not present and not (position == last and detail["type"] == "missing"):
            continue
        parts.append(part)
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            value = None
    return tuple(parts)


def _path_text(parts: Parts) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.lstrip(".") or "$"


def _step_of(parts: Parts, data: dict[str, Any]) -> str | None:
    """The id of the innermost step on the way (steps of a loop stand inside it)."""
    found: str | None = None
    value: Any = data
    for place, part in enumerate(parts):
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            break
        is_step = isinstance(part, int) and place and parts[place - 1] == "steps"
        if is_step and isinstance(value, dict) and isinstance(value.get("id"), str):
            found = value["id"]
    return found


TYPES = "task, map, reduce, mapreduce, branch, loop, workflow, approval or wait"

_SENTENCES = {
    "missing": "This field is required; add it.",
    "extra_forbidden": "This field is not known here; remove it, or check its spelling.",
    "union_tag_not_found": f"Say which type of step this is: {TYPES}.",
}


_OPENING = re.compile(r"^(Input|String|List|Tuple|Dictionary) should")
# The library speaks of Python's types; people write JSON.
_WORDS = {
    "a valid dictionary or object to extract fields from": "an object",
    "a valid tuple": "a list",
    "a valid list": "a list",
    "a valid dictionary": "an object",
    "a valid string": "text",
    "a valid integer": "a whole number",
    "a valid boolean": "true or false",
    "a valid number": "a number",
}


def _sentence(detail: Any) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _SENTENCES:
        return _SENTENCES[kind]
    if kind == "union_tag_invalid":
        return f"{context.get('tag')!r} is not a type of step; use {TYPES}."
    if kind == "string_pattern_mismatch":
        given = str(detail["input"])[:60]
        if detail["loc"] and detail["loc"][-1] == "image":
            return f"{given!r} is no image; write one such as aggregator:latest."
        return f"{given!r} does not fit here; it must match {context.get('pattern')}."
    if kind == "model_type":
        return "This should be an object."
    if kind == "value_error":
        text = str(context.get("error", detail["msg"]))
        return text[:1].upper() + text[1:] + "."
    if kind == "too_short":
        return (
            f"This list is too short: it has {context['actual_length']}, and needs {context['min_length']}."
        )
    if kind == "too_long":
        return f"This list is too long; {context['max_length']} is the most."
    message = _OPENING.sub("This should", str(detail["msg"]))
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    return message if message.endswith(".") else message + "."


_STAND_IN_RUN = {"code": "main = None"}
_STAND_INS: dict[str, Any] = {
    "name": "unnamed",
    "run": _STAND_IN_RUN,
    "mapper": _STAND_IN_RUN,
    "over": [],
    "type": "task",
    "until": True,
    "cases": [{"when": True, "then": []}],
    "workflow": "unnamed",
}


def _mended(data: dict[str, Any], error: ValidationError) -> Document | None:
    draft = deepcopy(data)
    for _round in range(_MENDING_ROUNDS):
        for parts, detail in _complaints(error, draft):
            _mend(draft, parts, detail)
        try:
            return Document.model_validate(draft)
        except ValidationError as exc:
            error = exc
    return None


def _mend(draft: Any, parts: Parts, detail: Any) -> None:
    """Leaves the faulty field out, or puts a stand-in where the field is required."""
    if detail["type"].startswith("union_tag"):
        parts = (*parts, "type")
    holder = draft
    try:
        for part in parts[:-1]:
            holder = holder[part]
    except (KeyError, IndexError, TypeError):
        return  # an earlier mending already took it out
    if isinstance(holder, list) and len(parts) > 1 and parts[-2] == "steps":
        name = "_".join(["unnamed", *(str(part) for part in parts if isinstance(part, int))])
        holder[int(parts[-1])] = {"id": name, "type": "task", "run": _STAND_IN_RUN}
    if not parts or not isinstance(holder, dict):
        return
    field = str(parts[-1])
    holder.pop(field, None)
    if field in _STAND_INS and (field != "name" or len(parts) == 1):
        holder[field] = _STAND_INS[field]
    elif field == "id":
        holder[field] = "_".join(["unnamed", *(str(part) for part in parts[1:-1])])
