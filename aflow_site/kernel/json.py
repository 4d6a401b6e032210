"""JSON out of whatever JSON came in: fast, and for the rare values that the fast way refuses."""

from __future__ import annotations

import json
from typing import Any

import orjson


def to_json(value: Any) -> bytes:
    """Whole numbers of any size are kept; half a surrogate pair, which is no character, becomes `?`.
    Values of other types are told as text."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return json.dumps(value, default=str, ensure_ascii=False).encode("utf-8", "replace")
