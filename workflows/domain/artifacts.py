"""Values too large for a row stand in it as a reference: ``{"$artifact": SHA-256, "size": bytes, …}``.

A column that may hold a reference holds one of three things as a whole: a reference, a value as it is, or,
for the rare value of somebody's own that looks like one of ours, ``{"$literal": value}``. So what a step
returned is never taken for a reference, wherever it got it from. References deep inside a value mean nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

LIMIT = 64 * 1024  # bytes of JSON; what is larger becomes an artifact

_KEYS = {"$artifact", "size", "content_type"}
_LITERAL = {"$literal"}
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Ref:
    """An artifact of the team by the SHA-256 (lower-case hexadecimal) of its bytes."""

    sha256: str
    size: int
    content_type: str = "application/json"

    def as_json(self) -> dict[str, Any]:
        return {"$artifact": self.sha256, "size": self.size, "content_type": self.content_type}


def read_ref(stored: Any) -> Ref | None:
    """The reference that a column holds; None when it holds a value."""
    if not isinstance(stored, dict) or stored.keys() != _KEYS:
        return None
    sha256, size, content_type = stored["$artifact"], stored["size"], stored["content_type"]
    if not is_sha256(sha256) or type(size) is not int or not isinstance(content_type, str):
        return None
    return Ref(sha256, size, content_type)


def is_ref(stored: Any) -> bool:
    return read_ref(stored) is not None


def is_sha256(text: Any) -> bool:
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def packed(value: Any) -> Any:
    """What a column holds for a value that stays in its row."""
    return {"$literal": value} if is_ref(value) or _is_literal(value) else value


def unpacked(stored: Any) -> Any:
    """The value that `packed` was given. Of a reference there is none: look for one first."""
    return stored["$literal"] if _is_literal(stored) else stored


def _is_literal(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == _LITERAL


def may_be_large(value: Any) -> bool:
    """Whether the value's JSON may be longer than LIMIT; looks at no more of it than is needed to tell."""
    # The shortest that a character can become is one byte, the longest six.
    return is_longer(value, LIMIT // 6)


def is_longer(value: Any, most: int) -> bool:
    """Whether the value has more than so many parts and characters, each counted as often as it is told."""
    room, todo = most, [value]
    while todo:
        current = todo.pop()
        room -= 1
        if isinstance(current, str):
            room -= len(current)
        elif isinstance(current, dict):
            room -= sum(map(len, current))
            todo += current.values()
        elif isinstance(current, list):
            todo += current
        if room < 0 or len(todo) > room:
            return True
    return False


def place_of(team_id: int, sha256: str) -> str:
    """Where an artifact lies below the store's root: no folder gets more than a 65,536th of them."""
    return f"{team_id}/{sha256[:2]}/{sha256[2:4]}/{sha256}"
