"""Who drives a run. A claim is one conditional statement; it holds as long as its executor reports.

Executors report every second; three seconds of silence and their runs are anybody's. Every claim raises the
run's fence, so that whatever the former holder still writes is refused (`workflows.services.journal`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from workflows.domain.states import RUN_FINAL
from workflows.models import Executor, Run
from workflows.selectors.health import alive

BEAT_EVERY = 1.0
FORGET_AFTER = 3600.0


def beat(executor_id: UUID, name: str, now: datetime) -> None:
    Executor.objects.update_or_create(pk=executor_id, defaults={"name": name, "beat_at": now})


def retire(executor_id: UUID) -> None:
    """A clean end: its runs need not wait for the silence to be noticed."""
    with transaction.atomic():
        Run.objects.filter(claimed_by=executor_id).update(claimed_by=None, fence=F("fence") + 1)
        Executor.objects.filter(pk=executor_id).delete()


def _free(now: datetime) -> QuerySet[Run]:
    return Run.objects.exclude(state__in=RUN_FINAL).exclude(
        claimed_by__isnull=False, claimed_by__in=alive(now).values("pk")
    )


def unclaimed(now: datetime, limit: int = 200) -> list[UUID]:
    """Runs that nobody drives, the oldest first."""
    return list(_free(now).order_by("created_at").values_list("pk", flat=True)[:limit])


def claim(run_id: UUID, executor_id: UUID, now: datetime) -> int | None:
    """Takes the run if nobody alive drives it: its new fence, or None."""
    with transaction.atomic():
        taken = _free(now).filter(pk=run_id).update(claimed_by=executor_id, fence=F("fence") + 1)
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
    cancelled: bool  # somebody asked for the run's end


def held_by(executor_id: UUID) -> list[Claim]:
    """What the rows say that the executor drives."""
    rows = Run.objects.filter(claimed_by=executor_id).exclude(state__in=RUN_FINAL)
    return [
        Claim(run_id, fence, cancel_requested_at is not None)
        for run_id, fence, cancel_requested_at in rows.values_list("pk", "fence", "cancel_requested_at")
    ]


def forget_silent(now: datetime) -> None:
    """Removes executors that ended long ago without a word."""
    Executor.objects.filter(beat_at__lt=now - timedelta(seconds=FORGET_AFTER)).delete()
