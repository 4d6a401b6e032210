"""Rows of workflows and runs, for tests that need no engine."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from teams.models import Team
from workflows.models import Run, RunTag, Step, Workflow, WorkflowVersion

_numbers = count(1)
CODE = {"code": "def main(**params): ..."}


def make_workflow(team: Team, name: str | None = None, **document: Any) -> Workflow:
    """With one version, of one step; it takes any params unless `document` says otherwise."""
    name = name or f"workflow-{next(_numbers)}"
    body = {
        "name": name,
        "params": {"type": "object"},
        "steps": [{"id": "a", "type": "task", "run": CODE}],
        **document,
    }
    workflow = Workflow.objects.create(team=team, name=name)
    WorkflowVersion.objects.create(workflow=workflow, number=1, document=body)
    return workflow


def make_run(
    workflow: Workflow, state: str = "completed", *, tags: tuple[str, ...] = (), **values: Any
) -> Run:
    """A run with a row for each step; one that is over took a second, and ended now unless `values` say
    when."""
    version = workflow.versions.get(number=workflow.version)
    over = state in ("completed", "failed", "cancelled")
    finished: datetime | None = values.pop("finished_at", timezone.now() if over else None)
    started = finished - timedelta(seconds=1) if finished else timezone.now()
    run = Run.objects.create(
        team_id=workflow.team_id,
        workflow=workflow,
        version=version,
        state=state,
        started_at=started,
        finished_at=finished,
        **values,
    )
    for place, step in enumerate(version.document["steps"]):
        Step.objects.create(
            run=run,
            key=step["id"],
            position=place,
            type=step["type"],
            state=state if over else "pending",
            started_at=started,
            finished_at=finished,
        )
    RunTag.objects.bulk_create(RunTag(run=run, tag=tag) for tag in tags)
    return run


def end_run(run: Run, state: str = "completed", **values: Any) -> Run:
    """What the engine does at a run's end."""
    run.state, run.finished_at = state, values.pop("finished_at", timezone.now())
    for name, value in values.items():
        setattr(run, name, value)
    run.save()
    return run
