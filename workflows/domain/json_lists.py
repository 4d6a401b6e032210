"""One list inside a JSON text, element by element, while the text is read: neither is ever held whole.

Does not: know where the text comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Protocol

import ijson
from ijson.common import ObjectBuilder

READ_AT_ONCE = 64 * 1024  # bytes

_Events = Iterator[tuple[str, Any]]
_OPENS, _CLOSES = ("start_map", "start_array"), ("end_map", "end_array")


class NoList(LookupError):
    """The path leads to no list, or the text cannot be read this way; reading it whole tells more."""


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def elements(file: Readable, path: Sequence[str | int]) -> Iterator[Any]:
    """The elements of the list at `path` (keys and indexes from the outermost value on), as `json.loads`
    gives them. The file is read to its end. Raises NoList."""
    events: _Events = ijson.basic_parse(file, buf_size=READ_AT_ONCE)
    try:
        _go_to(events, path)
        for event, value in events:
            if event == "end_array":
                break
            yield _built(event, value, events)
        for _event in events:
            pass
    except ijson.JSONError as exc:  # of JSON alone: we also store what only Python reads, such as NaN
        raise NoList(str(exc)) from exc


def _go_to(events: _Events, path: Sequence[str | int]) -> None:
    """Up to the opening of the list."""
    for part in path:
        event, _ = next(events)
        if event == "start_map" and isinstance(part, str):
            _go_to_key(events, part)
        elif event == "start_array" and isinstance(part, int):
            for _ in range(part):
                if not _skip(events):
                    raise NoList(part)
        else:
            raise NoList(part)
    if next(events)[0] != "start_array":
        raise NoList(path)


def _go_to_key(events: _Events, wanted: str) -> None:
    while True:
        event, key = next(events)
        if event == "end_map":
            raise NoList(wanted)
        if key == wanted:
            return
        _skip(events)


def _skip(events: _Events) -> bool:
    """Passes over one value; False at the end of the list instead."""
    depth = 0
    for event, _ in events:
        depth += (event in _OPENS) - (event in _CLOSES)
        if depth <= 0:
            return depth == 0
    raise NoList


def _built(event: str, value: Any, events: _Events) -> Any:
    """The value that begins with this event."""
    if event not in _OPENS:
        return _number(value)
    builder, depth = ObjectBuilder(), 1
    builder.event(event, value)
    while depth:
        event, value = next(events)
        depth += (event in _OPENS) - (event in _CLOSES)
        builder.event(event, _number(value))
    return builder.value


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
