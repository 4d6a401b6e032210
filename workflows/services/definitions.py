"""Saving workflows: each save is a new version, and nobody's newer version is ever overwritten unseen."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from aflow_site.kernel.errors import Conflict, Fault, NotFound, PreconditionFailed
from pools.facade import api as pools
from pools.facade.contracts import PoolSpec
from workflows.domain.document import Document
from workflows.domain.pools import named_pool, own_pool
from workflows.domain.validation import InvalidDocument, check_document, summary
from workflows.models import Bundle, Workflow, WorkflowVersion


def create_workflow(team_id: int, data: Any, *, author: str) -> Workflow:
    """A new workflow with version 1. InvalidDocument with every fault; Conflict when the name is taken."""
    document = _checked(team_id, data)
    try:
        with transaction.atomic():
            workflow = Workflow.objects.create(
                team_id=team_id, name=document.name, description=document.description, version=1
            )
            _add_version(workflow, data, author)
    except IntegrityError as exc:
        if not Workflow.objects.filter(team_id=team_id, name=document.name, archived_at=None).exists():
            raise
        raise Conflict(
            f"There is a workflow called {document.name} already; choose another name, or save it with PUT."
        ) from exc
    _make_pools(team_id, document)
    return workflow


def save_workflow(team_id: int, name: str, data: Any, *, if_match: str | None, author: str) -> Workflow:
    """A new version. `if_match` is the ETag of the version that was edited, or ``*`` for any."""
    if if_match is None:
        raise PreconditionFailed('Send If-Match with the ETag of the version you edited, or "*".')
    if isinstance(data, dict) and data.get("name", name) != name:
        fault = Fault("name", f"The document's name must stay {name}; a new name is a new workflow.")
        raise InvalidDocument("The name cannot change.", faults=[fault])
    document = _checked(team_id, data)
    with transaction.atomic():
        workflow = (
            Workflow.objects.select_for_update().filter(team_id=team_id, name=name, archived_at=None).first()
        )
        if workflow is None:
            raise NotFound(f"There is no workflow {name}.")
        _check_etag(workflow, if_match)
        newest = workflow.versions.get(number=workflow.version)
        if newest.document != data:
            workflow.version += 1
            workflow.description = document.description
            workflow.save(update_fields=["version", "description", "updated_at"])
            _add_version(workflow, data, author)
    _make_pools(team_id, document)
    return workflow


def archive_workflow(team_id: int, name: str) -> None:
    """Takes the workflow out of every list. Its runs and versions stay; its name is free again."""
    done = Workflow.objects.filter(team_id=team_id, name=name, archived_at=None).update(
        archived_at=timezone.now()
    )
    if not done:
        raise NotFound(f"There is no workflow {name}.")


def etag(workflow: Workflow) -> str:
    return f'"{workflow.version}"'


def _check_etag(workflow: Workflow, if_match: str) -> None:
    given = {part.strip().removeprefix("W/").strip('"') for part in if_match.split(",")}
    if "*" in given or str(workflow.version) in given:
        return
    newest = workflow.versions.get(number=workflow.version)
    who = newest.created_by or "somebody"
    raise PreconditionFailed(
        f"{who} saved version {workflow.version} meanwhile. Your changes are not lost: look at that version, "
        f"then save again with its ETag.",
        headers={"ETag": etag(workflow)},
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
        more = [*_pool_faults(team_id, document), *_bundle_faults(team_id, document)]
        faults += [fault for fault in more if fault.path not in seen]
    if document is None or faults:
        raise InvalidDocument(summary(faults), faults=faults)
    return document


def _pool_faults(team_id: int, document: Document) -> list[Fault]:
    known = {pool.name: pool for pool in pools.list_pools(team_id)}
    faults = []
    for index, step in enumerate(document.steps):
        name = named_pool(document, step)
        if name is None:
            continue
        path = f"steps[{index}].pool" if isinstance(step.pool, str) else "defaults.pool"
        pool = known.get(name)
        if pool is None:
            there = ", ".join(sorted(known)) or "none yet"
            faults.append(Fault(path, f"There is no pool {name}; there is {there}.", step.id))
        elif pool.image != (step.run.image or pools.BUILT_IN_IMAGE):
            wanted = step.run.image or "the built-in Python agent"
            faults.append(Fault(path, f"Pool {name} runs {pool.image}; this step needs {wanted}.", step.id))
    return faults


def _bundle_faults(team_id: int, document: Document) -> list[Fault]:
    wanted = {step.run.bundle for step in document.steps if step.run.bundle}
    if not wanted:
        return []
    known = set(Bundle.objects.filter(team_id=team_id, sha256__in=wanted).values_list("sha256", flat=True))
    return [
        Fault(f"steps[{index}].run.bundle", "This bundle is not here; POST it to bundles/ first.", step.id)
        for index, step in enumerate(document.steps)
        if step.run.bundle and step.run.bundle not in known
    ]


def _add_version(workflow: Workflow, data: Any, author: str) -> None:
    WorkflowVersion.objects.create(
        workflow=workflow, number=workflow.version, document=data, created_by=author
    )


def _make_pools(team_id: int, document: Document) -> None:
    for step in document.steps:
        _make_pool(team_id, document, step)


def _make_pool(team_id: int, document: Document, step: Any) -> None:
    """Makes or updates the step's own pool, or makes the shared one of its image."""
    own = own_pool(document, step)
    if own is not None:
        spec = PoolSpec(
            name=own.name,
            image=own.image,
            min_size=own.min_size,
            max_size=own.max_size,
            warm_up=own.warm_up,
            max_uses=own.max_uses,
            idle_timeout=own.idle_timeout,
        )
        pools.ensure_pool(team_id, spec, workflow=document.name)
    elif named_pool(document, step) is None:
        image = step.run.image
        if image is None:
            pools.ensure_default_pool(team_id)
        else:
            pools.ensure_pool(team_id, PoolSpec(name=pools.default_pool_name(image), image=image))
