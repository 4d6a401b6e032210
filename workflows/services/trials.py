"""Trials: one step alone, with an input that somebody gives, before or after the workflow is saved."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from aflow_site.kernel.errors import Conflict, NotFound
from workflows.domain.steps import CallingStep
from workflows.domain.validation import InvalidDocument, check_document, summary
from workflows.models import Run, Workflow
from workflows.services.nudges import nudge
from workflows.services.runs import RunRequest, audit_run, new_run, write_run
from workflows.services.step_pools import make_trial_pools, pool_faults

TRIAL = "trial"


def try_step(
    team_id: int, name: str, step_id: str, *, value: Any, document: dict[str, Any] | None, author: str
) -> Run:
    """A run of one step of the workflow's newest version, or of the unsaved `document`.

    `value` stands in the place of the step's input: for a map it is the list of its items. The run bears the
    tag `trial`. Raises NotFound, Conflict for steps that call no agent, InvalidDocument.
    """
    workflow = Workflow.objects.filter(team_id=team_id, name=name, archived_at=None).first()
    if workflow is None:
        raise NotFound(f"There is no workflow {name}.")
    version = workflow.versions.get(number=workflow.version)
    source = version.document if document is None else document
    alone = _alone(source, step_id, value)
    parsed, faults = check_document(alone)
    if parsed is not None and not faults:
        faults = list(pool_faults(team_id, parsed))
    if parsed is None or faults:
        raise InvalidDocument(summary(faults), faults=faults)
    run = new_run(workflow, version, parsed, RunRequest(params={}), author=author)
    run.document = alone
    with transaction.atomic():
        make_trial_pools(team_id, parsed)
        write_run(run, parsed, (TRIAL,))
        audit_run(run, "tried", author, step=step_id)
        transaction.on_commit(lambda: nudge(run.pk))
    return run


def _alone(source: Any, step_id: str, value: Any) -> dict[str, Any]:
    """A document of that step alone, its input pinned."""
    steps = source.get("steps") if isinstance(source, dict) else None
    raw = next((s for s in _all(steps) if s.get("id") == step_id), None)
    if raw is None:
        raise NotFound(f"There is no step {step_id}.")
    step = {
        k: v for k, v in raw.items() if k not in ("needs", "when", "always_run", "compensate", "streaming")
    }
    alone = {
        **{k: v for k, v in source.items() if k in ("apiVersion", "name", "defaults")},
        "steps": [step],
    }
    parsed, faults = check_document({**alone, "steps": [_pinned(step, value)]})
    if parsed is not None and not isinstance(parsed.steps[0], CallingStep):
        raise Conflict(
            f"{step_id} is a {parsed.steps[0].type}: it calls no agent, so there is nothing to try."
        )
    if parsed is None or faults:
        raise InvalidDocument(summary(faults), faults=faults)
    return {**alone, "steps": [_pinned(step, value)]}


def _pinned(step: dict[str, Any], value: Any) -> dict[str, Any]:
    if step.get("type") in ("map", "mapreduce"):
        return {**step, "over": value if isinstance(value, list) else [value]}
    return {**step, "input": value}


def _all(steps: Any) -> list[dict[str, Any]]:
    """Every step, those inside loops too, of a document that may have faults."""
    found: list[dict[str, Any]] = []
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, dict):
            found.append(step)
            found += _all(step.get("steps"))
    return found
