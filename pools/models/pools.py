"""Pools: what a team wants of its agents."""

from __future__ import annotations

from django.db import models

from aflow_site.kernel.ids import new_id
from pools.domain.problems import LONGEST_SENTENCE, ProblemKind


class Pool(models.Model):
    """`target_size` is the size wanted now (0 ≤ it ≤ max_size); `workflow` names the workflow whose document
    made this pool, or is null for pools made by people. Times in seconds."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="pools")
    name = models.CharField(max_length=128)  # by the pattern of `domain.names`
    image = models.CharField(max_length=255)
    min_size = models.PositiveIntegerField(default=0)
    max_size = models.PositiveIntegerField(default=10)
    warm_up = models.BooleanField(default=True)
    max_uses = models.PositiveIntegerField(default=100)
    idle_timeout = models.FloatField(default=300.0)
    target_size = models.PositiveIntegerField(default=0)
    workflow = models.CharField(max_length=255, null=True, blank=True)
    problem = models.CharField(max_length=LONGEST_SENTENCE, null=True, blank=True)
    problem_kind = models.CharField(
        max_length=16, choices=[(kind.value, kind.value) for kind in ProblemKind], null=True, blank=True
    )
    deleted_at = models.DateTimeField(null=True, blank=True)  # draining: its row goes with its last agent
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "name"],
                condition=models.Q(deleted_at__isnull=True),
                name="pool_name_once_per_team",
            ),
            models.CheckConstraint(
                condition=models.Q(min_size__lte=models.F("max_size")), name="pool_min_not_above_max"
            ),
            models.CheckConstraint(condition=models.Q(max_size__gte=1), name="pool_max_at_least_one"),
            models.CheckConstraint(
                condition=models.Q(target_size__lte=models.F("max_size")), name="pool_target_not_above_max"
            ),
            models.CheckConstraint(condition=models.Q(max_uses__gte=1), name="pool_max_uses_at_least_one"),
            models.CheckConstraint(condition=models.Q(idle_timeout__gt=0), name="pool_idle_timeout_positive"),
        ]

    def __str__(self) -> str:
        return self.name


class PoolUse(models.Model):
    """That a workflow's newest version counts on the team's pool of that name. Told by `workflows`."""

    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    pool = models.CharField(max_length=128)
    workflow = models.CharField(max_length=255)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "pool", "workflow"], name="pool_use_once_per_workflow")
        ]

    def __str__(self) -> str:
        return f"{self.workflow} uses {self.pool}"
