"""What people and programs send to runs: decisions on approvals, and events that a step may wait for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from aflow_site.kernel.errors import Conflict, Fault, InvalidInput, NotAllowed, NotFound
from teams.facade.contracts import Role
from workflows.domain.schemas import SchemaUnusable, problems
from workflows.domain.states import RUN_FINAL, StepState
from workflows.models import Run, RunMessage, Step
from workflows.services.runs import audit_run, tell_run
from workflows.services.wakes import wake

MAX_WAITING = 1000  # signals of one run that no step has taken


@dataclass(frozen=True, slots=True)
class Person:
    """Who decides: a member of the run's team."""

    username: str
    role: Role


def decide(run: Run, key: str, *, approve: bool, data: Any, person: Person) -> Step:
    """Writes down a person's decision on an approval; the run goes on from it.

    Raises NotFound, Conflict (nobody waits for a decision, or it was taken already), NotAllowed, and
    InvalidInput with every fault of the form's data.
    """
    with transaction.atomic():
        run = Run.objects.select_for_update(of=("self",)).select_related("workflow", "version").get(pk=run.pk)
        step = Step.objects.filter(run=run, key=key).first()
        if step is None:
            raise NotFound(f"This run has no step {key}.")
        if step.type != "approval":
            raise Conflict(f"{key} is a {step.type}; only an approval is decided.")
        if step.state != StepState.WAITING:
            raise Conflict(f"{key} does not wait for a decision: it is {step.state}.")
        asked = step.input or {}
        if not _may_decide(asked.get("approvers") or [], person):
            whom = ", ".join(asked.get("approvers") or [])
            raise NotAllowed(f"{key} is for {whom} to decide.")
        if approve:
            _check_form(asked.get("form"), data)
        if RunMessage.objects.filter(run=run, kind="decision", name=key, taken_by=None).exists():
            raise Conflict(f"{key} has been decided already.")
        payload = {"approved": approve, "data": data}
        _send(run, "decision", key, payload, person.username)
        tell_run(run, "step.decided", step=key, approved=approve, by=person.username)
        audit_run(run, "decided", person.username, step=key, approved=approve)
    return step


def _may_decide(approvers: list[str], person: Person) -> bool:
    for approver in approvers:
        kind, _, name = approver.partition(":")
        if kind == "user" and name == person.username:
            return True
        if kind == "role" and name in {role.value for role in Role} and person.role.includes(Role(name)):
            return True
    return False


def _check_form(schema: dict[str, Any] | None, data: Any) -> None:
    if schema is None:
        return
    try:
        errors = list(problems(schema, data if data is not None else {}))
    except SchemaUnusable as exc:
        raise InvalidInput(str(exc)) from exc
    if errors:
        faults = [
            Fault(
                "data" + "".join(f"[{p!r}]" if isinstance(p, int) else f".{p}" for p in e.absolute_path),
                e.message,
            )
            for e in errors
        ]
        raise InvalidInput(f"The form is not filled in: {faults[0].message}", faults=faults)


def signal(run: Run, name: str, payload: Any, *, author: str) -> None:
    """Sends an event to the run: the first step that waits for it, now or later, goes on with the payload."""
    with transaction.atomic():
        run = Run.objects.select_for_update(of=("self",)).select_related("workflow", "version").get(pk=run.pk)
        if run.state in RUN_FINAL:
            raise Conflict(f"This run has ended already: it is {run.state}.")
        if RunMessage.objects.filter(run=run, taken_by=None).count() >= MAX_WAITING:
            raise Conflict(f"{MAX_WAITING:,} events wait in this run already, and no step takes them.")
        _send(run, "signal", name, payload, author)
        tell_run(run, "run.signalled", name=name, by=author)
        audit_run(run, "signalled", author, name=name)


def _send(run: Run, kind: str, name: str, payload: Any, author: str) -> None:
    RunMessage.objects.create(
        run=run, kind=kind, name=name, payload=payload, author=author, at=timezone.now()
    )
    wake(run.pk)
