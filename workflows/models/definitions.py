"""Workflows, their immutable versions, and the bundles of code that steps name."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from aflow_site.kernel.ids import new_id


class Workflow(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="workflows")
    name = models.CharField(max_length=63)
    description = models.TextField(blank=True, default="")
    version = models.PositiveIntegerField(default=1, help_text="The newest version's number")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True, blank=True, help_text="Set when deleted; its runs stay")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "name"], condition=Q(archived_at=None), name="workflow_name_once_per_team"
            )
        ]

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(models.Model):
    """Never changes once written; runs pin one."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="version_number_once_per_workflow")
        ]

    def __str__(self) -> str:
        return f"{self.workflow} v{self.number}"


class Bundle(models.Model):
    """A zip archive of Python modules, by the SHA-256 of its bytes."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="bundles")
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    content = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "sha256"], name="bundle_once_per_team")]

    def __str__(self) -> str:
        return self.sha256[:12]
