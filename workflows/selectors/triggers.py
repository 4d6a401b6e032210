"""Reads of triggers and their firings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from aflow_site.kernel.errors import NotFound
from workflows.domain.shapes import iso
from workflows.domain.triggers import Kind
from workflows.models import Firing, Trigger


def triggers_of(team_id: int) -> QuerySet[Trigger]:
    return Trigger.objects.filter(team_id=team_id, workflow__archived_at=None).select_related("workflow")


def get_trigger(team_id: int, trigger_id: UUID) -> Trigger:
    trigger = triggers_of(team_id).filter(pk=trigger_id).first()
    if trigger is None:
        raise NotFound(f"There is no trigger {trigger_id}.")
    return trigger


def firings_of(trigger: Trigger) -> QuerySet[Firing]:
    return Firing.objects.filter(trigger=trigger).select_related("run")


def trigger_shapes(triggers: Sequence[Trigger]) -> list[dict[str, Any]]:
    """One page of the list, each with its last firing. A secret is never among it."""
    newest = Firing.objects.filter(trigger=OuterRef("pk")).order_by("-at", "-pk").values("pk")[:1]
    ids = Trigger.objects.filter(pk__in=[t.pk for t in triggers]).annotate(last=Subquery(newest))
    firings = Firing.objects.filter(pk__in=[pk for pk in ids.values_list("last", flat=True) if pk])
    last = {firing.trigger_id: firing for firing in firings.select_related("run")}
    return [_shape(trigger, last.get(trigger.pk)) for trigger in triggers]


def trigger_shape(trigger: Trigger) -> dict[str, Any]:
    return trigger_shapes([trigger])[0]


def _shape(trigger: Trigger, last: Firing | None) -> dict[str, Any]:
    return {
        "id": str(trigger.pk),
        "workflow": trigger.workflow.name,
        "name": trigger.name,
        "kind": trigger.kind,
        "config": trigger.config,
        "params": trigger.params,
        "enabled": trigger.enabled,
        "declared": trigger.declared,
        "due_at": iso(trigger.due_at),
        "hook": f"/api/v1/hooks/{trigger.pk}/" if trigger.kind == Kind.WEBHOOK else None,
        "created_by": trigger.created_by,
        "created_at": iso(trigger.created_at),
        "updated_at": iso(trigger.updated_at),
        "last_firing": firing_shape(last) if last else None,
    }


def firing_shape(firing: Firing) -> dict[str, Any]:
    """`run` is None when none was started, or when it has been deleted since."""
    return {
        "id": firing.pk,
        "at": iso(firing.at),
        "occasion": firing.occasion,
        "outcome": firing.outcome,
        "detail": firing.detail,
        "run": {"id": str(firing.run.pk), "state": firing.run.state} if firing.run else None,
    }
