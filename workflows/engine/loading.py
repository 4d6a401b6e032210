"""From rows to records: what a driver knows of a run when it takes it up, and what others wrote since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q

from workflows.domain.document import Document
from workflows.domain.graph import needs_of
from workflows.domain.states import RunState, StepState
from workflows.domain.steps import AnyStep, LoopStep, MapReduceStep, MapStep
from workflows.engine.records import ItemRecord, Message, News, RunRecord, StepRecord, Usage
from workflows.models import Item, Run, RunMessage, Step
from workflows.selectors.artifacts import value_of

ROWS_AT_ONCE = 2000


def load_run(run_id: UUID, fence: int) -> tuple[RunRecord, News]:
    """The run with its steps, and what others have asked of it; pydantic.ValidationError when its version
    cannot be read any more."""
    row = Run.objects.select_related("workflow", "version", "parent_step").get(pk=run_id)
    document = Document.model_validate(row.document or row.version.document)
    steps: dict[str, StepRecord] = {}
    _load_graph(row, document.steps, "", steps, _running_items(row, document))
    return _record(row, fence, document, steps), _news(row)


def _running_items(run: Run, document: Document) -> dict[int, int]:
    """How many there are, by the step's pk."""
    if not any(isinstance(step, MapStep | MapReduceStep) for _, step in document.all_steps()):
        return {}
    items = Item.objects.filter(step__run=run, state=StepState.RUNNING)
    return dict(items.values_list("step_id").annotate(count=Count("id")))


def _record(row: Run, fence: int, document: Document, steps: dict[str, StepRecord]) -> RunRecord:
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
        priority=row.priority,
        traceparent=row.traceparent,
        depth=row.depth,
        parent_run=row.parent_step.run_id if row.parent_step else None,
        deadline=row.deadline,
        steps=steps,
        started_at=row.started_at,
    )


def _load_graph(
    run: Run, steps: tuple[AnyStep, ...], prefix: str, into: dict[str, StepRecord], running: dict[int, int]
) -> None:
    """The steps of one graph, and of the iteration under way of every loop in it."""
    needs = needs_of(steps)
    rows = {row.key: row for row in Step.objects.filter(run=run, key__in=[prefix + s.id for s in steps])}
    for step in steps:
        row = rows.get(prefix + step.id)
        if row is None:
            continue  # the steps of an iteration that has not begun
        record = into[row.key] = step_record(row, step, needs[step.id], running.get(row.pk, 0))
        if isinstance(step, LoopStep) and record.state is StepState.RUNNING:
            _load_graph(run, step.steps, f"{row.key}.{record.completed}.", into, running)


def collects(step: AnyStep) -> bool:
    return isinstance(step, MapStep) or (isinstance(step, MapReduceStep) and step.reducer is None)


def step_record(row: Step, step: AnyStep, needs: tuple[str, ...], running: int = 0) -> StepRecord:
    return StepRecord(
        pk=row.pk,
        key=row.key,
        type=row.type,
        position=row.position,
        pool=row.pool,
        needs=needs,
        collects=collects(step),
        state=StepState(row.state),
        attempts=row.attempts,
        losses=row.losses,
        excused=row.excused,
        retry_at=row.retry_at,
        due_at=row.due_at,
        reason=row.reason,
        progress=row.progress,
        overrides=row.overrides,
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


def load_news(run_id: UUID) -> News:
    """What people and programs have asked of the run, and sent to it."""
    return _news(Run.objects.only("wakes", "pause_requested_at", "cancel_requested_at").get(pk=run_id))


def _news(run: Run) -> News:
    cancelled, paused = run.cancel_requested_at is not None, run.pause_requested_at is not None
    if not run.wakes:  # nobody has written anything for it yet
        return News(wakes=0, cancelled=cancelled, paused=paused, messages=(), overrides={})
    messages = RunMessage.objects.filter(run=run, taken_by=None).order_by("id")
    changed = Step.objects.filter(run=run, overrides__isnull=False).values_list("key", "overrides")
    return News(
        wakes=run.wakes,
        cancelled=cancelled,
        paused=paused,
        messages=tuple(
            Message(row.pk, row.kind, row.name, row.payload, row.author, row.at) for row in messages
        ),
        overrides={key: overrides for key, overrides in changed if overrides},
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
            excused=row.excused,
            retry_at=row.retry_at,
            started_at=row.started_at,
        )
        for row in begun
    ]
    return records, 0 if last is None else last + 1


def map_outputs(team_id: int, step_pk: int, total: int) -> list[Any]:
    """A map's outputs in the order of its list; null for an item without one."""
    return list(each_map_output(team_id, step_pk, total))


def each_map_output(team_id: int, step_pk: int, total: int) -> Iterator[Any]:
    """Like `map_outputs`, a page of rows at a time."""
    rows = Item.objects.filter(step_id=step_pk, state=StepState.COMPLETED).order_by("index")
    place = 0
    for index, output in rows.values_list("index", "output").iterator(chunk_size=ROWS_AT_ONCE):
        yield from repeat(None, index - place)
        yield value_of(team_id, output)
        place = index + 1
    yield from repeat(None, total - place)


def failed_items(step_pk: int) -> list[dict[str, Any]]:
    """The items of a map that failed, each with its error."""
    rows = Item.objects.filter(step_id=step_pk, state=StepState.FAILED).order_by("index")
    return [{"index": index, "error": error} for index, error in rows.values_list("index", "error")]


def completed_indexes(step_pk: int) -> list[int]:
    """The items of a map that completed, in the order in which they did."""
    done = Item.objects.filter(step_id=step_pk, state=StepState.COMPLETED)
    return list(done.order_by(F("finished_at"), "index").values_list("index", flat=True))


def outputs_at(team_id: int, step_pk: int, indexes: Iterable[int]) -> list[Any]:
    """The outputs of completed items, in the order of `indexes`."""
    wanted = list(indexes)
    rows = Item.objects.filter(Q(index__in=wanted), step_id=step_pk).values_list("index", "output")
    found = dict(rows)
    return [value_of(team_id, found.get(index)) for index in wanted]
