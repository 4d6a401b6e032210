"""Reads of workflows and their versions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from aflow_site.kernel.errors import NotFound
from workflows.domain.shapes import iso
from workflows.models import Run, Workflow, WorkflowVersion
from workflows.selectors.runs import run_summary


def workflows_of(team_id: int) -> QuerySet[Workflow]:
    return Workflow.objects.filter(team_id=team_id, archived_at=None)


def get_workflow(team_id: int, name: str) -> Workflow:
    workflow = workflows_of(team_id).filter(name=name).first()
    if workflow is None:
        raise NotFound(f"There is no workflow {name}.")
    return workflow


def has_workflow(team_id: int, name: str) -> bool:
    return workflows_of(team_id).filter(name=name).exists()


def get_version(workflow: Workflow, number: int) -> WorkflowVersion:
    version = workflow.versions.filter(number=number).first()
    if version is None:
        raise NotFound(f"{workflow.name} has no version {number}; the newest is {workflow.version}.")
    return version


def workflow_detail(workflow: Workflow) -> dict[str, Any]:
    newest = get_version(workflow, workflow.version)
    return {
        "name": workflow.name,
        "description": workflow.description,
        "version": workflow.version,
        "etag": f'"{workflow.version}"',
        "created_at": iso(workflow.created_at),
        "updated_at": iso(workflow.updated_at),
        "created_by": newest.created_by,
        "document": newest.document,
    }


def version_shape(version: WorkflowVersion, *, with_document: bool) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "version": version.number,
        "created_at": iso(version.created_at),
        "created_by": version.created_by,
    }
    if with_document:
        shape["document"] = version.document
    return shape


def workflow_summaries(workflows: list[Workflow]) -> list[dict[str, Any]]:
    """One page of the list, each with its last run."""
    ids = [workflow.pk for workflow in workflows]
    documents = _newest_documents(ids)
    last_runs = _last_runs(ids)
    return [_summary(workflow, documents[workflow.pk], last_runs.get(workflow.pk)) for workflow in workflows]


def _summary(workflow: Workflow, document: dict[str, Any], last_run: Run | None) -> dict[str, Any]:
    properties = (document.get("params") or {}).get("properties") or {}
    return {
        "name": workflow.name,
        "description": workflow.description,
        "version": workflow.version,
        "steps": len(document.get("steps", [])),
        "has_params": bool(properties),
        "created_at": iso(workflow.created_at),
        "updated_at": iso(workflow.updated_at),
        "last_run": run_summary(last_run) if last_run else None,
    }


def _newest_documents(workflow_ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    newest = Workflow.objects.filter(pk=OuterRef("workflow_id")).values("version")
    rows = WorkflowVersion.objects.filter(workflow_id__in=workflow_ids, number=Subquery(newest))
    return dict(rows.values_list("workflow_id", "document"))


def _last_runs(workflow_ids: list[UUID]) -> dict[UUID, Run]:
    newest = Run.objects.filter(workflow=OuterRef("pk")).order_by("-created_at").values("pk")[:1]
    pairs = Workflow.objects.filter(pk__in=workflow_ids).annotate(last=Subquery(newest))
    ids = [last for last in pairs.values_list("last", flat=True) if last]
    runs = Run.objects.filter(pk__in=ids).select_related("workflow", "version").prefetch_related("tags")
    return {run.workflow_id: run for run in runs}
