"""The one way in which a run advances: a change is written whole, under the run's fence, or not at all.

`Change` is one run's part of a transaction: its row, steps, items, log lines and numbered events. `apply` is
called inside a transaction that may hold the changes of many runs (grouped commits). Whoever lost the run's
claim gets `ClaimLost`, and nothing of the change is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from aflow_site.kernel.errors import Conflict
from workflows.models import Event, Item, LogLine, Run, RunMessage, Step
from workflows.services.rows import RowWriter, storable

STEP_COLUMNS = (
    "id",
    "state",
    "attempts",
    "losses",
    "excused",
    "retry_at",
    "due_at",
    "reason",
    "progress",
    "input",
    "output",
    "error",
    "agent_id",
    "total",
    "completed",
    "failed",
    "usage",
    "started_at",
    "finished_at",
)
ITEM_COLUMNS = (
    "step",
    "index",
    "state",
    "attempts",
    "losses",
    "excused",
    "retry_at",
    "cause",
    "input",
    "output",
    "error",
    "agent_id",
    "started_at",
    "finished_at",
)

_steps = RowWriter(Step, STEP_COLUMNS, key=("id",))
_items = RowWriter(Item, ITEM_COLUMNS, key=("step", "index"))
_events = RowWriter(Event, ("run", "seq", "type", "at", "data"), key=("run", "seq"))
_logs = RowWriter(LogLine, ("run", "step", "item", "attempt", "at", "stream", "text"), key=("run",))

NewEvent = tuple[str, datetime, dict[str, Any]]


class ClaimLost(Conflict):
    code = "claim_lost"
    title = "Another executor drives this run"


class Woken(Conflict):
    code = "woken"
    title = "There is news for this run"


@dataclass(slots=True)
class Change:
    """Rows are tuples in the order of STEP_COLUMNS, ITEM_COLUMNS; log rows lack the run's id."""

    run_id: UUID
    fence: int
    run: dict[str, Any] = field(default_factory=dict)
    steps: list[tuple[Any, ...]] = field(default_factory=list)
    items: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    logs: list[tuple[Any, ...]] = field(default_factory=list)
    taken: list[tuple[int, str]] = field(default_factory=list)  # (message, key of the step that used it)
    unless_woken_since: int | None = None  # of a change that parks the run: the news its driver knows of


def apply(change: Change) -> int:
    """Writes the change in the open transaction; the number of its last event. ClaimLost if fenced, and
    `Woken` when the run is to be parked over news; nothing is written then."""
    last = _advance_seq(change)
    if change.run:
        fields = {
            name: storable(value) if name in ("output", "error") else value
            for name, value in change.run.items()
        }
        Run.objects.filter(pk=change.run_id).update(**fields)
    _steps.update(change.steps)
    _items.upsert(change.items)
    first = last - len(change.events) + 1
    _events.insert(
        (change.run_id, first + place, kind, at, data) for place, (kind, at, data) in enumerate(change.events)
    )
    _logs.insert((change.run_id, *row) for row in change.logs)
    for message, step in change.taken:
        RunMessage.objects.filter(pk=message, taken_by=None).update(taken_by=step)
    return last


def _advance_seq(change: Change) -> int:
    """Takes the numbers of the change's events; holding the row's lock, it also checks the fence."""
    known = change.unless_woken_since
    table = Run._meta.db_table
    field_id = Run._meta.get_field("id")
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE "{table}" SET last_seq = last_seq + %s WHERE id = %s AND fence = %s '
            f"{'AND wakes = %s' if known is not None else ''} RETURNING last_seq",
            [
                len(change.events),
                field_id.get_db_prep_value(change.run_id, connection),
                change.fence,
                *([known] if known is not None else []),
            ],
        )
        row = cursor.fetchone()
    if row is not None:
        return int(row[0])
    if known is not None and Run.objects.filter(pk=change.run_id, fence=change.fence).exists():
        raise Woken(f"There is news for run {change.run_id}.")
    raise ClaimLost(f"Run {change.run_id} is driven by another executor now.")


def add_steps(run_id: UUID, fence: int, rows: list[dict[str, Any]]) -> dict[str, int]:
    """Rows of the steps of a loop's iteration; their ids by key. Those that are there already stay as they
    are (a former driver made them). ClaimLost if fenced."""
    with transaction.atomic():
        if not Run.objects.select_for_update().filter(pk=run_id, fence=fence).exists():
            raise ClaimLost(f"Run {run_id} is driven by another executor now.")
        Step.objects.bulk_create((Step(run_id=run_id, **row) for row in rows), ignore_conflicts=True)
        keys = [row["key"] for row in rows]
        return dict(Step.objects.filter(run_id=run_id, key__in=keys).values_list("key", "pk"))


def append_event(run: Run, kind: str, at: datetime, data: dict[str, Any]) -> int:
    """One event by somebody who does not drive the run (a person's request); inside a transaction."""
    Run.objects.filter(pk=run.pk).update(last_seq=F("last_seq") + 1)
    seq = Run.objects.values_list("last_seq", flat=True).get(pk=run.pk)
    Event.objects.create(run=run, seq=seq, type=kind, at=at, data=data)
    return seq
