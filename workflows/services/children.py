"""Runs that a step of another run starts: made once for each attempt, watched, and ended with their step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from aflow_site.kernel.errors import Conflict, InvalidInput
from workflows.domain.states import RUN_FINAL, RunState
from workflows.models import Run, Step
from workflows.services.control import cancel_run
from workflows.services.runs import Parent, RunRequest, start_run

MAX_DEPTH = 10


@dataclass(frozen=True, slots=True)
class ChildRequest:
    parent_run: UUID
    parent_step: int
    attempt: int
    workflow: str
    version: int | None
    params: dict[str, Any]
    timeout: float | None


@dataclass(frozen=True, slots=True)
class BodyRequest:
    """A run that a body starts while it runs. The same `key` is the same run."""

    parent_run: UUID
    key: str
    workflow: str
    version: int | None
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Child:
    run_id: UUID
    state: RunState
    output: Any
    error: dict[str, Any] | None


def start_child(request: ChildRequest) -> Child:
    """The child of this attempt: a new run, or the one that a former driver started.

    Raises what `start_run` raises, and InvalidInput when runs start runs too deep.
    """
    row = Run.objects.filter(parent_step_id=request.parent_step, parent_attempt=request.attempt).first()
    if row is None:
        row = _start(request)
    return _child(row)


def _start(request: ChildRequest) -> Run:
    parent = Run.objects.select_related("workflow").get(pk=request.parent_run)
    if parent.depth + 1 > MAX_DEPTH:
        raise InvalidInput(f"Runs start runs {MAX_DEPTH} deep at most; does this workflow start itself?")
    deadline = None
    if request.timeout is not None:
        deadline = timezone.now() + timedelta(seconds=request.timeout)
    run, _created = start_run(
        parent.team_id,
        request.workflow,
        RunRequest(params=request.params, version=request.version, priority=parent.priority),
        author=parent.created_by,
        parent=Parent(request.parent_step, request.attempt, parent.depth + 1, deadline),
    )
    return run


def start_for_body(request: BodyRequest) -> UUID:
    """Raises what `start_run` raises, and InvalidInput when runs start runs too deep."""
    parent = Run.objects.select_related("workflow").get(pk=request.parent_run)
    if parent.depth + 1 > MAX_DEPTH:
        raise InvalidInput(f"Runs start runs {MAX_DEPTH} deep at most; does this workflow start itself?")
    asked = RunRequest(
        params=request.params,
        version=request.version,
        priority=parent.priority,
        idempotency_key=request.key,
        depth=parent.depth + 1,
    )
    run, _created = start_run(parent.team_id, request.workflow, asked, author=parent.created_by)
    return run.pk


def cancel_for_body(run_id: UUID, author: str) -> None:
    """The body does not wait for it any more."""
    run = Run.objects.get(pk=run_id)
    if run.state not in RUN_FINAL:
        try:
            cancel_run(run, author=author)
        except Conflict:
            return  # it ended at this moment


def look_at(run_id: UUID) -> Child:
    return _child(Run.objects.get(pk=run_id))


def _child(row: Run) -> Child:
    return Child(row.pk, RunState(row.state), row.output, row.error)


def cancel_children(parent_step: int, author: str) -> None:
    for run in Run.objects.filter(parent_step_id=parent_step).exclude(state__in=RUN_FINAL):
        try:
            cancel_run(run, author=author)
        except Conflict:
            continue  # it ended at this moment


def children_of(run: Run) -> list[Run]:
    """The live runs that steps of this run started."""
    steps = Step.objects.filter(run=run, type="workflow").values("pk")
    return list(Run.objects.filter(parent_step__in=steps).exclude(state__in=RUN_FINAL))
