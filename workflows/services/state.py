"""A run's key-value store, shared by its steps: each operation is atomic, one after the other per run.

Operations of a step's attempt carry the run's fence: those of an attempt that was superseded are refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from aflow_site.kernel.errors import Conflict, InvalidInput, NotFound, TooLarge
from aflow_site.kernel.json import to_json
from workflows.models import Run, RunValue
from workflows.services.journal import ClaimLost
from workflows.services.rows import storable

MAX_KEYS = 10_000
MAX_VALUE = 1024 * 1024  # bytes of JSON
MAX_KEY = 200
_ABSENT = object()


class StateConflict(Conflict):
    code = "state_conflict"
    title = "The value does not allow this"


def all_values(run_id: UUID) -> dict[str, Any]:
    return dict(_live(run_id).order_by("key").values_list("key", "value"))


def _live(run_id: UUID) -> Any:
    return RunValue.objects.filter(run_id=run_id).filter(
        Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    )


def apply(run_id: UUID, operation: str, args: Mapping[str, Any], *, fence: int | None = None) -> Any:
    """Does one of OPERATIONS and returns its value.

    `args`: `key`, and what the operation needs (`value`, `by`, `expected`, `default`, `ttl` in seconds).
    Raises InvalidInput, StateConflict, TooLarge, NotFound, and ClaimLost for a superseded attempt.
    """
    act = OPERATIONS.get(operation)
    if act is None:
        raise NotFound(f"There is no operation {operation}; there is {', '.join(OPERATIONS)}.")
    key = args.get("key")
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY:
        raise InvalidInput(f"A key of the state is text of 1 to {MAX_KEY} characters.")
    key = storable(key)
    with transaction.atomic():
        runs = Run.objects.select_for_update().filter(pk=run_id)
        if fence is not None and not runs.filter(fence=fence).exists():
            raise ClaimLost(f"Run {run_id} is driven by another executor now.")
        if fence is None and not runs.exists():
            raise NotFound(f"There is no run {run_id}.")
        row = RunValue.objects.filter(run_id=run_id, key=key).first()
        now = timezone.now()
        if row is not None and row.expires_at is not None and row.expires_at <= now:
            row.delete()
            row = None
        answer, value = act(_ABSENT if row is None else row.value, args)
        _write(run_id, key, row, value, _expiry(args, now), now)
    return answer


def _expiry(args: Mapping[str, Any], now: datetime) -> datetime | None:
    ttl = args.get("ttl")
    if ttl is None:
        return None
    if not isinstance(ttl, int | float) or isinstance(ttl, bool) or not 0 < ttl <= 10 * 365 * 86400:
        raise InvalidInput("ttl is a number of seconds above 0.")
    return now + timedelta(seconds=ttl)


class _Unchanged:
    """The operation only looked."""


_UNCHANGED = _Unchanged()


def _write(
    run_id: UUID, key: str, row: RunValue | None, value: Any, expires_at: datetime | None, now: datetime
) -> None:
    if value is _UNCHANGED:
        return
    if value is _ABSENT:
        if row is not None:
            row.delete()
        return
    if len(to_json(value)) > MAX_VALUE:
        raise TooLarge(f"A value of the state is at most {MAX_VALUE // 1024} KiB; return large data instead.")
    value = storable(value)
    if row is None:
        if RunValue.objects.filter(run_id=run_id).count() >= MAX_KEYS:
            raise TooLarge(f"A run's state holds at most {MAX_KEYS:,} keys.")
        RunValue.objects.create(run_id=run_id, key=key, value=value, updated_at=now, expires_at=expires_at)
    else:
        row.value, row.updated_at, row.version = value, now, row.version + 1
        row.expires_at = expires_at or row.expires_at
        row.save(update_fields=["value", "updated_at", "version", "expires_at"])


Act = Callable[[Any, Mapping[str, Any]], tuple[Any, Any]]  # (value or _ABSENT, args) -> (answer, new value)


def _get(value: Any, args: Mapping[str, Any]) -> tuple[Any, Any]:
    return (args.get("default") if value is _ABSENT else value), _UNCHANGED


def _set(_value: Any, args: Mapping[str, Any]) -> tuple[Any, Any]:
    return args.get("value"), args.get("value")


def _delete(value: Any, _args: Mapping[str, Any]) -> tuple[Any, Any]:
    return value is not _ABSENT, _ABSENT


def _increment(value: Any, args: Mapping[str, Any]) -> tuple[Any, Any]:
    by = args.get("by", 1)
    before = 0 if value is _ABSENT else value
    for number, name in ((by, "`by`"), (before, "The value")):
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise StateConflict(f"{name} is no number: {json.dumps(number)[:80]}.")
    after = before + by
    if isinstance(after, float) and not math.isfinite(after):
        raise StateConflict("The sum is too large for a number.")
    return after, after


def _append(value: Any, args: Mapping[str, Any]) -> tuple[Any, Any]:
    items = _list(value)
    return len(items) + 1, [*items, args.get("value")]


def _add_to_set(value: Any, args: Mapping[str, Any]) -> tuple[Any, Any]:
    """True when it was not there yet."""
    items, new = _list(value), args.get("value")
    if any(_same(item, new) for item in items):
        return False, _UNCHANGED
    return True, [*items, new]


def _same(one: Any, other: Any) -> bool:
    """As JSON: true is not 1, and the order of an object's keys does not count."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _list(value: Any) -> list[Any]:
    items = [] if value is _ABSENT else value
    if not isinstance(items, list):
        raise StateConflict(f"The value is no list: {json.dumps(value)[:80]}.")
    return items


def _compare_and_set(value: Any, args: Mapping[str, Any]) -> tuple[Any, Any]:
    """True when the value was the expected one (null: also when there was none)."""
    before = None if value is _ABSENT else value
    if not _same(before, args.get("expected")):
        return False, _UNCHANGED
    return True, args.get("value")


OPERATIONS: dict[str, Act] = {
    "get": _get,
    "set": _set,
    "delete": _delete,
    "increment": _increment,
    "append_to_list": _append,
    "add_to_set": _add_to_set,
    "compare_and_set": _compare_and_set,
}
