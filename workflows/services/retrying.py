"""Running again: the same run from what failed in it, or a new run with other params or another version."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from aflow_site.kernel.errors import Conflict, NotFound
from workflows.domain.document import Document
from workflows.domain.graph import descendants, needs_of
from workflows.domain.states import RUN_FINAL, RunState, StepState, check_run
from workflows.models import Item, Run, RunMessage, Step
from workflows.services import artifacts
from workflows.services.charging import charge_run, spent_of
from workflows.services.nudges import nudge
from workflows.services.params import check_params
from workflows.services.retention import is_past
from workflows.services.runs import RunRequest, audit_run, new_run, start_run, tell_run, write_run

AGAIN = (StepState.FAILED, StepState.CANCELLED)


def retry_run(run: Run, *, author: str) -> Run:
    """Takes an ended run up again from what failed in it; what completed is kept.

    Steps that failed, were cancelled, skipped or undone run again; of maps, only the items that did not
    complete; and every step after one of those. Raises Conflict when there is nothing to run again.
    """
    with transaction.atomic():
        run = Run.objects.select_for_update(of=("self",)).select_related("workflow", "version").get(pk=run.pk)
        if run.state not in RUN_FINAL:
            raise Conflict(f"This run has not ended; it is {run.state}.")
        if is_past(run, timezone.now()):
            raise Conflict("This run is older than the team keeps runs; it may be deleted at any moment.")
        document = Document.model_validate(run.document or run.version.document)
        roots = _to_run_again(run)
        if not roots:
            raise Conflict("Nothing failed in this run; replay it to run all of it again.")
        after = descendants(needs_of(document.steps), roots)
        again = roots | after
        # What undid a step that runs again may have to undo it once more.
        again |= {step.compensate for step in document.steps if step.id in again and step.compensate}
        charge_run(run)  # its iterations' rows, and what they cost, go
        for step in Step.objects.filter(run=run, key__in=again):
            # What comes before it is the same as before: then its list is, too.
            _reset(step, keep_items=step.key not in after)
        # Iterations of loops start over with their loop.
        Step.objects.filter(run=run, key__contains=".").delete()
        RunMessage.objects.filter(run=run, kind="decision", taken_by=None).delete()
        check_run(RunState(run.state), RunState.PENDING)
        run.state, run.error, run.output = RunState.PENDING, None, None
        run.finished_at = run.deadline = run.cancel_requested_at = run.pause_requested_at = None
        run.parked, run.wake_at, run.claimed_by = False, None, None
        run.charged, run.charged_at = spent_of(run), None
        run.save()
        tell_run(run, "run.retried", by=author, steps=sorted(again))
        audit_run(run, "retried", author)
        transaction.on_commit(lambda: nudge(run.pk))
    return run


def _to_run_again(run: Run) -> set[str]:
    wanted = {*AGAIN, StepState.SKIPPED, StepState.COMPENSATED}
    rows = Step.objects.filter(run=run).exclude(key__contains=".")
    ended_badly = set(rows.filter(state__in=wanted).values_list("key", flat=True))
    with_failures = set(rows.filter(failed__gt=0).values_list("key", flat=True))
    if not ended_badly - set(rows.filter(state=StepState.SKIPPED).values_list("key", flat=True)):
        # Steps that were skipped by a condition or a branch are no reason to run anything again.
        return with_failures
    return ended_badly | with_failures


def _reset(step: Step, *, keep_items: bool) -> None:
    """To where it goes on from: a map keeps its completed items, everything else starts over."""
    began = step.type in ("map", "mapreduce") and step.total > 0
    if keep_items and began and (step.failed > 0 or step.state in AGAIN):
        _reset_items(Item.objects.filter(step=step, state__in=AGAIN))
        step.state, step.failed = StepState.QUEUED, 0
        step.completed = Item.objects.filter(step=step, state=StepState.COMPLETED).count()
    else:
        Item.objects.filter(step=step).delete()
        step.state, step.total, step.completed, step.failed = StepState.PENDING, 0, 0, 0
        step.started_at = None
        step.input = None  # the list of a source is read anew
    step.excused, step.losses = step.attempts, 0
    step.output = step.error = step.retry_at = step.due_at = step.finished_at = step.progress = None
    step.reason = ""
    step.save()


def _reset_items(items: QuerySet[Item]) -> None:
    items.update(
        state=StepState.QUEUED,
        excused=F("attempts"),
        losses=0,
        error=None,
        cause=None,
        retry_at=None,
        finished_at=None,
    )


def replay_run(run: Run, changes: dict[str, Any], *, version: int | None, author: str) -> Run:
    """A new run of the same version (or another) with the run's params, changed by `changes`."""
    if run.document is not None:
        raise Conflict("This run was the trial of one step; try the step again instead.")
    request = RunRequest(
        params={**run.params, **changes},
        tags=tuple(run.tags.values_list("tag", flat=True)),
        version=version or run.version.number,
        priority=run.priority,
        origin=run.pk,
    )
    return start_run(run.team_id, run.workflow.name, request, author=author)[0]


