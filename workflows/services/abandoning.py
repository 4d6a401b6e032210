"""The last resort: a run that the engine cannot drive ends as failed, rather than being tried for ever."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from workflows.domain.shapes import run_shape, step_shape
from workflows.domain.states import STEP_FINAL, RunState, StepState
from workflows.models import Item, Run, Step
from workflows.services.journal import Change, ClaimLost, NewEvent, apply


def abandon(run_id: UUID, fence: int, reason: str) -> bool:
    """Ends the run and everything open in it, under the fence; False when somebody else drives it."""
    now = timezone.now()
    error = {"type": "engine_error", "message": reason[:2000], "step": None, "traceback": None}
    run = Run.objects.select_related("workflow", "version").get(pk=run_id)
    run.state, run.error, run.finished_at = RunState.FAILED, error, now
    tags = list(run.tags.values_list("tag", flat=True))
    events: list[NewEvent] = []
    open_steps = Step.objects.filter(run=run_id).exclude(state__in=STEP_FINAL)
    for step in open_steps:
        step.state, step.finished_at = StepState.CANCELLED, now
        events.append(("step.cancelled", now, {"step": step_shape(step, needs=(), running=0)}))
    shape = run_shape(run, workflow=run.workflow.name, version=run.version.number, tags=tags)
    change = Change(
        run_id=run_id,
        fence=fence,
        run={"state": RunState.FAILED, "error": error, "finished_at": now},
        events=[*events, ("run.failed", now, {"run": shape})],
    )
    try:
        with transaction.atomic():
            apply(change)
            ended = {"state": StepState.CANCELLED, "finished_at": now}
            Item.objects.filter(step__run=run_id).exclude(state__in=STEP_FINAL).update(**ended)
            Step.objects.filter(run=run_id).exclude(state__in=STEP_FINAL).update(**ended)
    except ClaimLost:
        return False
    return True
