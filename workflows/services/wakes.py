"""News for a run: written down, counted, and told to whoever drives it, or to somebody who will.

A driver parks a run only when it knows of all news (`Change.unless_woken_since`); so news are never slept
through.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from workflows.models import Run
from workflows.services.nudges import nudge, tell_driver


def wake(run_id: UUID) -> None:
    """Inside the transaction that writes the news."""
    Run.objects.filter(pk=run_id).update(wakes=F("wakes") + 1, wake_at=timezone.now())
    transaction.on_commit(lambda: tell_driver(run_id))
    transaction.on_commit(lambda: nudge(run_id))
