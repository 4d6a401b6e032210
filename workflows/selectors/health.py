from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from workflows.models import Executor

SILENCE = 3.0  # seconds after which an executor counts as dead


def alive(now: datetime) -> QuerySet[Executor]:
    return Executor.objects.filter(beat_at__gt=now - timedelta(seconds=SILENCE))


def live_executors() -> int:
    """Executors that reported within the last seconds."""
    return alive(timezone.now()).count()
