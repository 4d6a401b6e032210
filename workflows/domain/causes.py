"""Failures of one kind under one name, however their numbers, ids and quoted values differ."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

_VARIES = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27,}"  # UUIDs
    r"|0x[0-9a-f]+"
    r"|'[^']{0,200}'|\"[^\"]{0,200}\""
    r"|\d+(?:\.\d+)?",
    re.IGNORECASE,
)
_LONGEST = 300


def title_of(error: Mapping[str, Any]) -> str:
    """One line that the failures of one kind share: their type, and their message without what varies."""
    message = str(error.get("message") or "").strip().splitlines()
    first = _VARIES.sub("…", message[0][:_LONGEST]) if message else ""
    return f"{error.get('type') or 'error'}: {first}" if first else str(error.get("type") or "error")


def cause_of(error: Mapping[str, Any]) -> str:
    """A short name for `title_of`, to group by."""
    return hashlib.sha256(title_of(error).encode("utf-8", "replace")).hexdigest()[:16]
