"""What the live runs will ask of pools next: the steps that start when those at work end.

A step's end is foreseen from how far a map is, or from how long the same step lately took; one that nothing
is known of is left out. Bounded: the newest live runs only, and what is learnt of steps is kept for minutes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from django.db.models import Avg, F

from scaling.facade.contracts import Expected
from workflows.domain.document import Document
from workflows.domain.pools import pool_uses
from workflows.domain.states import RUN_FINAL, STEP_FINAL, RunState, StepState
from workflows.domain.steps import AnyStep, MapReduceStep, MapStep
from workflows.models import Run, Step, WorkflowVersion
from workflows.services.step_pools import first_pool_name

MOST_RUNS = 100
MOST_STEPS = 1000
LATELY = 20  # runs whose steps tell how long one takes
REMEMBERED = timedelta(minutes=5)
MOST_REMEMBERED = 2000


@dataclass(frozen=True, slots=True)
class Plan:
    """A document, as far as it matters here."""

    document: Document
    followers: Mapping[str, tuple[AnyStep, ...]]  # by the step that they need


class NextSteps:
    """Remembers how long steps take, from one look to the next."""

    def __init__(self) -> None:
        self._took: dict[tuple[UUID, str], tuple[datetime, float | None]] = {}

    def expected(self, now: datetime) -> list[Expected]:
        """The agents that will be asked for, and when."""
        runs = {run.pk: run for run in _live()}
        at_work = defaultdict(list)
        steps = Step.objects.filter(run__in=runs, state=StepState.RUNNING, started_at__isnull=False)
        for step in steps.only("run_id", "key", "started_at", "total", "completed", "failed")[:MOST_STEPS]:
            if "." not in step.key:  # loops go on for as long as they like
                at_work[step.run_id].append(step)
        if not at_work:
            return []
        ended = _ended(runs[run_id] for run_id in at_work)
        return [one for run_id, rows in at_work.items() for one in self._of(runs[run_id], rows, ended, now)]

    def _of(
        self, run: Run, rows: list[Step], ended: Mapping[UUID, set[str]], now: datetime
    ) -> Iterator[Expected]:
        plan = _plan(run.version_id)
        ends = {row.key: end for row in rows if (end := self._end(run, row, now)) is not None}
        met = ended[run.pk] | set(ends)
        for step in {one.id: one for key in ends for one in plan.followers.get(key, ())}.values():
            if not met.issuperset(step.needs) or not pool_uses(plan.document, step):
                continue
            pool = first_pool_name(plan.document, step)
            freed = sum(
                agents_of(plan.document, before)
                for need in step.needs
                if need in ends
                and first_pool_name(plan.document, before := plan.document.by_id[need]) == pool
            )
            if (agents := agents_of(plan.document, step) - freed) > 0:
                at = max(ends[need] for need in step.needs if need in ends)
                yield Expected(run.team_id, pool, at.timestamp(), agents)

    def _end(self, run: Run, row: Step, now: datetime) -> datetime | None:
        assert row.started_at is not None
        done = row.completed + row.failed
        if row.total and done:
            return now + (now - row.started_at) * ((row.total - done) / done)
        took = self._lately(run.workflow_id, row.key, now)
        # One that takes longer than usual may end at any moment.
        return None if took is None else max(now, row.started_at + timedelta(seconds=took))

    def _lately(self, workflow_id: UUID, key: str, now: datetime) -> float | None:
        """Seconds; None where it never ended well."""
        known = self._took.get((workflow_id, key))
        if known is not None and timedelta(0) <= now - known[0] < REMEMBERED:
            return known[1]
        ended = Run.objects.filter(workflow_id=workflow_id, state__in=RUN_FINAL).order_by("-created_at")
        rows = Step.objects.filter(run__in=list(ended.values_list("pk", flat=True)[:LATELY]), key=key)
        took = rows.filter(state=StepState.COMPLETED).aggregate(mean=Avg(F("finished_at") - F("started_at")))
        mean = took["mean"].total_seconds() if took["mean"] is not None else None
        if len(self._took) >= MOST_REMEMBERED:
            self._took.clear()
        self._took[workflow_id, key] = (now, mean)
        return mean


def agents_of(document: Document, step: AnyStep) -> int:
    """A map's list is not known before it runs; its bound is."""
    if not isinstance(step, MapStep | MapReduceStep):
        return 1
    return step.max_parallel or document.max_parallel or 1


def _live() -> list[Run]:
    live = Run.objects.exclude(state__in=RUN_FINAL).filter(
        state=RunState.RUNNING,
        document__isnull=True,  # the trial of one step has none after it
        pause_requested_at=None,
        cancel_requested_at=None,
    )
    return list(live.only("team_id", "workflow_id", "version_id").order_by("-created_at")[:MOST_RUNS])


def _ended(runs: Iterator[Run]) -> dict[UUID, set[str]]:
    """The steps of each run that are over."""
    found: dict[UUID, set[str]] = {run.pk: set() for run in runs}
    rows = Step.objects.filter(run__in=found, state__in=STEP_FINAL).exclude(key__contains=".")
    for run_id, key in rows.values_list("run_id", "key"):
        found[run_id].add(key)
    return found


@lru_cache(maxsize=64)
def _plan(version_id: UUID) -> Plan:
    """Versions never change."""
    document = Document.model_validate(WorkflowVersion.objects.get(pk=version_id).document)
    followers: dict[str, list[AnyStep]] = defaultdict(list)
    for step in document.steps:
        for need in step.needs:
            followers[need].append(step)
    return Plan(document, {need: tuple(steps) for need, steps in followers.items()})
