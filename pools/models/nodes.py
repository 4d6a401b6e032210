"""Nodes, as the engine last told of them."""

from __future__ import annotations

from django.db import models

from pools.domain.nodes import CapacityType, NodeState

STATE_CHOICES = [(state.value, state.value) for state in NodeState]
CAPACITY_CHOICES = [(kind.value, kind.value) for kind in CapacityType]


class Node(models.Model):
    """A mirror of what the engine says, written by `services.nodes` alone. `draining_since` is what the
    engine does not know: that a pause is the beginning of a drain of ours; `leave_by`, that it has an end.

    Belongs to no team: nodes carry the agents of all. `ref` is the engine's own id, `name` a host name.
    """

    ref = models.CharField(max_length=128, unique=True)
    name = models.CharField(max_length=128, unique=True)
    address = models.CharField(max_length=128, blank=True, default="")
    state = models.CharField(max_length=16, choices=STATE_CHOICES)
    cpus = models.FloatField()
    memory = models.BigIntegerField()  # bytes
    price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)  # per hour
    # What such a machine costs on demand, per hour.
    on_demand_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    capacity_type = models.CharField(max_length=16, choices=CAPACITY_CHOICES)
    zone = models.CharField(max_length=64, blank=True, default="")
    note = models.CharField(max_length=500, blank=True, default="")  # what is wrong with it, in sentences
    draining_since = models.DateTimeField(null=True, blank=True)
    leave_by = models.DateTimeField(null=True, blank=True)  # it is taken away then, by a notice of its cloud
    changed_at = models.DateTimeField()  # when its state last changed

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in NodeState]), name="node_state_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name
