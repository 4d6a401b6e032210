"""JSON in and out: fast, and for the rare texts and values that the fast way refuses or would change."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

DEEPEST = 500  # values in each other; whoever writes them as text must not run out of stack
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def to_json(value: Any) -> bytes:
    """Whole numbers of any size are kept; half a surrogate pair, which is no character, becomes `?`.
    Values of other types are told as text. Raises RecursionError for more than `DEEPEST` values in each
    other."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        if _is_too_deep(value):
            raise RecursionError(f"more than {DEEPEST} values in each other") from None
        return json.dumps(value, default=str, ensure_ascii=False).encode("utf-8", "replace")


def _is_too_deep(value: Any) -> bool:
    """Also of what contains itself."""
    level = [value]
    for _ in range(DEEPEST):
        inner = (
            one
            for outer in level
            if isinstance(outer, dict | list | tuple)
            for one in (outer.values() if isinstance(outer, dict) else outer)
        )
        # What stands in several places is looked into once: each level could be twice the one before.
        level = list({id(one): one for one in inner}.values())
        if not level:
            return False
    return True


def from_json(text: bytes) -> Any:
    """Whole numbers of any size are kept. Raises ValueError, and RecursionError for what is nested too
    deeply."""
    # orjson would round whole numbers beyond 64 bits.
    return json.loads(text) if _LONG_NUMBER.search(text) else orjson.loads(text)


def text_holds_nul(text: bytes) -> bool:
    """Whether a string in the JSON text has a NUL character."""
    return b"\\u0000" in text and _NUL.search(text) is not None
