"""What two versions of a document differ in. Steps are matched by their ids, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["added", "removed", "changed"]
_ABSENT: Any = object()
# The document's list of steps, and loops' lists; `steps` elsewhere (in an input, say) is any list.
_STEPS = re.compile(r"steps(\[[^\]]*\]\.steps)*")


@dataclass(frozen=True, slots=True)
class Change:
    """`path` is a JSON path in which a step stands by its id: ``steps[count].pool.size``."""

    path: str
    kind: Kind
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class StepChanges:
    """Ids of steps; those inside a loop as ``loop.step``. A loop is changed when a step in it is."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same. Python's own `==` takes `true` for 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def changes_between(before: Any, after: Any) -> list[Change]:
    """Every difference, in the order of `before`, with what was added after it."""
    return list(_changes(before, after, ""))


def _changes(before: Any, after: Any, path: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            here = f"{path}.{key}" if path else str(key)
            yield from _part(before.get(key, _ABSENT), after.get(key, _ABSENT), here)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_changes(before, after, path)
    elif not same(before, after):
        yield Change(path, "changed", before, after)


def _part(before: Any, after: Any, path: str) -> Iterator[Change]:
    if before is _ABSENT:
        yield Change(path, "added", None, after)
    elif after is _ABSENT:
        yield Change(path, "removed", before, None)
    else:
        yield from _changes(before, after, path)


def _list_changes(before: list[Any], after: list[Any], path: str) -> Iterator[Change]:
    if _STEPS.fullmatch(path):
        old, new = _by_id(before), _by_id(after)
        if old is not None and new is not None:
            yield from _step_changes(old, new, path)
            return
    if not any(isinstance(value, dict | list) for value in [*before, *after]):
        # Of names or numbers (`needs`, an enumeration): where each stands says less than the whole.
        if not same(before, after):
            yield Change(path, "changed", before, after)
        return
    for place in range(max(len(before), len(after))):
        old_part = before[place] if place < len(before) else _ABSENT
        new_part = after[place] if place < len(after) else _ABSENT
        yield from _part(old_part, new_part, f"{path}[{place}]")


def _by_id(steps: Any) -> dict[str, Any] | None:
    """None when it is no list of steps that each have an id of their own."""
    if not isinstance(steps, list) or not all(
        isinstance(step, dict) and isinstance(step.get("id"), str) for step in steps
    ):
        return None
    found = {step["id"]: step for step in steps}
    return found if len(found) == len(steps) else None


def _step_changes(before: dict[str, Any], after: dict[str, Any], path: str) -> Iterator[Change]:
    for key in [*before, *(key for key in after if key not in before)]:
        yield from _part(before.get(key, _ABSENT), after.get(key, _ABSENT), f"{path}[{key}]")
    kept_before = [key for key in before if key in after]
    kept_after = [key for key in after if key in before]
    if kept_before != kept_after:
        yield Change(path, "changed", list(before), list(after))


def step_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> StepChanges:
    """Which steps of two documents differ."""
    old, new = dict(_all_steps(before, "")), dict(_all_steps(after, ""))
    return StepChanges(
        added=tuple(key for key in new if key not in old),
        removed=tuple(key for key in old if key not in new),
        changed=tuple(key for key in old if key in new and not same(old[key], new[key])),
    )


def _all_steps(holder: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, step in (_by_id(holder.get("steps")) or {}).items():
        yield f"{prefix}{key}", step
        if step.get("type") == "loop":
            yield from _all_steps(step, f"{prefix}{key}.")