def continue_on_version(run: Run, number: int, *, author: str) -> Run:
    """A new run of another version that keeps what completed in this one: steps with the same id and type,
    and the completed items of maps. Raises Conflict, NotFound, InvalidParams."""
    if run.state not in RUN_FINAL:
        raise Conflict(f"This run has not ended; it is {run.state}.")
    version = run.workflow.versions.filter(number=number).first()
    if version is None:
        raise NotFound(f"{run.workflow.name} has no version {number}; the newest is {run.workflow.version}.")
    document = Document.model_validate(version.document)
    tags = tuple(run.tags.values_list("tag", flat=True))
    request = RunRequest(run.params, tags, version=number, priority=run.priority, origin=run.pk)
    new = new_run(run.workflow, version, document, request, author=author)
    new.params = check_params(document, run.params)
    with transaction.atomic():
        write_run(new, document, tags)
        _keep_completed(run, new, document)
        artifacts.share(run.pk, new.pk)
        audit_run(run, "continued", author, version=number, new=str(new.pk))
        transaction.on_commit(lambda: nudge(new.pk))
    return new


def _keep_completed(old: Run, new: Run, document: Document) -> None:
    rows = {row.key: row for row in Step.objects.filter(run=old).exclude(key__contains=".")}
    fresh: set[str] = set()
    for step in document.steps:
        before = rows.get(step.id)
        kept = before is not None and before.type == step.type and before.state == StepState.COMPLETED
        if not kept or (before is not None and before.failed):
            fresh.add(step.id)
    after = descendants(needs_of(document.steps), fresh)
    fresh |= after
    for row in Step.objects.filter(run=new):
        before = rows.get(row.key)
        if before is None or before.type != row.type:
            continue
        is_map = row.type in ("map", "mapreduce")
        if row.key not in fresh:
            _copy_step(before, row)
        elif is_map and before.total and row.key not in after:
            row.state, row.total, row.input = StepState.QUEUED, before.total, before.input
            row.save()
            _copy_items(before, row)
            row.completed = Item.objects.filter(step=row, state=StepState.COMPLETED).count()
            row.save()


def _copy_step(before: Step, row: Step) -> None:
    for name in [
        "state",
        "attempts",
        "input",
        "output",
        "agent_id",
        "total",
        "completed",
        "failed",
        "usage",
        "started_at",
        "finished_at",
    ]:
        setattr(row, name, getattr(before, name))
    row.excused = row.attempts
    row.save()
    _copy_items(before, row)


def _copy_items(before: Step, row: Step) -> None:
    """Completed items as they are; the others to be run again."""
    page: list[Item] = []
    for item in Item.objects.filter(step=before).order_by("index").iterator(chunk_size=1000):
        item.pk, item.step = None, row
        if item.state != StepState.COMPLETED:
            item.state, item.excused, item.losses = StepState.QUEUED, item.attempts, 0
            item.error = item.cause = item.retry_at = item.finished_at = None
        page.append(item)
        if len(page) == 1000:
            Item.objects.bulk_create(page)
            page = []
    Item.objects.bulk_create(page)
