"""Parts of addresses, and keys of requests. Needs the standard library alone."""

from __future__ import annotations

import os
from urllib.parse import quote


def part(name: str) -> str:
    """One part of an address; a name with a slash in it must not lead elsewhere."""
    return quote(str(name), safe="")


def new_key() -> str:
    """An idempotency key: a request that is sent again with it counts once."""
    return os.urandom(16).hex()
