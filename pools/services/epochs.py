"""Who leads, and the epochs of Redis. One row for each installation, changed under its lock."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from pools.models import PoolEpoch

EPOCH_SHIFT = 2**32


def take_lead(instance: str, leader: str, now: datetime) -> None:
    """The one who comes last leads; the one before notices at its next write."""
    with transaction.atomic():
        PoolEpoch.objects.get_or_create(instance=instance)
        row = PoolEpoch.objects.select_for_update().get(instance=instance)
        row.leader, row.leader_since = leader, now
        row.save(update_fields={"leader", "leader_since"})


def leads(instance: str, leader: str) -> bool:
    return PoolEpoch.objects.filter(instance=instance, leader=leader).exists()


def next_epoch(instance: str) -> tuple[int, int]:
    """A new epoch, and the fence from which it counts on: above every fence ever given out."""
    with transaction.atomic():
        PoolEpoch.objects.get_or_create(instance=instance)
        row = PoolEpoch.objects.select_for_update().get(instance=instance)
        row.epoch += 1
        row.fence_high_water = max(row.fence_high_water, row.epoch * EPOCH_SHIFT)
        row.save(update_fields={"epoch", "fence_high_water"})
        return row.epoch, row.fence_high_water


def current_epoch(instance: str) -> int:
    return PoolEpoch.objects.filter(instance=instance).values_list("epoch", flat=True).first() or 0


def save_high_water(instance: str, fence: int) -> None:
    PoolEpoch.objects.filter(instance=instance, fence_high_water__lt=fence).update(fence_high_water=fence)
