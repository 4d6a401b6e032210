"""What follows from the end of a run: triggers that wait for it go off, its parent goes on, and those who
waited for its place get their turn.

May happen twice, or not at all when a process dies; the sweep and the parents' own looks make up for that.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from workflows.models import Run
from workflows.services.claims import unclaimed
from workflows.services.nudges import nudge
from workflows.services.run_ends import on_run_ended
from workflows.services.wakes import wake

NEXT = 3  # runs that wait, told at once; the sweep tells the others


def run_ended(run_id: UUID) -> None:
    row = Run.objects.filter(pk=run_id).values_list("parent_step__run_id").first()
    if row is None:
        return
    (parent,) = row
    on_run_ended(run_id)
    if parent is not None:
        with transaction.atomic():
            wake(parent)
    for waiting in unclaimed(timezone.now(), limit=NEXT):
        nudge(waiting)
