"""What the agents of a pool used."""

from __future__ import annotations

from django.db import models

from pools.models.pools import Pool


class PoolUsage(models.Model):
    """Two histograms (`domain.right_sizing.PoolUse`), some kilobytes however long it goes on. `image`: of the
    agents that they are about."""

    pool = models.OneToOneField(Pool, on_delete=models.CASCADE, related_name="usage", primary_key=True)
    image = models.CharField(max_length=255)
    content = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"use of {self.pool_id}"
