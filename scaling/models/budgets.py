"""Budgets, and the ledger of what agents cost.

The ledger's figures are whole numbers (milliseconds of agents' time, billionths of the currency) in bins of a
quarter of an hour, in which the days of every time zone begin. Names stay when pools and workflows go.
"""

from __future__ import annotations

from django.db import models

from aflow_site.kernel.ids import new_id
from scaling.domain.budgets import BudgetMode, Scope, Span


class Budget(models.Model):
    """`target` names the pool or the workflow; empty for a team's. `limit` for each period."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    scope = models.CharField(max_length=8, choices=[(scope.value, scope.value) for scope in Scope])
    target = models.CharField(max_length=255, blank=True, default="")
    period = models.CharField(max_length=8, choices=[(span.value, span.value) for span in Span])
    timezone = models.CharField(max_length=64, default="UTC")
    currency = models.CharField(max_length=8)
    limit = models.DecimalField(max_digits=15, decimal_places=6)
    mode = models.CharField(
        max_length=8,
        choices=[(mode.value, mode.value) for mode in BudgetMode],
        default=BudgetMode.ENFORCE.value,
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["scope", "target", "period"]
        constraints = [
            models.UniqueConstraint(fields=["team", "scope", "target", "period"], name="budget_once"),
            models.CheckConstraint(condition=models.Q(limit__gte=0), name="budget_limit_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.target}: {self.limit} {self.currency} a {self.period}"


class BudgetAlert(models.Model):
    """That people were told, once in a period: at 50, 80, 100 per cent, and of a forecast above the limit."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="alerts")
    starts_at = models.DateTimeField()
    threshold = models.CharField(max_length=8)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(fields=["budget", "starts_at", "threshold"], name="alert_once_a_period")
        ]

    def __str__(self) -> str:
        return f"{self.budget}: {self.threshold}"


class CapacitySpend(models.Model):
    """What the agents of a pool cost in a bin, at work or not. `workflow`: whose document made the pool."""

    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    pool = models.CharField(max_length=128)
    workflow = models.CharField(max_length=255, blank=True, default="")
    bin = models.DateTimeField()
    milliseconds = models.BigIntegerField(default=0)
    nanos = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "bin", "pool", "workflow"], name="capacity_once_a_bin")
        ]

    def __str__(self) -> str:
        return f"{self.pool} {self.bin}"


class WorkSpend(models.Model):
    """How much of that the steps of a workflow's runs were at work for. `own`: in a pool that the workflow's
    document made. `owner` is the team that the pool belongs to, which pays."""

    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    owner = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    workflow = models.CharField(max_length=255)
    pool = models.CharField(max_length=128)
    own = models.BooleanField(default=False)
    bin = models.DateTimeField()
    milliseconds = models.BigIntegerField(default=0)
    nanos = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "bin", "workflow", "owner", "pool", "own"], name="work_once_a_bin"
            )
        ]
        indexes = [models.Index(fields=["owner", "bin"], name="work_of_owner")]

    def __str__(self) -> str:
        return f"{self.workflow} in {self.pool} {self.bin}"


class Meter(models.Model):
    """Up to when this installation's agents were metered: written together with what they cost, so that no
    second is counted twice or left out, whoever meters."""

    instance = models.CharField(max_length=64, primary_key=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.instance} until {self.until}"
