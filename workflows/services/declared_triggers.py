"""Triggers that a workflow's document names: saving makes, changes and removes them. Others are left alone.

What somebody switched off stays so until the document says `enabled` itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils import timezone

from aflow_site.kernel.errors import Fault
from workflows.domain.document import DeclaredTrigger, Document
from workflows.domain.references import did_you_mean
from workflows.domain.triggers import EventConfig, Kind, ScheduleConfig, faults_of, read_config
from workflows.models import Trigger, Workflow
from workflows.selectors.definitions import workflows_of
from workflows.services import triggers
from workflows.services.params import InvalidParams, check_params


def lock(team_id: int, workflow: str) -> None:
    """To be called before the workflow is locked: whoever fires a trigger locks it first, too."""
    named = Trigger.objects.filter(team_id=team_id, workflow__name=workflow, workflow__archived_at=None)
    list(named.select_for_update(of=("self",)).order_by("pk"))


def declare(workflow: Workflow, document: Document, *, author: str) -> None:
    """Part of the transaction that saves the version; `declared_faults` has found nothing wrong."""
    team_id = workflow.team_id
    there = {trigger.name: trigger for trigger in workflow.triggers.filter(declared=True)}
    wanted = {trigger.name: trigger for trigger in document.triggers}
    for name, trigger in there.items():
        if name not in wanted or wanted[name].kind != trigger.kind:
            triggers.delete_trigger(team_id, trigger.pk, author=author)
    for name, given in wanted.items():
        known = there.get(name)
        if known is None or known.kind != given.kind:
            triggers.create_trigger(team_id, _new(workflow.name, given), author=author)
        else:
            changes: dict[str, Any] = {"config": given.config, "params": given.params}
            if given.enabled is not None:
                changes["enabled"] = given.enabled
            triggers.change_trigger(team_id, known.pk, changes, author=author)


def _new(workflow: str, given: DeclaredTrigger) -> triggers.NewTrigger:
    return triggers.NewTrigger(
        workflow=workflow,
        name=given.name,
        kind=Kind(given.kind),
        config=given.config,
        params=given.params,
        enabled=given.enabled is not False,
        declared=True,
    )


def declared_faults(team_id: int, document: Document) -> Iterator[Fault]:
    """Everything that is wrong with the document's triggers, in this team, today."""
    now = timezone.now()
    by_hand = Trigger.objects.filter(
        team_id=team_id, workflow__name=document.name, workflow__archived_at=None, declared=False
    )
    taken = set(by_hand.values_list("name", flat=True)) if document.triggers else set()
    for place, given in enumerate(document.triggers):
        here = f"triggers[{place}]"
        if given.name in taken:
            sentence = f"Somebody made a trigger {given.name} by hand; delete it, or choose another name."
            yield Fault(f"{here}.name", sentence)
        faults = faults_of(Kind(given.kind), given.config, given.params, now)
        for fault in faults or _faults_here(team_id, document, given):
            yield Fault(f"{here}.{fault.path}", fault.message)


def _faults_here(team_id: int, document: Document, given: DeclaredTrigger) -> Iterator[Fault]:
    config = read_config(Kind(given.kind), given.config)
    if isinstance(config, EventConfig):
        known = frozenset({*workflows_of(team_id).values_list("name", flat=True), document.name})
        if config.workflow not in known:
            hint = did_you_mean(config.workflow, known)
            yield Fault("config.workflow", f"There is no workflow {config.workflow}{hint}.")
    if isinstance(config, ScheduleConfig):
        # A schedule's params are all there is; the other kinds get more of them when they go off.
        try:
            check_params(document, given.params)
        except InvalidParams as exc:
            yield from exc.faults
