"""Who did what, to which thing, from where. Entries are written once and never changed."""

from __future__ import annotations

from django.db import models


class AuditEntry(models.Model):
    """`action` is a verb of the field, such as `workflow.saved`; `target` names the thing it was done to."""

    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="audit")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    via = models.CharField(max_length=16, help_text="session, token, webhook, schedule or platform")
    address = models.CharField(max_length=64, blank=True, default="")
    action = models.CharField(max_length=40)
    target = models.CharField(max_length=255)
    details = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["team", "-at"], name="audit_newest"),
            models.Index(fields=["team", "target", "-at"], name="audit_of_target"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"
