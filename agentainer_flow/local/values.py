"""A local run's shared values, with the operations and the refusals of the platform's."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

MAX_KEY = 200  # characters
_ABSENT = object()


class Refused(Exception):
    """`kind` is the type of the platform's error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Values:
    """Any thread may use it."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, Any] = _copy(dict(values or {}))

    def all(self) -> dict[str, Any]:
        with self._lock:
            found: dict[str, Any] = _copy(dict(sorted(self._values.items())))
        return found

    def apply(self, operation: str, args: Mapping[str, Any]) -> Any:
        """`operation` without "state.". Raises Refused."""
        if operation == "all":
            return self.all()
        act, key = _OPERATIONS.get(operation), args.get("key")
        if act is None:
            raise Refused("not_found", f"There is no operation {operation}.")
        if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY:
            raise Refused("invalid", f"A key of the state is text of 1 to {MAX_KEY} characters.")
        with self._lock:
            before = self._values.get(key, _ABSENT)
            answer, after = act(before, args)
            if after is _ABSENT:
                self._values.pop(key, None)
            elif after is not before:
                self._values[key] = _copy(after)
            return _copy(answer)


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _get(value: Any, args: Mapping[str, Any]) -> tuple[Any, Any]:
    return (args.get("default") if value is _ABSENT else value), value


def _set(_value: Any, args: Mapping[str, Any]) -> tuple[Any, Any]:
    return args.get("value"), args.get("value")


def _delete(value: Any, _args: Mapping[str, Any]) -> tuple[Any, Any]:
    return value is not _ABSENT, _ABSENT


def _increment(value: Any, args: Mapping[str, Any]) -> tuple[Any, Any]:
    by, before = args.get("by", 1), 0 if value is _ABSENT else value
    for number, name in ((by, "`by`"), (before, "The value")):
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise Refused("state_conflict", f"{name} is no number: {json.dumps(number)[:80]}.")
    after = before + by
    if isinstance(after, float) and not math.isfinite(after):
        raise Refused("state_conflict", "The sum is too large for a number.")
    return after, after


def _append(value: Any, args: Mapping[str, Any]) -> tuple[Any, Any]:
    items = _list(value)
    return len(items) + 1, [*items, args.get("value")]


def _add(value: Any, args: Mapping[str, Any]) -> tuple[Any, Any]:
    items, new = _list(value), args.get("value")
    if any(_same(item, new) for item in items):
        return False, value
    return True, [*items, new]


def _list(value: Any) -> list[Any]:
    items = [] if value is _ABSENT else value
    if not isinstance(items, list):
        raise Refused("state_conflict", f"The value is no list: {json.dumps(value)[:80]}.")
    return items


def _compare(value: Any, args: Mapping[str, Any]) -> tuple[Any, Any]:
    if not _same(None if value is _ABSENT else value, args.get("expected")):
        return False, value
    return True, args.get("value")


def _same(one: Any, other: Any) -> bool:
    """As JSON: true is not 1, and the order of an object's keys does not count."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


_OPERATIONS: dict[str, Callable[[Any, Mapping[str, Any]], tuple[Any, Any]]] = {
    "get": _get,
    "set": _set,
    "delete": _delete,
    "increment": _increment,
    "append_to_list": _append,
    "add_to_set": _add,
    "compare_and_set": _compare,
}
