"""Who drives a run. A claim is one conditional statement; it holds as long as its executor reports.

Executors report every second; three seconds of silence and their runs are anybody's. Every claim raises the
run's fence, so that whatever the former holder still writes is refused (`workflows.services.journal`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet

from workflows.domain.states import RUN_FINAL
from workflows.models import Executor, Run
from workflows.selectors import limits
from workflows.selectors.health import alive

BEAT_EVERY = 1.0
FORGET_AFTER = 3600.0


def beat(executor_id: UUID, name: str, now: datetime) -> None:
    Executor.objects.update_or_create(pk=executor_id, defaults={"name": name, "beat_at": now})


def succeed(executor_id: UUID, name: str) -> None:
    """Takes the place of executors of that name, which are dead: a supervisor starts the next one only then.

    Their runs are free at once, and not only when their silence is noticed.
    """
    with transaction.atomic():
        former = Executor.objects.filter(name=name).exclude(pk=executor_id)
        Run.objects.filter(claimed_by__in=former.values("pk")).update(claimed_by=None, fence=F("fence") + 1)
        former.delete()


def retire(executor_id: UUID) -> None:
    """A clean end: its runs need not wait for the silence to be noticed."""
    with transaction.atomic():
        Run.objects.filter(claimed_by=executor_id).update(claimed_by=None, fence=F("fence") + 1)
        Executor.objects.filter(pk=executor_id).delete()


def _free(now: datetime) -> QuerySet[Run]:
    return (
        Run.objects.exclude(state__in=RUN_FINAL)
        .exclude(claimed_by__isnull=False, claimed_by__in=alive(now).values("pk"))
        .filter(Q(parked=False) | Q(wake_at__lte=now))
    )


def unclaimed(now: datetime, limit: int = 200) -> list[UUID]:
    """Runs that nobody drives and for which there is something to do: the highest priority first, then the
    oldest. Those that only wait for their turn are told apart by `claim`."""
    return list(_free(now).order_by("-priority", "created_at").values_list("pk", flat=True)[:limit])


def claim(run_id: UUID, executor_id: UUID, now: datetime) -> int | None:
    """Takes the run if nobody alive drives it and it is its turn: its new fence, or None."""
    with transaction.atomic():
        if not limits.admits(run_id):
            return None
        taken = (
            _free(now)
            .filter(pk=run_id)
            .update(claimed_by=executor_id, fence=F("fence") + 1, parked=False, wake_at=None)
        )
        if not taken:
            return None
        return Run.objects.values_list("fence", flat=True).get(pk=run_id)


def give_up(run_id: UUID, fence: int) -> None:
    """Leaves the run to others (or to nobody, when it has ended)."""
    Run.objects.filter(pk=run_id, fence=fence).update(claimed_by=None)


@dataclass(frozen=True, slots=True)
class Claim:
    run_id: UUID
    fence: int
    wakes: int  # counts the news that others wrote for the run


def held_by(executor_id: UUID) -> list[Claim]:
    """What the rows say that the executor drives."""
    rows = Run.objects.filter(claimed_by=executor_id).exclude(state__in=RUN_FINAL)
    return [Claim(*row) for row in rows.values_list("pk", "fence", "wakes")]


def forget_silent(now: datetime) -> None:
    """Removes executors that ended long ago without a word."""
    Executor.objects.filter(beat_at__lt=now - timedelta(seconds=FORGET_AFTER)).delete()
