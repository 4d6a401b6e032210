"""What `over` may give in place of a list: an object that names a source, which an agent then reads.

    {"source": "s3://bucket/orders.csv.gz", "batch_size": 1000, "pool": "outside"}

Does not: read anything; the agents' `agentainer_flow.sources` does.
"""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from workflows.domain.artifacts import is_sha256
from workflows.domain.steps import Name, Part, Whole
from workflows.domain.work import ExpressionError

_OWN = frozenset({"", "file", "local", "data", "memory"})  # schemes of what every agent has itself


class Source(Part):
    """Where a map's items lie. `source`: a path, a URL, or the list itself."""

    source: str | tuple[Any, ...]
    batch_size: Whole | None = Field(default=None, ge=1, le=10_000)
    format: Literal["jsonl", "csv", "tsv", "json", "text"] | None = None
    pool: Name | None = None  # that reads it
    bundle: str | None = None  # in which relative paths begin
    options: dict[str, Any] | None = None  # of the file system; {"secret": NAME} stands for a secret's value

    @property
    def is_outside(self) -> bool:
        """Whether reading it reaches over the network."""
        return isinstance(self.source, str) and scheme_of(self.source) not in _OWN

    @property
    def shown(self) -> str:
        """As messages may tell it: without passwords and signatures."""
        parts = urlsplit(str(self.source))
        if not parts.netloc:
            return str(self.source)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def scheme_of(source: str) -> str:
    scheme, colon, rest = source.partition(":")
    found = (
        scheme.lower() if colon and len(scheme) > 1 and (rest.startswith("//") or scheme == "data") else ""
    )
    return found.rpartition("::")[2]


def is_source(value: Any) -> bool:
    return isinstance(value, dict) and "source" in value


def source_of(value: dict[str, Any], *, written: bool) -> Source:
    """`written`: the document says it, and not what an expression gave, which may come from outside: that
    names neither secrets nor a pool. Raises ExpressionError, a sentence on the first thing that is wrong."""
    try:
        found = Source.model_validate(value)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"] if not str(part).startswith("tuple")) or "source"
        raise ExpressionError(f"the source of `over`: {place}: {first['msg']}") from None
    if not written and (found.pool is not None or found.options is not None):
        raise ExpressionError(
            "the source of `over` comes from an expression: its pool and options can stand in the document "
            'alone, as over: {"source": …, "pool": …}'
        )
    if found.source == "":
        raise ExpressionError("the source of `over` is empty; give a path, a URL or a list")
    if found.bundle is not None and not is_sha256(found.bundle):
        raise ExpressionError("the source of `over`: bundle is the SHA-256 of an uploaded bundle")
    return found
