"""Starting and ending runs on request. Whatever happens in between is the driver's (`workflows.engine`)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import jsonschema
import referencing.exceptions
from django.db import IntegrityError, transaction
from django.utils import timezone

from aflow_site.kernel.errors import Conflict, Fault, InvalidInput, NotFound
from aflow_site.kernel.ids import new_id
from pools.facade import api as pools
from workflows.domain.document import Document
from workflows.domain.pools import named_pool, own_pool
from workflows.domain.shapes import run_shape
from workflows.domain.states import RUN_FINAL
from workflows.domain.validation import schema_validator
from workflows.models import Run, RunTag, Step, Workflow
from workflows.services.journal import append_event
from workflows.services.nudges import nudge, tell_driver

MAX_TAGS = 50


class InvalidParams(InvalidInput):
    code = "invalid_params"
    title = "The params do not fit the workflow"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """`version` None is the newest; with an `idempotency_key`, a repeated request gives the same run."""

    params: dict[str, Any]
    tags: tuple[str, ...] = ()
    version: int | None = None
    idempotency_key: str | None = None

    def fingerprint(self) -> str:
        text = json.dumps([self.params, sorted(self.tags), self.version], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def start_run(team_id: int, workflow_name: str, request: RunRequest, *, author: str) -> tuple[Run, bool]:
    """The run, and whether it is new. InvalidParams with every fault; Conflict for a key used otherwise."""
    workflow = Workflow.objects.filter(team_id=team_id, name=workflow_name, archived_at=None).first()
    if workflow is None:
        raise NotFound(f"There is no workflow {workflow_name}.")
    earlier = _earlier(workflow, request)
    if earlier is not None:
        return earlier, False
    version = workflow.versions.filter(number=request.version or workflow.version).first()
    if version is None:
        raise NotFound(f"{workflow_name} has no version {request.version}; the newest is {workflow.version}.")
    document = Document.model_validate(version.document)
    params = check_params(document, request.params)
    names = {step.id: _pool_name(document, step) for step in document.steps}
    run = Run(
        id=new_id(),
        team_id=team_id,
        workflow=workflow,
        version=version,
        params=params,
        created_by=author,
        idempotency_key=request.idempotency_key,
        request_hash=request.fingerprint(),
        created_at=timezone.now(),
    )
    try:
        with transaction.atomic():
            _write(run, document, names, request.tags)
            transaction.on_commit(lambda: nudge(run.pk))
    except IntegrityError:
        earlier = _earlier(workflow, request)  # the same key, at the same moment
        if earlier is None:
            raise
        return earlier, False
    return run, True


def _pool_name(document: Document, step: Any) -> str:
    """Saving the workflow made the pool; here only its name is needed."""
    own = own_pool(document, step)
    return named_pool(document, step) or (own.name if own else pools.default_pool_name(step.run.image))


def _earlier(workflow: Workflow, request: RunRequest) -> Run | None:
    if request.idempotency_key is None:
        return None
    run = Run.objects.filter(workflow=workflow, idempotency_key=request.idempotency_key).first()
    if run is not None and run.request_hash != request.fingerprint():
        raise Conflict("This Idempotency-Key was used for another request; use a new one.")
    return run


def _write(run: Run, document: Document, pool_names: dict[str, str], tags: tuple[str, ...]) -> None:
    run.save(force_insert=True)
    Step.objects.bulk_create(
        Step(run=run, key=step.id, position=place, type=step.type, pool=pool_names[step.id])
        for place, step in enumerate(document.steps)
    )
    if tags:
        RunTag.objects.bulk_create(RunTag(run=run, tag=tag) for tag in dict.fromkeys(tags))
    shape = run_shape(run, workflow=run.workflow.name, version=run.version.number, tags=tags)
    append_event(run, "run.created", timezone.now(), {"run": shape})


def check_params(document: Document, params: Any) -> dict[str, Any]:
    """The params with the schema's top-level defaults filled in; InvalidParams with every fault."""
    if not isinstance(params, dict):
        raise InvalidParams("params must be an object.", faults=[Fault("params", "Send a JSON object.")])
    schema = document.params
    if schema is None:
        if params:
            names = ", ".join(sorted(params))
            fault = Fault("params", f"This workflow takes no params; it does not know {names}.")
            raise InvalidParams(fault.message, faults=[fault])
        return {}
    properties = schema.get("properties", {})
    defaults = {name: part["default"] for name, part in properties.items() if _has_default(part)}
    filled = {**defaults, **params}
    closed = {"additionalProperties": False, **schema} if properties else schema
    try:
        faults = [_param_fault(error) for error in schema_validator(closed).iter_errors(filled)]
    except (referencing.exceptions.Unresolvable, RecursionError) as exc:
        raise InvalidParams(f"The params' schema cannot be used: {exc}. Mend it in the workflow.") from exc
    if faults:
        raise InvalidParams(f"{faults[0].path}: {faults[0].message}", faults=faults)
    return filled


def _has_default(part: Any) -> bool:
    return isinstance(part, dict) and "default" in part


def _param_fault(error: jsonschema.ValidationError) -> Fault:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    message = error.message[:500]
    return Fault(f"params{where}", message if message.endswith(".") else f"{message}.")


def cancel_run(run: Run, *, author: str) -> Run:
    """Asks for the run's end; its driver stops what is under way. A run that has ended stays as it is."""
    with transaction.atomic():
        run = Run.objects.select_for_update().select_related("workflow", "version").get(pk=run.pk)
        if run.state in RUN_FINAL:
            raise Conflict(f"This run has ended already: it is {run.state}.")
        if run.cancel_requested_at is None:
            run.cancel_requested_at = timezone.now()
            run.save(update_fields=["cancel_requested_at"])
            tags = tuple(run.tags.values_list("tag", flat=True))
            shape = run_shape(run, workflow=run.workflow.name, version=run.version.number, tags=tags)
            append_event(run, "run.cancel_requested", timezone.now(), {"run": shape, "by": author})
        transaction.on_commit(lambda: tell_driver(run.pk))
        transaction.on_commit(lambda: nudge(run.pk))
    return run
