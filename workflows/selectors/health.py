from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from workflows.models import Executor

SILENCE = 3.0  # seconds after which an executor counts as dead


def alive(now: datetime) -> QuerySet[Executor]:
    """Those that reported lately. A report from the future is one from before the clock was set back."""
    silence = timedelta(seconds=SILENCE)
    return Executor.objects.filter(beat_at__gt=now - silence, beat_at__lt=now + silence)


def live_executors() -> int:
    """Executors that reported within the last seconds."""
    return alive(timezone.now()).count()
