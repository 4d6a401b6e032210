"""Starting runs. Whatever happens afterwards is the driver's (`workflows.engine`)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from aflow_site.kernel import tracing
from aflow_site.kernel.errors import Conflict, InvalidInput, NotFound
from aflow_site.kernel.ids import new_id
from teams.facade import api as teams
from workflows.domain.document import Document
from workflows.domain.shapes import run_shape
from workflows.models import Event, Run, RunTag, Step, Workflow, WorkflowVersion
from workflows.services.journal import append_event
from workflows.services.nudges import nudge
from workflows.services.overload import check_room
from workflows.services.params import check_params
from workflows.services.step_pools import first_pool_name

MAX_TAGS = 50


@dataclass(frozen=True, slots=True)
class RunRequest:
    """`version` None is the newest; with an `idempotency_key`, a repeated request gives the same run.

    `priority` None takes the document's. `origin` is the run that this one repeats, `trigger` what set it
    off.
    """

    params: dict[str, Any]
    tags: tuple[str, ...] = ()
    version: int | None = None
    idempotency_key: str | None = None
    priority: int | None = None
    origin: UUID | None = None
    trigger: UUID | None = None
    depth: int = 0  # of runs that bodies start: how many runs are above it

    def fingerprint(self) -> str:
        text = json.dumps([self.params, sorted(self.tags), self.version, self.priority], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Parent:
    """The step (by its row) and the attempt of it that starts the run; `deadline` is the step's time-out."""

    step: int
    attempt: int
    depth: int
    deadline: datetime | None


def start_run(
    team_id: int, workflow_name: str, request: RunRequest, *, author: str, parent: Parent | None = None
) -> tuple[Run, bool]:
    """The run, and whether it is new. InvalidParams with every fault; Conflict for a key used otherwise;
    `Overloaded` when the team has more to do already than may wait."""
    workflow = Workflow.objects.filter(team_id=team_id, name=workflow_name, archived_at=None).first()
    if workflow is None:
        raise NotFound(f"There is no workflow {workflow_name}.")
    earlier = _earlier(workflow, request, parent)
    if earlier is not None:
        return earlier, False
    if parent is None and request.trigger is None and not request.depth:
        check_room(team_id)  # what was accepted before may start runs whatever waits
    version = workflow.versions.filter(number=request.version or workflow.version).first()
    if version is None:
        raise NotFound(f"{workflow_name} has no version {request.version}; the newest is {workflow.version}.")
    document = Document.model_validate(version.document)
    if not document.steps:
        raise InvalidInput(
            f"Version {version.number} of {workflow_name} has no steps yet; add one and save it."
        )
    run = new_run(workflow, version, document, request, author=author)
    run.params = check_params(document, request.params)
    if parent is not None:
        run.parent_step_id, run.parent_attempt = parent.step, parent.attempt
        run.depth, run.deadline = parent.depth, parent.deadline
    try:
        with transaction.atomic():
            write_run(run, document, request.tags)
            if parent is None:
                audit_run(run, "started", author)
            transaction.on_commit(lambda: nudge(run.pk))
    except IntegrityError:
        earlier = _earlier(workflow, request, parent)  # the same key, at the same moment
        if earlier is None:
            raise
        return earlier, False
    return run, True


def new_run(
    workflow: Workflow, version: WorkflowVersion, document: Document, request: RunRequest, *, author: str
) -> Run:
    """The row of a pending run, not saved and without its params."""
    return Run(
        id=new_id(),
        team_id=workflow.team_id,
        workflow=workflow,
        version=version,
        created_by=author,
        idempotency_key=request.idempotency_key,
        request_hash=request.fingerprint(),
        priority=document.priority if request.priority is None else request.priority,
        max_concurrent=document.max_concurrent_runs,
        origin_id=request.origin,
        trigger_id=request.trigger,
        depth=request.depth,
        created_at=timezone.now(),
        traceparent=tracing.traceparent(),
    )


def _earlier(workflow: Workflow, request: RunRequest, parent: Parent | None) -> Run | None:
    if parent is not None:
        return Run.objects.filter(parent_step_id=parent.step, parent_attempt=parent.attempt).first()
    if request.idempotency_key is None:
        return None
    run = Run.objects.filter(workflow=workflow, idempotency_key=request.idempotency_key).first()
    if run is not None and run.request_hash != request.fingerprint():
        raise Conflict("This Idempotency-Key was used for another request; use a new one.")
    return run


def write_run(run: Run, document: Document, tags: tuple[str, ...]) -> None:
    """The rows of a run that is to begin, with its first event. Inside a transaction."""
    run.last_seq = 1
    run.save(force_insert=True)
    Step.objects.bulk_create(
        Step(run=run, key=step.id, position=place, type=step.type, pool=first_pool_name(document, step))
        for place, step in enumerate(document.steps)
    )
    if tags:
        RunTag.objects.bulk_create(RunTag(run=run, tag=tag) for tag in dict.fromkeys(tags))
    data = {"run": _shape(run, tags)}
    Event.objects.create(run=run, seq=run.last_seq, type="run.created", at=timezone.now(), data=data)


def audit_run(run: Run, verb: str, author: str, **details: Any) -> None:
    """Writes down who did it. Inside the transaction that does it."""
    what = {"workflow": run.workflow.name, "version": run.version.number, **details}
    teams.audit(run.team_id, actor=author, action=f"run.{verb}", target=f"run/{run.pk}", details=what)


def tell_run(run: Run, event: str, **more: Any) -> None:
    """An event that tells how the run stands, by somebody who does not drive it. Inside a transaction."""
    tags = tuple(run.tags.values_list("tag", flat=True))
    append_event(run, event, timezone.now(), {"run": _shape(run, tags), **more})


def _shape(run: Run, tags: tuple[str, ...]) -> dict[str, Any]:
    return run_shape(run, workflow=run.workflow.name, version=run.version.number, tags=tags)
