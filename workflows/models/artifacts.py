"""Outputs too large for a row: kept once by their content, outside the database."""

from __future__ import annotations

from django.db import models


class Artifact(models.Model):
    """A JSON value (or other bytes) of a team by the SHA-256 of its bytes; `location` is an fsspec URL."""

    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="artifacts")
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    content_type = models.CharField(max_length=100, default="application/json")
    location = models.CharField(max_length=500)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "sha256"], name="artifact_once_per_team")]

    def __str__(self) -> str:
        return self.sha256[:12]


class ArtifactUse(models.Model):
    """A run whose rows refer to an artifact; the artifact goes with the last of them."""

    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="uses")
    run = models.ForeignKey("workflows.Run", on_delete=models.CASCADE, related_name="artifact_uses")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["artifact", "run"], name="artifact_use_once_per_run")]

    def __str__(self) -> str:
        return f"{self.artifact} in {self.run_id}"
