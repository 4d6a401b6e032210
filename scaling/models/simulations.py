"""Simulations that people asked for: with everything they need, so that any process can take one up."""

from __future__ import annotations

from django.db import models

from aflow_site.kernel.ids import new_id


class SimulationState(models.TextChoices):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class Simulation(models.Model):
    """`outcomes` holds those of the first runs, in the order of `policies` and, of each, of the seeds:
    whoever takes the simulation up goes on after them. `claim` names the process that is at it, until
    `claimed_until`; without a claim that moment is when a process that was sent for counts as lost."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    pool = models.CharField(max_length=128, null=True, blank=True)
    arrivals = models.CharField(max_length=8)  # history | trace
    trace = models.JSONField()  # {"width": seconds, "counts": [arrivals]}
    conditions = models.JSONField()
    policies = models.JSONField()
    current = models.JSONField(null=True, blank=True)  # the pool's policy as it counted
    seeds = models.PositiveIntegerField()
    state = models.CharField(
        max_length=10, choices=SimulationState.choices, default=SimulationState.PENDING.value
    )
    outcomes = models.JSONField(default=list)
    results = models.JSONField(null=True, blank=True)
    error = models.TextField(null=True, blank=True)
    claim = models.UUIDField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["team", "-created_at"], name="simulation_team"),
            models.Index(fields=["state", "created_at"], name="simulation_state"),
        ]

    def __str__(self) -> str:
        return f"{self.pool or 'a trace'}: {', '.join(self.policies)}"

    @property
    def runs(self) -> int:
        return len(self.policies) * self.seeds
