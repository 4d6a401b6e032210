"""Decisions: kept with everything they saw, so that each can be explained, and made again."""

from __future__ import annotations

from django.db import models


class ScalingDecision(models.Model):
    """Every change of a size; of those evaluations that held it, one whenever the cause is another, and one a
    minute. The id only rises, and numbers the live stream. Pools may be gone: their name stays."""

    id = models.BigAutoField(primary_key=True)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    pool_id = models.UUIDField()
    pool = models.CharField(max_length=128)
    workflow = models.CharField(max_length=255, null=True, blank=True)
    at = models.DateTimeField()
    action = models.CharField(max_length=16)
    reason = models.CharField(max_length=16)
    current_size = models.PositiveIntegerField()
    target_size = models.PositiveIntegerField()
    wish = models.PositiveIntegerField()
    explanation = models.CharField(max_length=500)
    predicted_load = models.FloatField(null=True, blank=True)  # busy agents
    signals = models.JSONField()
    candidates = models.JSONField()
    clamped_by = models.JSONField(default=list)
    policy = models.JSONField()
    mode = models.CharField(max_length=8)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["team", "-id"], name="decision_team"),
            models.Index(fields=["pool_id", "-id"], name="decision_pool"),
            models.Index(fields=["at"], name="decision_at"),
        ]

    def __str__(self) -> str:
        return f"{self.pool}: {self.action} to {self.target_size}"
