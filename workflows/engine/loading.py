"""From rows to records: what a driver knows of a run when it takes it up."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count

from workflows.domain.document import Document
from workflows.domain.states import RunState, StepState
from workflows.engine.records import ItemRecord, RunRecord, StepRecord, Usage
from workflows.models import Item, Run, Step


def load_run(run_id: UUID, fence: int) -> RunRecord:
    """The run with its steps; pydantic.ValidationError when its version cannot be read any more."""
    row = Run.objects.select_related("workflow", "version").get(pk=run_id)
    document = Document.model_validate(row.version.document)
    needs = {step.id: step.needs for step in document.steps}
    running = dict(
        Item.objects.filter(step__run=row, state=StepState.RUNNING)
        .values_list("step_id")
        .annotate(count=Count("id"))
    )
    steps = {
        step.key: _step_record(step, needs[step.key], running.get(step.pk, 0))
        for step in Step.objects.filter(run=row).order_by("position")
    }
    return RunRecord(
        id=row.pk,
        team_id=row.team_id,
        workflow=row.workflow.name,
        version=row.version.number,
        document=document,
        params=row.params,
        state=RunState(row.state),
        fence=fence,
        created_at=row.created_at,
        created_by=row.created_by,
        tags=tuple(row.tags.values_list("tag", flat=True)),
        steps=steps,
        started_at=row.started_at,
        cancelled=row.cancel_requested_at is not None,
    )


def _step_record(row: Step, needs: tuple[str, ...], running: int) -> StepRecord:
    return StepRecord(
        pk=row.pk,
        key=row.key,
        type=row.type,
        pool=row.pool,
        needs=needs,
        state=StepState(row.state),
        attempts=row.attempts,
        losses=row.losses,
        retry_at=row.retry_at,
        input=row.input,
        output=row.output,
        error=row.error,
        agent_id=row.agent_id,
        total=row.total,
        completed=row.completed,
        failed=row.failed,
        running=running,
        usage=Usage(**row.usage) if row.usage else Usage(),
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def unfinished_items(step_pk: int) -> tuple[list[ItemRecord], int]:
    """The items of a map that were begun and not ended, and the index of the first one never begun."""
    rows = Item.objects.filter(step_id=step_pk)
    last = rows.order_by("-index").values_list("index", flat=True).first()
    begun = rows.filter(state__in=(StepState.QUEUED, StepState.RUNNING)).order_by("index")
    records = [
        ItemRecord(
            index=row.index,
            input=row.input,
            state=StepState(row.state),
            attempts=row.attempts,
            losses=row.losses,
            retry_at=row.retry_at,
            started_at=row.started_at,
        )
        for row in begun
    ]
    return records, 0 if last is None else last + 1


def map_outputs(step_pk: int, total: int) -> tuple[list[Any], list[dict[str, Any]]]:
    """A map's outputs in the order of its list (null for an item without one), and its failed items."""
    outputs: list[Any] = [None] * total
    failed: list[dict[str, Any]] = []
    rows = Item.objects.filter(step_id=step_pk).order_by("index")
    for index, state, output, error in rows.values_list("index", "state", "output", "error").iterator(
        chunk_size=2000
    ):
        if state == StepState.COMPLETED:
            outputs[index] = output
        elif state == StepState.FAILED:
            failed.append({"index": index, "error": error})
    return outputs, failed
