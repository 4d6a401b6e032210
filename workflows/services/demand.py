"""The agents that schedules and live runs will ask for soon, told to the scaler before they do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from scaling.facade import api as scaling
from scaling.facade.contracts import SCHEDULED, Expected
from workflows.domain.document import Document
from workflows.domain.pools import pool_uses
from workflows.domain.triggers import Kind
from workflows.models import Trigger, WorkflowVersion
from workflows.services.next_steps import NextSteps, agents_of
from workflows.services.step_pools import first_pool_name

AHEAD = timedelta(minutes=5)  # longer than any agent takes to start
MOST = 200  # schedules


class Demand:
    """What is known of it is kept from one look to the next."""

    def __init__(self) -> None:
        self._next = NextSteps()

    def foresee(self, now: datetime) -> int:
        """Tells what the schedules of the next minutes begin with, and what comes next in live runs; how many
        of such steps there are."""
        scheduled = [one for trigger in _soon(now) for one in _first_steps(trigger)]
        found = [*scheduled, *self._next.expected(now)]
        scaling.expect(found)
        return len(found)


def _soon(now: datetime) -> list[Trigger]:
    schedules = Trigger.objects.filter(
        kind=Kind.SCHEDULE,
        enabled=True,
        due_at__gt=now - timedelta(seconds=5),
        due_at__lte=now + AHEAD,
        workflow__archived_at=None,
    )
    return list(schedules.select_related("workflow").order_by("due_at")[:MOST])


def _first_steps(trigger: Trigger) -> Iterator[Expected]:
    """One agent for each step that waits for no other, and as many as it may have for a map."""
    version = WorkflowVersion.objects.get(workflow=trigger.workflow, number=trigger.workflow.version)
    document = Document.model_validate(version.document)  # it was checked when it was saved
    assert trigger.due_at is not None
    for step in document.steps:
        if not step.needs and pool_uses(document, step):
            pool, at = first_pool_name(document, step), trigger.due_at.timestamp()
            yield Expected(trigger.team_id, pool, at, agents_of(document, step), SCHEDULED)
