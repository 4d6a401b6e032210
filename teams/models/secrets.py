"""Secrets: values that only agents see."""

from __future__ import annotations

from django.db import models

from teams.models.members import Team


class Secret(models.Model):
    """`sealed` is the value, encrypted under the installation's key (`teams.services.secrets`)."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=128)
    sealed = models.TextField()
    author = models.CharField(max_length=150)  # who set it last
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="secret_name_once_per_team")]

    def __str__(self) -> str:
        return self.name
