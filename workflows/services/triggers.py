"""Making and changing triggers. When they go off is told elsewhere (`schedules`, `deliveries`,
`run_ends`)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from aflow_site.kernel.errors import Conflict, Fault, InvalidInput, NotFound
from aflow_site.kernel.ids import new_id
from teams.facade import api as teams
from workflows.domain.document import Document
from workflows.domain.references import did_you_mean
from workflows.domain.schedules import next_moment
from workflows.domain.triggers import EventConfig, Kind, ScheduleConfig, faults_of, read_config
from workflows.models import Firing, Trigger, Workflow
from workflows.selectors.definitions import get_workflow, workflows_of
from workflows.selectors.triggers import get_trigger
from workflows.services.firings import drop_queued, run_of
from workflows.services.params import InvalidParams, check_params


class InvalidTrigger(InvalidInput):
    code = "invalid_trigger"
    title = "The trigger has faults"


class WrongKind(Conflict):
    code = "wrong_kind"
    title = "Triggers of this kind cannot do that"


@dataclass(frozen=True, slots=True)
class NewTrigger:
    workflow: str
    name: str
    kind: Kind
    config: Any = field(default_factory=dict)
    params: Any = field(default_factory=dict)
    enabled: bool = True
    declared: bool = False


def create_trigger(team_id: int, wanted: NewTrigger, *, author: str) -> Trigger:
    """A webhook's `secret` is in the answer, and is told nowhere else. InvalidTrigger with every fault;
    Conflict when the workflow has a trigger of that name."""
    now = timezone.now()
    workflow = get_workflow(team_id, wanted.workflow)
    trigger = Trigger(
        team_id=team_id,
        workflow=workflow,
        name=wanted.name,
        kind=wanted.kind,
        config=wanted.config,
        params=wanted.params,
        enabled=wanted.enabled,
        declared=wanted.declared,
        secret=_new_secret() if wanted.kind == Kind.WEBHOOK else "",
        created_by=author,
    )
    _check(trigger, now)
    _arm(trigger, now)
    with transaction.atomic():
        _save(trigger, force_insert=True)
        _audit(trigger, "created", author, config=trigger.config, enabled=trigger.enabled)
    return trigger


def change_trigger(team_id: int, trigger_id: UUID, changes: Mapping[str, Any], *, author: str) -> Trigger:
    """`changes` has any of name, config, params and enabled. A schedule that is changed, or switched on
    again, counts from now: what it missed meanwhile is not made up for."""
    now = timezone.now()
    with transaction.atomic():
        trigger = _locked(team_id, trigger_id)
        changed = [name for name, value in changes.items() if getattr(trigger, name) != value]
        if not changed:
            return trigger
        for name in changed:
            setattr(trigger, name, changes[name])
        _check(trigger, now)
        if {"config", "enabled"} & set(changed):
            _arm(trigger, now)
        if not trigger.enabled:
            drop_queued(trigger, "The trigger was switched off.")
        _save(trigger)
        # Not the params: they may hold what not everybody who reads the log should see.
        told = {name: getattr(trigger, name) for name in changed if name != "params"}
        _audit(trigger, "changed", author, changed=sorted(changed), **told)
    return trigger


def delete_trigger(team_id: int, trigger_id: UUID, *, author: str) -> None:
    """Its firings go with it; the runs that it started stay."""
    with transaction.atomic():
        trigger = _locked(team_id, trigger_id)
        _audit(trigger, "deleted", author)
        trigger.delete()


def rotate_secret(team_id: int, trigger_id: UUID, *, author: str) -> Trigger:
    """The new secret is in the answer; deliveries signed with the old one are refused from now on."""
    with transaction.atomic():
        trigger = _locked(team_id, trigger_id)
        if trigger.kind != Kind.WEBHOOK:
            raise WrongKind(f"A trigger of kind {trigger.kind} has no secret; only webhooks have one.")
        trigger.secret = _new_secret()
        trigger.save(update_fields=["secret", "updated_at"])
        _audit(trigger, "secret_rotated", author)
    return trigger


def fire_by_hand(team_id: int, trigger_id: UUID, params: dict[str, Any] | None, *, author: str) -> Firing:
    """Starts a run at once, whatever else goes on, with `params` or the trigger's own. A trigger that is
    switched off can be tried like this too. Raises what starting a run raises; then nothing is written."""
    now = timezone.now()
    with transaction.atomic():
        trigger = get_trigger(team_id, trigger_id)
        run = run_of(trigger, trigger.params if params is None else params, author=author)
        firing = Firing.objects.create(
            trigger=trigger,
            occasion=f"hand:{new_id()}",
            at=now,
            outcome="started",
            detail=f"By {author}.",
            run=run,
        )
        _audit(trigger, "fired", author, run=str(run.pk))
    return firing


def switch_off_all(workflow: Workflow) -> None:
    """Part of the transaction that archives the workflow."""
    for trigger in workflow.triggers.filter(enabled=True):
        drop_queued(trigger, "The workflow was deleted.")
    workflow.triggers.update(enabled=False, due_at=None)


def _locked(team_id: int, trigger_id: UUID) -> Trigger:
    trigger = (
        Trigger.objects.select_for_update(of=("self",))
        .select_related("workflow")
        .filter(team_id=team_id, pk=trigger_id, workflow__archived_at=None)
        .first()
    )
    if trigger is None:
        raise NotFound(f"There is no trigger {trigger_id}.")
    return trigger


def _new_secret() -> str:
    return "afs_" + secrets.token_urlsafe(32)


def _check(trigger: Trigger, now: datetime) -> None:
    kind = Kind(trigger.kind)
    faults = faults_of(kind, trigger.config, trigger.params, now)
    if not faults:
        faults = _faults_here(trigger, kind)
    if faults:
        raise InvalidTrigger(f"{faults[0].path}: {faults[0].message}", faults=faults)


def _faults_here(trigger: Trigger, kind: Kind) -> list[Fault]:
    """What does not fit the team's workflows as they are today."""
    config = read_config(kind, trigger.config)
    if isinstance(config, EventConfig):
        known = frozenset(workflows_of(trigger.team_id).values_list("name", flat=True))
        if config.workflow not in known:
            hint = did_you_mean(config.workflow, known)
            return [Fault("config.workflow", f"There is no workflow {config.workflow}{hint}.")]
    if isinstance(config, ScheduleConfig):
        # A schedule's params are all there is; the other kinds get more of them when they go off.
        version = trigger.workflow.versions.get(number=trigger.workflow.version)
        try:
            check_params(Document.model_validate(version.document), trigger.params)
        except InvalidParams as exc:
            return list(exc.faults)
    return []


def _arm(trigger: Trigger, now: datetime) -> None:
    config = read_config(Kind(trigger.kind), trigger.config)
    trigger.due_at = trigger.since = None
    if trigger.enabled and isinstance(config, ScheduleConfig):
        trigger.due_at = next_moment(config.cron, config.timezone, now)
    elif trigger.enabled and isinstance(config, EventConfig):
        trigger.since = now


def _save(trigger: Trigger, **options: Any) -> None:
    try:
        with transaction.atomic():
            trigger.save(**options)
    except IntegrityError as exc:
        name, workflow = trigger.name, trigger.workflow.name
        if not Trigger.objects.filter(workflow=trigger.workflow, name=name).exclude(pk=trigger.pk).exists():
            raise
        raise Conflict(f"{workflow} has a trigger called {name} already; choose another name.") from exc


def _audit(trigger: Trigger, verb: str, author: str, **details: Any) -> None:
    teams.audit(
        trigger.team_id,
        actor=author,
        action=f"trigger.{verb}",
        target=f"trigger/{trigger.pk}",
        details={"workflow": trigger.workflow.name, "name": trigger.name, "kind": trigger.kind, **details},
    )
