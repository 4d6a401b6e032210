from __future__ import annotations

from django.utils import timezone

from workflows.services.claims import alive


def live_executors() -> int:
    """Executors that reported within the last seconds."""
    return alive(timezone.now()).count()
