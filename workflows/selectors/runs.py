"""Reads of runs, steps, items and events, in the shapes that the API and the sockets tell."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet

from aflow_site.kernel.errors import NotFound
from workflows.domain.shapes import duration_ms, iso, run_shape, step_shape
from workflows.domain.states import StepState
from workflows.models import Event, Item, Run, Step
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
    return {
        **run_summary(run),
        "params": run.params,
        "output": run.output,
        "cancel_requested_at": iso(run.cancel_requested_at),
        "stats": lease_statistics(usages),
    }


def steps_of(run: Run, *, with_values: bool = True) -> list[dict[str, Any]]:
    """Every step of the run; with its input and output unless told otherwise."""
    needs = {step["id"]: step.get("needs", []) for step in run.version.document.get("steps", [])}
    running = _running_items(run)
    rows = Step.objects.filter(run=run).order_by("position")
    return [_step(row, needs.get(row.key, []), running.get(row.pk, 0), with_values) for row in rows]


def step_detail(run: Run, key: str) -> dict[str, Any]:
    row = get_step(run, key)
    needs = {step["id"]: step.get("needs", []) for step in run.version.document.get("steps", [])}
    return _step(row, needs.get(row.key, []), _running_items(run).get(row.pk, 0), True)


def _running_items(run: Run) -> dict[int, int]:
    rows = Item.objects.filter(step__run=run, state=StepState.RUNNING).values("step_id")
    return {row["step_id"]: row["count"] for row in rows.annotate(count=Count("id"))}


def _step(row: Step, needs: list[str], running: int, with_values: bool) -> dict[str, Any]:
    shape = step_shape(row, needs=needs, running=running)
    if not with_values:
        return shape
    output = map_output(row) if row.type == "map" else row.output
    return {**shape, "input": row.input, "output": output, "agent": _text(row.agent_id)}


def map_output(row: Step) -> list[Any] | None:
    """The outputs of a map's items in the order of its list; None until the map has ended well."""
    if row.state != StepState.COMPLETED:
        return None
    outputs: list[Any] = [None] * row.total
    done = Item.objects.filter(step=row, state=StepState.COMPLETED)
    for index, output in done.values_list("index", "output"):
        outputs[index] = output
    return outputs


def items_of(step: Step) -> QuerySet[Item]:
    return Item.objects.filter(step=step).order_by("index")


def item_shape(row: Item) -> dict[str, Any]:
    return {
        "index": row.index,
        "state": row.state,
        "attempts": row.attempts,
        "input": row.input,
        "output": row.output,
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
