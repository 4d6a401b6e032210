"""Turning what a body returned, or says on its way, into JSON, and saying where it cannot be."""

from __future__ import annotations

import json
import math
import re
from types import CoroutineType
from typing import Any

MAX_OUTPUT = 60 * 1024 * 1024  # bytes of all outputs of a request
_PLAIN = frozenset((str, int, float, bool, type(None)))
_NAME = re.compile(r"^[^\W\d]\w*$")
_encoder = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))


class BadOutput(Exception):
    """The value has no JSON form; the text names the place in it."""


def encode(value: Any, name: str = "output") -> bytes:
    """Raises `BadOutput`, whose text calls the value `name`. Tuples become arrays."""
    try:
        text = _encoder.encode(value)
        if _has_odd_keys(value):
            raise BadOutput(_fault(value, name))
        return text.encode()
    except UnicodeEncodeError:
        raise BadOutput(_fault(value, name)) from None
    except RecursionError:
        raise BadOutput(f"The {name} is nested too deeply.") from None
    except (TypeError, ValueError) as exc:
        raise BadOutput(_fault(value, name, str(exc))) from None


def line(value: Any) -> bytes:
    """For our own messages: what is no valid Unicode in them becomes question marks."""
    return _encoder.encode(value).encode("utf-8", "replace")


def _has_odd_keys(value: Any) -> bool:
    """Whether an object has a key that is no string (`json` would turn some into strings in silence)."""
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            if any(type(key) is not str and not isinstance(key, str) for key in part):
                return True
            part = part.values()
        elif not isinstance(part, list | tuple):
            continue
        # Most lists hold plain values alone: their types are looked through without a step for each.
        if not _PLAIN.issuperset(map(type, part)):
            stack.extend(part)
    return False


def _fault(root: Any, name: str, otherwise: str = "") -> str:
    """A sentence on the first value without a JSON form, and its path."""
    stack: list[tuple[str, Any, frozenset[int]]] = [(name, root, frozenset())]
    while stack:
        path, value, above = stack.pop()
        problem = _problem(value, above)
        if problem:
            return f"{path} {problem}"
        if isinstance(value, dict | list | tuple):
            inside = above | {id(value)}
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            stack += [(_path(path, key), part, inside) for key, part in reversed(list(parts))]
    return f"{name} cannot be written as JSON: {otherwise}"


def _problem(value: Any, above: frozenset[int]) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value!r}, a number that JSON does not have."
    if isinstance(value, str):
        return "" if _is_unicode(value) else "is text that is no valid Unicode."
    if value is None or isinstance(value, int | float):
        return ""
    if isinstance(value, CoroutineType):
        return "is a coroutine, which nobody awaited: write await before the call that gave it."
    if not isinstance(value, dict | list | tuple):
        return f"is of type {type(value).__name__}, which has no JSON form."
    if id(value) in above:
        return "contains itself."
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                return f"has the key {key!r}; the keys of a JSON object are strings."
            if not _is_unicode(key):
                return "has a key that is no valid Unicode."
    return ""


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _path(path: str, key: Any) -> str:
    if isinstance(key, str):
        return f"{path}.{key}" if _NAME.match(key) else f"{path}[{key!r}]"
    return f"{path}[{key}]"
