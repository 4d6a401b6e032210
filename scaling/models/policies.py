"""Policies: what a team wants of a pool's size, or of all pools that a workflow made."""

from __future__ import annotations

from django.db import models

from aflow_site.kernel.ids import new_id
from scaling.domain.policies import DEFAULT_PRESET, PRESETS, Mode


class ScalingPolicy(models.Model):
    """`values` holds the fields that are set beside the preset's. Of `pool` and `workflow` one is set; the
    pool's own policy goes before its workflow's."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    pool = models.CharField(max_length=128, null=True, blank=True)
    workflow = models.CharField(max_length=255, null=True, blank=True)
    preset = models.CharField(
        max_length=16, choices=[(name, name) for name in PRESETS], default=DEFAULT_PRESET
    )
    values = models.JSONField(default=dict, blank=True)
    mode = models.CharField(
        max_length=8, choices=[(mode.value, mode.value) for mode in Mode], default=Mode.ACT.value
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "scaling policies"
        ordering = ["pool", "workflow"]
        constraints = [
            models.UniqueConstraint(fields=["team", "pool"], name="policy_once_per_pool"),
            models.UniqueConstraint(fields=["team", "workflow"], name="policy_once_per_workflow"),
            models.CheckConstraint(
                condition=models.Q(pool__isnull=True) ^ models.Q(workflow__isnull=True),
                name="policy_of_pool_or_workflow",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pool or self.workflow}: {self.preset}"
