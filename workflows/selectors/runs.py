"""Reads of runs, steps, items and events, in the shapes that the API and the sockets tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from aflow_site.kernel.errors import NotFound
from aflow_site.kernel.json import to_json
from workflows.domain.artifacts import read_ref
from workflows.domain.shapes import duration_ms, iso, run_shape, step_shape
from workflows.domain.states import STEP_ACTIVE, StepState
from workflows.models import Event, Item, Run, RunValue, Step
from workflows.selectors.artifacts import MOST_SHOWN, Room, shown, value_of
from workflows.selectors.statistics import lease_statistics

COLLECTING = ("map", "mapreduce")  # their output is that of their items


def runs_of(team_id: int) -> QuerySet[Run]:
    return Run.objects.filter(team_id=team_id).select_related("workflow", "version").prefetch_related("tags")


def get_run(team_id: int, run_id: UUID) -> Run:
    run = runs_of(team_id).filter(pk=run_id).first()
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    return run


def get_step(run: Run, key: str) -> Step:
    step = Step.objects.filter(run=run, key=key).first()
    if step is None:
        raise NotFound(f"This run has no step {key}.")
    return step


def run_summary(run: Run) -> dict[str, Any]:
    tags = [tag.tag for tag in run.tags.all()]
    return run_shape(run, workflow=run.workflow.name, version=run.version.number, tags=tags)


def run_detail(run: Run) -> dict[str, Any]:
    usages = Step.objects.filter(run=run).values_list("usage", flat=True)
    parent = Step.objects.filter(pk=run.parent_step_id).first() if run.parent_step_id else None
    return {
        **run_summary(run),
        "params": run.params,
        "output": shown(run.team_id, run.output),
        "cancel_requested_at": iso(run.cancel_requested_at),
        "pause_requested_at": iso(run.pause_requested_at),
        "deadline": iso(run.deadline),
        "parent": {"run": str(parent.run_id), "step": parent.key} if parent else None,
        "origin": _text(run.origin_id),
        "trigger": _text(run.trigger_id),
        "document": run.document,
        "stats": lease_statistics(usages),
    }


def document_of(run: Run) -> dict[str, Any]:
    """The document that the run goes by, as it was saved."""
    document: dict[str, Any] = run.document or run.version.document
    return document


def steps_of(run: Run) -> list[dict[str, Any]]:
    """The document's steps and those of each loop's last iteration, without their input and output."""
    rows = list(step_rows(run))
    needs, running = needs_in(document_of(run)), _running_items(rows)
    return [
        step_shape(row, needs=needs.get(_own_id(row.key), ()), running=running.get(row.pk, 0)) for row in rows
    ]


def step_rows(run: Run, iteration: str | None = None) -> QuerySet[Step]:
    """The document's steps and, after them, those of each loop's last iteration; or those of `iteration`
    ("refine.3")."""
    rows = Step.objects.filter(run=run).order_by("id")
    if iteration is not None:
        return rows.filter(key__startswith=f"{iteration}.")
    outer = rows.exclude(key__contains=".")
    inner = _last_iterations(rows, list(outer.filter(type="loop")))
    return outer | rows.filter(pk__in=inner)


def step_shapes(run: Run, rows: Sequence[Step]) -> list[dict[str, Any]]:
    """With their input and output; of large ones as many as an answer has room for, and then references."""
    needs, running = needs_in(document_of(run)), _running_items(rows)
    children, room = _children(rows), Room()
    return [
        _step(
            run.team_id,
            row,
            needs.get(_own_id(row.key), ()),
            running.get(row.pk, 0),
            children.get(row.pk),
            room,
        )
        for row in rows
    ]


def _last_iterations(rows: QuerySet[Step], loops: list[Step]) -> list[int]:
    """The steps of the iteration that each loop is in, or ended with; of loops inside them too."""
    found: list[int] = []
    for loop in loops:
        if loop.state == StepState.PENDING:
            continue
        number = loop.completed if loop.state in STEP_ACTIVE else max(loop.completed - 1, 0)
        prefix = f"{loop.key}.{number}."
        inner = [row for row in rows.filter(key__startswith=prefix) if "." not in row.key[len(prefix) :]]
        found += [row.pk for row in inner]
        found += _last_iterations(rows, [row for row in inner if row.type == "loop"])
    return found


def _own_id(key: str) -> str:
    return key.rpartition(".")[2]


def needs_in(document: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """What each step waits for, branches that name it included."""
    found: dict[str, tuple[str, ...]] = {}
    todo: list[list[dict[str, Any]]] = [document.get("steps", [])]
    while todo:
        steps = todo.pop()
        for step in steps:
            found[step["id"]] = (*step.get("needs", ()), *found.get(step["id"], ()))
            todo += [step["steps"]] if step.get("type") == "loop" else []
        for step in steps:
            targets = [target for case in step.get("cases", ()) for target in case.get("then", ())]
            for target in dict.fromkeys([*targets, *step.get("else", ())]):
                if step["id"] not in found.get(target, ()):
                    found[target] = (*found.get(target, ()), step["id"])
    return found


def step_detail(run: Run, key: str) -> dict[str, Any]:
    return step_shapes(run, [get_step(run, key)])[0]


def _running_items(rows: Sequence[Step]) -> dict[int, int]:
    maps = [row.pk for row in rows if row.type in COLLECTING and row.state in STEP_ACTIVE]
    found = Item.objects.filter(step__in=maps, state=StepState.RUNNING).values("step_id")
    return {row["step_id"]: row["count"] for row in found.annotate(count=Count("id"))}


def _children(rows: Sequence[Step]) -> dict[int, UUID]:
    """The last run that each of the steps began."""
    steps = [row.pk for row in rows if row.type == "workflow"]
    found = Run.objects.filter(parent_step__in=steps).order_by("parent_attempt")
    return dict(found.values_list("parent_step_id", "pk")) if steps else {}


def _step(
    team_id: int, row: Step, needs: Sequence[str], running: int, child: UUID | None, room: Room
) -> dict[str, Any]:
    collects = row.type in COLLECTING and row.output is None
    return {
        **step_shape(row, needs=needs, running=running),
        "input": shown(team_id, row.input, room),
        "output": map_output(team_id, row, room) if collects else shown(team_id, row.output, room),
        "settings": row.overrides,
        "child_run": _text(child),
        "agent": _text(row.agent_id),
    }


def map_output(team_id: int, row: Step, whole: Room | None = None) -> Any:
    """The outputs of a map's items in the order of its list; None until it has ended well. Of a list that
    is too large to show, how many items it has, and where they are told a page at a time."""
    if row.state != StepState.COMPLETED or row.progress is not None:
        return None
    outputs: list[Any] = [None] * row.total
    room = min(MOST_SHOWN, whole.left) if whole is not None else MOST_SHOWN
    before = room
    done = Item.objects.filter(step=row, state=StepState.COMPLETED)
    for index, output in done.values_list("index", "output").iterator(chunk_size=2000):
        ref = read_ref(output)
        room -= len(to_json(output)) if ref is None else ref.size
        if room < 0:
            return {"$items": row.total, "url": f"/api/v1/runs/{row.run_id}/steps/{row.key}/items/"}
        outputs[index] = value_of(team_id, output)
    if whole is not None:
        whole.takes(before - room)
    return outputs


def state_of(run: Run) -> list[dict[str, Any]]:
    """The live keys of the run's state, by name."""
    return [_value(row) for row in _live_values(run).order_by("key")]


