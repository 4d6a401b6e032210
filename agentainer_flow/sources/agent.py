"""Reads a source inside an agent, and hands its items on to the executor that asked, a page at a time.

The executor's answer to a page is what the next one waits for: an agent is never further ahead than that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from agentainer_flow.agent.outputs import BadOutput, encode
from agentainer_flow.context import Context
from agentainer_flow.sources.opening import SourceError
from agentainer_flow.sources.reading import LONGEST, read_items

PAGE = 1000  # items
PAGE_BYTES = 256 * 1024  # of JSON, about


def read(
    ctx: Context,
    source: str,
    format: str | None = None,  # noqa: A002 - the document's word
    options: Mapping[str, Any] | None = None,
    bundled: bool = False,
) -> int:
    """How many items there were. `bundled`: relative paths begin in the bundle. Raises SourceError."""
    root = Path(sys.path[0]) if bundled else None
    items = read_items(source, format=format, options=with_secrets(ctx.secrets.get, options), root=root)
    count = 0
    for page in pages(source, items):
        ctx._ask("source.items", {"items": page})
        count += len(page)
    return count


def pages(source: str, items: Iterator[Any]) -> Iterator[list[Any]]:
    page: list[Any] = []
    size = 0
    for number, item in enumerate(items, 1):
        length = _length(source, item, number)
        if page and (len(page) == PAGE or size + length > PAGE_BYTES):
            yield page
            page, size = [], 0
        page.append(item)
        size += length
    if page:
        yield page


def _length(source: str, item: Any, number: int) -> int:
    try:
        length = len(encode(item, f"item {number}"))
    except BadOutput as exc:
        raise SourceError(source, str(exc)) from None
    if length > LONGEST:
        raise SourceError(source, f"item {number} is larger than {LONGEST // 1024} KiB, the most of an item.")
    return length


def with_secrets(secret: Callable[[str], str], options: Any) -> Any:
    """The options with the team's secrets in the place of their names: {"secret": NAME}."""
    if isinstance(options, Mapping):
        if options.keys() == {"secret"}:
            return secret(str(options["secret"]))
        return {name: with_secrets(secret, value) for name, value in options.items()}
    return options
