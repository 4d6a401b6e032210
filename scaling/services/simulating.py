"""Runs the simulations that were asked for, one after another, in a process of its own.

Each run's outcome is kept as it comes: a process that dies costs the run that it was at, and the next one
goes on after those that are kept. A claim has one owner; what a late owner would write is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from django.db.models import Q, QuerySet

from aflow_site.kernel.errors import InvalidInput
from scaling.domain.policies import Policy
from scaling.models import Simulation, SimulationState
from scaling.services.simulations import CURRENT, UNFINISHED
from scaling.simulator import plant, policies, workload
from scaling.simulator.ours import Ours
from scaling.simulator.outcome import Outcome, judge
from scaling.simulator.study import verdict
from scaling.simulator.trace import Trace
from scaling.simulator.workload import Conditions

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=120)  # a single run takes less
LONGEST = timedelta(minutes=15)

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


def work_off(clock: Clock = _now) -> int:
    """Runs what waits until nothing does, or another process is at it. How many were taken up."""
    taken = 0
    while (row := _take(uuid4(), clock())) is not None:
        taken += 1
        run(row, clock)
    return taken


def _take(claim: UUID, now: datetime) -> Simulation | None:
    """The oldest that nobody is at; one at a time on the whole installation."""
    unfinished = Simulation.objects.filter(state__in=UNFINISHED)
    if unfinished.filter(claim__isnull=False, claimed_until__gte=now).exists():
        return None
    free = Q(claim__isnull=True) | Q(claimed_until__lt=now)
    for pk in unfinished.filter(free).order_by("created_at").values_list("pk", flat=True):
        if unfinished.filter(free, pk=pk).update(
            claim=claim, claimed_until=now + CLAIM, state=SimulationState.RUNNING
        ):
            Simulation.objects.filter(pk=pk, started_at__isnull=True).update(started_at=now)
            return Simulation.objects.get(pk=pk)
    return None


def run(row: Simulation, clock: Clock = _now) -> None:
    """Goes on where it stood. Returns without a word when the row is gone, or another's."""
    trace = Trace(row.trace["width"], tuple(row.trace["counts"]))
    conditions = Conditions(**row.conditions)
    jobs = [(name, seed) for name in row.policies for seed in range(row.seeds)]
    outcomes = list(row.outcomes)
    until = (row.started_at or clock()) + LONGEST
    for name, seed in jobs[len(outcomes) :]:
        if clock() > until:
            _end(row, clock(), error="It took longer than 15 minutes: take fewer hours, policies or seeds.")
            return
        try:
            outcomes.append(asdict(_one(row, trace, conditions, name, seed)))
        except InvalidInput as exc:
            _end(row, clock(), error=exc.detail)
            return
        except Exception as exc:  # it must not hold up the others, who wait for their turn
            log.exception("simulation %s broke", row.pk)
            _end(row, clock(), error=f"It broke: {type(exc).__name__}. This is our fault, and it was logged.")
            return
        if not _mine(row).update(outcomes=outcomes, claimed_until=clock() + CLAIM):
            return
    _end(row, clock(), results=_results(row, outcomes))


def _one(row: Simulation, trace: Trace, conditions: Conditions, name: str, seed: int) -> Outcome:
    work = workload.draw(trace, conditions, seed)
    if name == CURRENT and row.current is not None:
        values = {**row.current, "metrics": tuple(row.current["metrics"])}
        policy = policies.ours(Policy(**values), work, conditions)
    else:
        policy = policies.make(name, work, conditions)
    course = plant.run(policy, work, conditions)
    return judge(course, conditions, policy.held if isinstance(policy, Ours) else ())


def _results(row: Simulation, outcomes: list[dict[str, float | None]]) -> list[dict[str, object]]:
    each = [Outcome(**values) for values in outcomes]  # type: ignore[arg-type]
    parts = [each[index * row.seeds : (index + 1) * row.seeds] for index in range(len(row.policies))]
    return [verdict(name, part).as_record() for name, part in zip(row.policies, parts, strict=True)]


def _mine(row: Simulation) -> QuerySet[Simulation]:
    return Simulation.objects.filter(pk=row.pk, claim=row.claim, state=SimulationState.RUNNING)


def _end(
    row: Simulation,
    now: datetime,
    *,
    results: list[dict[str, object]] | None = None,
    error: str | None = None,
) -> None:
    state = SimulationState.FAILED if results is None else SimulationState.COMPLETED
    _mine(row).update(
        state=state, results=results, error=error, finished_at=now, claim=None, claimed_until=None
    )
