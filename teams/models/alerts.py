"""What a team was alerted of, and where alerts go."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from aflow_site.kernel.ids import new_id
from teams.domain.alerts import AlertEvent, AlertKind, ChannelKind, DeliveryState
from teams.models.members import Team

KINDS = [(kind.value, kind.value) for kind in AlertKind]


class AlertChannel(models.Model):
    """`target`: addresses that commas part, or a URL. `sealed`: what its webhooks are signed with, encrypted.
    `kinds`: only these alerts; empty: all."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="alert_channels")
    name = models.CharField(max_length=63)
    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in ChannelKind])
    target = models.TextField()
    sealed = models.TextField(blank=True, default="")
    kinds = models.JSONField(default=list)
    enabled = models.BooleanField(default=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="alert_channel_name_once_per_team")
        ]

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """Open until its cause ends. `subject` is `thing/name`, such as `pool/python`; `period` is what a budget
    counts over, and empty for what has none."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=32, choices=KINDS)
    subject = models.CharField(max_length=255)
    period = models.CharField(max_length=64, blank=True, default="")
    facts = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "kind", "subject", "period"],
                condition=Q(resolved_at__isnull=True),
                name="alert_open_once",
            ),
            models.UniqueConstraint(
                fields=["team", "kind", "subject", "period"],
                condition=~Q(period=""),
                name="alert_once_per_period",
            ),
        ]
        indexes = [
            models.Index(fields=["team", "-opened_at"], name="alert_newest"),
            models.Index(fields=["kind"], condition=Q(resolved_at__isnull=True), name="alert_open"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.subject}"


class AlertDelivery(models.Model):
    """One alert on its way to one channel."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=16, choices=[(event.value, event.value) for event in AlertEvent])
    state = models.CharField(
        max_length=16,
        choices=[(state.value, state.value) for state in DeliveryState],
        default=DeliveryState.PENDING,
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    problem = models.CharField(max_length=500, blank=True, default="")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "channel", "event"], name="delivery_once_per_alert_channel_event"
            )
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state=DeliveryState.PENDING), name="delivery_due")
        ]

    def __str__(self) -> str:
        return f"{self.event} to channel {self.channel_id}"
