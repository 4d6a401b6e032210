"""What starts runs by itself: schedules, webhooks, and the ends of other runs."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from aflow_site.kernel.ids import new_id

KINDS = [(kind, kind) for kind in ("schedule", "webhook", "event")]


class Trigger(models.Model):
    """`config` is what its kind needs (`workflows.domain.triggers`); `due_at` is a schedule's next moment,
    and `since` how far the ends of runs have been looked at for an event trigger.

    A webhook's secret is kept as it is: both sides compute with it (HMAC). It is shown once, when it is made.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="triggers")
    workflow = models.ForeignKey("workflows.Workflow", on_delete=models.CASCADE, related_name="triggers")
    name = models.CharField(max_length=63)
    kind = models.CharField(max_length=16, choices=KINDS)
    config = models.JSONField(default=dict)
    params = models.JSONField(default=dict)
    enabled = models.BooleanField(default=True)
    declared = models.BooleanField(default=False, help_text="The workflow's document names it")
    secret = models.CharField(max_length=100, blank=True, default="")
    due_at = models.DateTimeField(null=True)
    since = models.DateTimeField(null=True, help_text="Earlier ends of runs are none of its business")
    created_by = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "name"], name="trigger_name_once_per_workflow"),
            models.CheckConstraint(
                condition=Q(kind__in=[kind for kind, _ in KINDS]), name="trigger_kind_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(enabled=True, due_at__isnull=False), name="trigger_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.workflow}/{self.name}"


class Firing(models.Model):
    """One time that a trigger went off. `occasion` names it: the same one never starts two runs.

    `fingerprint` is a webhook's signature: a delivery that is sent again under another name is known by it.
    `chain` counts the runs before this one of which each started the next by its end.
    """

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="firings")
    occasion = models.CharField(max_length=100)
    fingerprint = models.CharField(max_length=64, null=True)
    chain = models.PositiveSmallIntegerField(default=0)
    at = models.DateTimeField()
    outcome = models.CharField(
        max_length=16, choices=[(name, name) for name in ("started", "queued", "skipped", "failed")]
    )
    detail = models.TextField(blank=True, default="")
    run = models.ForeignKey("workflows.Run", on_delete=models.SET_NULL, null=True, related_name="firings")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trigger", "occasion"], name="firing_once_per_occasion"),
            models.UniqueConstraint(
                fields=["trigger", "fingerprint"],
                condition=Q(fingerprint__isnull=False),
                name="firing_once_per_signature",
            ),
        ]
        indexes = [
            models.Index(fields=["trigger", "-at"], name="firing_newest"),
            models.Index(fields=["at"], name="firing_by_age"),
            models.Index(fields=["trigger"], condition=Q(outcome="queued"), name="firing_queued"),
        ]

    def __str__(self) -> str:
        return f"{self.trigger} {self.outcome}"
