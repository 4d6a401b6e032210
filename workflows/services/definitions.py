"""Saving workflows: each save is a new version, and nobody's newer version is ever overwritten unseen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from aflow_site.kernel.errors import Conflict, Fault, NotFound, PreconditionFailed, PreconditionRequired
from pools.facade import api as pools
from scaling.facade import api as scaling
from teams.facade import api as teams
from workflows.domain.differences import same
from workflows.domain.document import Document
from workflows.domain.states import RUN_FINAL
from workflows.domain.steps import Run as Behaviour
from workflows.domain.validation import InvalidDocument, check_document, summary
from workflows.models import Bundle, Run, Workflow, WorkflowVersion
from workflows.selectors.definitions import get_version, get_workflow, version_shape, workflows_of
from workflows.selectors.versions import diff_shape
from workflows.services import declared_triggers
from workflows.services.step_pools import end_pools, make_pools, pool_faults
from workflows.services.triggers import switch_off_all


def create_workflow(team_id: int, data: Any, *, author: str) -> Workflow:
    """A new workflow with version 1. InvalidDocument with every fault; Conflict when the name is taken."""
    document = _checked(team_id, data)
    try:
        with transaction.atomic():
            workflow = Workflow.objects.create(
                team_id=team_id, name=document.name, description=document.description, version=1
            )
            _add_version(workflow, data, author)
            make_pools(team_id, document)
            _set_scaling(team_id, document)
            declared_triggers.declare(workflow, document, author=author)
            _audit(workflow, "created", author)
    except IntegrityError as exc:
        if not Workflow.objects.filter(team_id=team_id, name=document.name, archived_at=None).exists():
            raise
        raise Conflict(
            f"There is a workflow called {document.name} already; choose another name, or save it with PUT."
        ) from exc
    return workflow


def save_workflow(team_id: int, name: str, data: Any, *, if_match: str | None, author: str) -> Workflow:
    """A new version, unless the newest is the same. `if_match` is the ETag of the version that was edited, or
    ``*`` for any; PreconditionFailed tells of a newer one, and of what is different in it."""
    return _save(team_id, name, data, if_match, author, "saved", {})


def restore_version(team_id: int, name: str, number: int, *, if_match: str | None, author: str) -> Workflow:
    """A new version with the document of an old one, checked as if it came from outside."""
    old = get_version(get_workflow(team_id, name), number)
    return _save(team_id, name, old.document, if_match, author, "restored", {"restored": number})


def _save(
    team_id: int,
    name: str,
    data: Any,
    if_match: str | None,
    author: str,
    verb: str,
    details: Mapping[str, Any],
) -> Workflow:
    if not Workflow.objects.filter(team_id=team_id, name=name, archived_at=None).exists():
        raise NotFound(f"There is no workflow {name}.")
    if if_match is None:
        raise PreconditionRequired('Send If-Match with the ETag of the version you edited, or "*".')
    if isinstance(data, dict) and data.get("name", name) != name:
        fault = Fault("name", f"The document's name must stay {name}; a new name is a new workflow.")
        raise InvalidDocument("The name cannot change.", faults=[fault])
    document = _checked(team_id, data)
    with transaction.atomic():
        declared_triggers.lock(team_id, name)
        workflow = (
            Workflow.objects.select_for_update().filter(team_id=team_id, name=name, archived_at=None).first()
        )
        if workflow is None:
            raise NotFound(f"There is no workflow {name}.")
        _check_etag(workflow, if_match)
        newest = workflow.versions.get(number=workflow.version)
        if not same(newest.document, data):
            workflow.version += 1
            workflow.description = document.description
            workflow.save(update_fields=["version", "description", "updated_at"])
            _add_version(workflow, data, author)
            _audit(workflow, verb, author, **details)
        make_pools(team_id, document)
        _set_scaling(team_id, document)
        declared_triggers.declare(workflow, document, author=author)
    return workflow


def _set_scaling(team_id: int, document: Document) -> None:
    wanted = document.scaling
    scaling.set_for_workflow(team_id, document.name, None if wanted is None else wanted.as_policy())


def archive_workflow(team_id: int, name: str, *, author: str) -> None:
    """Takes the workflow out of every list. Its runs and versions stay, and its name is free.

    Its own pools end now, or (`workflows.services.retention`) once the last of its runs has ended.
    """
    with transaction.atomic():
        # Its triggers first: firing one locks it, and then the workflow.
        switch_off_all(get_workflow(team_id, name))
        workflow = workflows_of(team_id).select_for_update().filter(name=name).first()
        if workflow is None:
            raise NotFound(f"There is no workflow {name}.")
        workflow.archived_at = timezone.now()
        workflow.save(update_fields=["archived_at"])
        pools.note_uses(team_id, name, ())
        scaling.set_for_workflow(team_id, name, None)
        if not Run.objects.filter(workflow=workflow).exclude(state__in=RUN_FINAL).exists():
            end_pools(team_id, name)
        _audit(workflow, "archived", author)


def _audit(workflow: Workflow, verb: str, author: str, **details: Any) -> None:
    teams.audit(
        workflow.team_id,
        actor=author,
        action=f"workflow.{verb}",
        target=f"workflow/{workflow.name}",
        details={"version": workflow.version, **details},
    )


def etag(workflow: Workflow) -> str:
    return f'"{workflow.version}"'


def _check_etag(workflow: Workflow, if_match: str) -> None:
    given = {part.strip().removeprefix("W/").strip('"') for part in if_match.split(",")}
    if "*" in given or str(workflow.version) in given:
        return
    newest = workflow.versions.get(number=workflow.version)
    numbers = [int(part) for part in given if part.isascii() and part.isdigit() and len(part) < 10]
    edited = workflow.versions.filter(number__in=numbers).order_by("-number").first()
    who = newest.created_by or "somebody"
    raise PreconditionFailed(
        f"{who} saved version {workflow.version} meanwhile. Your changes are not lost: look at that version, "
        f"then save again with its ETag.",
        headers={"ETag": etag(workflow)},
        members={
            "current": {**version_shape(newest, with_document=True), "etag": etag(workflow)},
            "diff": diff_shape(edited, newest) if edited else None,
        },
    )


def check(team_id: int, data: Any) -> list[Fault]:
    """Every fault of a document in this team; an empty list when it can be saved."""
    try:
        _checked(team_id, data)
    except InvalidDocument as exc:
        return list(exc.faults)
    return []


def _checked(team_id: int, data: Any) -> Document:
    document, faults = check_document(data)
    if document is not None:
        seen = {fault.path for fault in faults}
        more = [
            *pool_faults(team_id, document),
            *_bundle_faults(team_id, document),
            *_scaling_faults(document),
            *declared_triggers.declared_faults(team_id, document),
        ]
        faults += [fault for fault in more if fault.path not in seen]
    if document is None or faults:
        raise InvalidDocument(summary(faults), faults=faults)
    return document


def _scaling_faults(document: Document) -> list[Fault]:
    if document.scaling is None:
        return []
    found = scaling.check_policy(document.scaling.as_policy())
    return [Fault(f"scaling.{fault.path}", fault.message) for fault in found]


def _bundle_faults(team_id: int, document: Document) -> list[Fault]:
    named = [
        (f"{path}.{field}.bundle", run.bundle, step.id)
        for path, step in document.all_steps()
        for field in ("run", "mapper", "reducer")
        if isinstance(run := getattr(step, field, None), Behaviour) and run.bundle
    ]
    wanted = {bundle for _path, bundle, _step in named}
    known = set(Bundle.objects.filter(team_id=team_id, sha256__in=wanted).values_list("sha256", flat=True))
    return [
        Fault(path, "This bundle is not here; POST it to bundles/ first.", step)
        for path, bundle, step in named
        if bundle not in known
    ]


def _add_version(workflow: Workflow, data: Any, author: str) -> None:
    WorkflowVersion.objects.create(
        workflow=workflow, number=workflow.version, document=data, created_by=author
    )
