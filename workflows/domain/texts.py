"""Documents as text: YAML for people, JSON for programs. Reading the text gives the same document back.

Fields stand in the order of the model, whatever order they came in: a database may not keep it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import yaml

from workflows.domain.document import Document
from workflows.domain.steps import AnyStep, Part

MAX_DIFF_LINES = 10_000  # more would keep a web process busy for seconds
_WIDTH = 110


def _names(model: type[Part]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


_FIRST = ("id", "name", "type", "needs", "when", "over", "as", "run", "mapper", "reducer", "input")
_STEP_FIELDS = tuple(
    dict.fromkeys([*_FIRST, *(name for model in get_args(AnyStep) for name in _names(model))])
)
_DOCUMENT_FIELDS = _names(Document)


_Rest = Callable[[Any], Any]


def in_order(document: Mapping[str, Any], *, sort_rest: bool = False) -> dict[str, Any]:
    """The document with its own and its steps' fields in the model's order. `sort_rest` sorts the keys of
    everything else too, so that two documents that are equal give the same text."""
    rest = _sorted if sort_rest else _kept
    return _with_steps(_ordered(document, _DOCUMENT_FIELDS, rest), rest)


def _with_steps(holder: dict[str, Any], rest: _Rest) -> dict[str, Any]:
    steps = holder.get("steps")
    if isinstance(steps, list):
        holder["steps"] = [
            _with_steps(_ordered(step, _STEP_FIELDS, rest), rest) if isinstance(step, dict) else step
            for step in steps
        ]
    return holder


def _ordered(value: Mapping[str, Any], fields: Sequence[str], rest: _Rest) -> dict[str, Any]:
    known = [name for name in fields if name in value]
    others = [name for name in value if name not in fields]
    return {name: value[name] if name == "steps" else rest(value[name]) for name in [*known, *others]}


def _kept(value: Any) -> Any:
    return value


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(child) for child in value]
    return value


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Text of several lines stands as it is, below a `|`. No anchors: each value is written out."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(document: Mapping[str, Any]) -> str:
    return _yaml(in_order(document))


def _yaml(value: dict[str, Any]) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text


def as_json(document: Mapping[str, Any]) -> str:
    return json.dumps(in_order(document), indent=2, ensure_ascii=False) + "\n"


def unified_diff(before: Mapping[str, Any], after: Mapping[str, Any], names: tuple[str, str]) -> str | None:
    """The unified diff of both as YAML, empty when they are equal; None when they are too long for one."""
    old, new = (_yaml(in_order(document, sort_rest=True)).splitlines(True) for document in (before, after))
    if max(len(old), len(new)) > MAX_DIFF_LINES:
        return None
    return "".join(difflib.unified_diff(old, new, *names))
