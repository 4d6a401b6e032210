from __future__ import annotations

from django.db import models


class Executor(models.Model):
    """A process that drives runs. Silent for a few seconds means dead: its runs are taken over."""

    id = models.UUIDField(primary_key=True, editable=False)
    name = models.CharField(max_length=120)
    started_at = models.DateTimeField(auto_now_add=True)
    beat_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.name