def state_value(run: Run, key: str) -> dict[str, Any]:
    row = _live_values(run).filter(key=key).first()
    if row is None:
        raise NotFound(f"The state of this run has no key {key}.")
    return _value(row)


def _live_values(run: Run) -> QuerySet[RunValue]:
    return RunValue.objects.filter(run=run).filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))


def _value(row: RunValue) -> dict[str, Any]:
    return {
        "key": row.key,
        "value": row.value,
        "version": row.version,
        "updated_at": iso(row.updated_at),
        "expires_at": iso(row.expires_at),
    }


def items_of(step: Step) -> QuerySet[Item]:
    return Item.objects.filter(step=step).order_by("index")


def item_shape(team_id: int, row: Item, room: Room | None = None) -> dict[str, Any]:
    """`room`: of the answer for large outputs; where it is full, a reference stands."""
    return {
        "index": row.index,
        "state": row.state,
        "attempts": row.attempts,
        "input": row.input,
        "output": shown(team_id, row.output, room),
        "error": row.error,
        "agent": _text(row.agent_id),
        "started_at": iso(row.started_at),
        "finished_at": iso(row.finished_at),
        "duration_ms": duration_ms(row.started_at, row.finished_at),
    }


def events_after(run_id: UUID, seq: int, limit: int = 500) -> list[Event]:
    return list(Event.objects.filter(run_id=run_id, seq__gt=seq).order_by("seq")[:limit])


def event_shape(row: Event) -> dict[str, Any]:
    return {"seq": row.seq, "type": row.type, "at": iso(row.at), "data": row.data}


def _text(value: UUID | None) -> str | None:
    return str(value) if value else None
