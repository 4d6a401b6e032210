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
from workflows.selectors.artifacts import MOST_SHOWN, shown, value_of
from workflows.selectors.statistics import lease_statistics


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


def steps_of(run: Run, *, with_values: bool = True, iteration: str | None = None) -> list[dict[str, Any]]:
    """The document's steps and those of each loop's last iteration, or those of `iteration` ("refine.3").

    With their input and output unless told otherwise.
    """
    rows = Step.objects.filter(run=run).order_by("position", "id")
    if iteration is not None:
        found = list(rows.filter(key__startswith=f"{iteration}."))
    else:
        found = list(rows.exclude(key__contains="."))
        found += _last_iterations(rows, found)
    needs = needs_in(document_of(run))
    running = _running_items(run)
    return [
        _step(run.team_id, row, needs.get(_own_id(row.key), ()), running.get(row.pk, 0), with_values)
        for row in found
    ]


def _last_iterations(rows: QuerySet[Step], outer: list[Step]) -> list[Step]:
    """The steps of the iteration that each loop is in, or ended with; of loops inside them too."""
    found: list[Step] = []
    for loop in outer:
        if loop.type != "loop" or loop.state == StepState.PENDING:
            continue
        number = loop.completed if loop.state in STEP_ACTIVE else max(loop.completed - 1, 0)
        prefix = f"{loop.key}.{number}."
        inner = [row for row in rows.filter(key__startswith=prefix) if "." not in row.key[len(prefix) :]]
        found += inner
        found += _last_iterations(rows, inner)
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
    row = get_step(run, key)
    needs = needs_in(document_of(run)).get(_own_id(key), ())
    return _step(run.team_id, row, needs, _running_items(run).get(row.pk, 0), True)


def _running_items(run: Run) -> dict[int, int]:
    rows = Item.objects.filter(step__run=run, state=StepState.RUNNING).values("step_id")
    return {row["step_id"]: row["count"] for row in rows.annotate(count=Count("id"))}


def _step(team_id: int, row: Step, needs: Sequence[str], running: int, with_values: bool) -> dict[str, Any]:
    shape = step_shape(row, needs=needs, running=running)
    if not with_values:
        return shape
    collects = row.type in ("map", "mapreduce") and row.output is None
    output = map_output(team_id, row) if collects else shown(team_id, row.output)
    child = (
        Run.objects.filter(parent_step=row).order_by("-parent_attempt") if row.type == "workflow" else None
    )
    return {
        **shape,
        "input": shown(team_id, row.input),
        "output": output,
        "settings": row.overrides,
        "child_run": _text(child.values_list("pk", flat=True).first()) if child is not None else None,
        "agent": _text(row.agent_id),
    }


def map_output(team_id: int, row: Step) -> Any:
    """The outputs of a map's items in the order of its list; None until it has ended well. Of a list that
    is too large to show, how many items it has, and where they are told a page at a time."""
    if row.state != StepState.COMPLETED or row.progress is not None:
        return None
    outputs: list[Any] = [None] * row.total
    room = MOST_SHOWN
    done = Item.objects.filter(step=row, state=StepState.COMPLETED)
    for index, output in done.values_list("index", "output").iterator(chunk_size=2000):
        ref = read_ref(output)
        room -= len(to_json(output)) if ref is None else ref.size
        if room < 0:
            return {"$items": row.total, "url": f"/api/v1/runs/{row.run_id}/steps/{row.key}/items/"}
        outputs[index] = value_of(team_id, output)
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


def item_shape(team_id: int, row: Item) -> dict[str, Any]:
    return {
        "index": row.index,
        "state": row.state,
        "attempts": row.attempts,
        "input": row.input,
        "output": shown(team_id, row.output),
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
