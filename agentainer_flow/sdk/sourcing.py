"""What a mapreduce goes over when its items lie elsewhere: in files, at URLs, in stores of objects."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, Literal, TypedDict

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk import options

Format = Literal["jsonl", "csv", "tsv", "json", "text"]
FORMATS = ("jsonl", "csv", "tsv", "json", "text")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Source(TypedDict, total=False):
    """`source`: a path, a URL or a list. `batch_size`: items in one call. `format`: left out, by the ending.
    `pool`: that reads it, with network "egress" for what is outside. `options`: of fsspec's file system,
    where {"secret": NAME} stands for a secret of the team."""

    source: str | list[Any]
    batch_size: int
    format: Format
    pool: str
    options: Mapping[str, Any]


def source(where: str, given: object) -> dict[str, Any]:
    """As the document has it. Raises DefinitionError."""
    wanted: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {"source": given}
    inside = f"{where}: source"
    options.refuse_unknown(inside, set(wanted) - set(Source.__annotations__), Source.__annotations__)
    place = wanted.get("source")
    if isinstance(place, PurePath):
        place = wanted["source"] = str(place)
    if isinstance(place, tuple):
        place = wanted["source"] = list(place)
    if not isinstance(place, list) and not (isinstance(place, str) and place.strip()):
        raise DefinitionError(
            f'{inside} is a path, a URL such as "s3://bucket/orders.csv", or a list; not {place!r}.'
        )
    found = {name: value for name, value in wanted.items() if value is not None}
    if "batch_size" in found:
        options.whole(inside, "batch_size", found["batch_size"], low=1, high=10_000)
    if "format" in found:
        options.choice(inside, "format", found["format"], FORMATS)
    if "pool" in found:
        options.text(inside, "pool", found["pool"])
    if not isinstance(found.get("options", {}), Mapping):
        raise DefinitionError(f"{inside}: options is a dict, not {found['options']!r}.")
    checked: dict[str, Any] = options.json_value(where, "source", found)
    return checked


def is_relative(place: object) -> bool:
    """Whether it is a path that begins among the files of the bundle."""
    if not isinstance(place, str) or "://" in place or place.startswith(("data:", "${")):
        return False
    return not PurePath(place).is_absolute()


def returned(where: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """What a method of `@mapreduce` returned. In an agent, relative paths belong to the bundle it runs."""
    found = source(where, value)
    home = Path(sys.path[0]).name if sys.path else ""
    if is_relative(found["source"]) and _SHA256.fullmatch(home):
        found["bundle"] = home
    return found
