"""Node groups: what the platform's staff wants of rented machines, the machines, and what was decided."""

from __future__ import annotations

from enum import StrEnum

from django.db import models

from aflow_site.kernel.ids import new_id
from pools.domain.machines import MachineEnd, MachineState
from pools.domain.node_groups import GroupAction, GroupReason
from pools.domain.nodes import CapacityType


def _choices(options: type[StrEnum]) -> list[tuple[str, str]]:
    return [(option.value, option.value) for option in options]


class NodeGroup(models.Model):
    """Belongs to no team, as nodes. `template` is what its machines are made of, in the provider's terms;
    `instance_types` of which type they may be (`domain.instance_types`), `zones` where, empty: anywhere.
    Prices per hour, times in seconds. `on_demand_base`: null takes what is needed half of the time. `offers`
    is what the provider last had of them, as the controller saw it."""

    name = models.CharField(max_length=63, unique=True)
    provider = models.CharField(max_length=16)
    template = models.JSONField(default=dict)
    instance_types = models.JSONField(default=list)
    zones = models.JSONField(default=list)
    min = models.PositiveIntegerField(default=0)
    max = models.PositiveIntegerField(default=10)
    on_demand_base = models.PositiveIntegerField(null=True, blank=True)
    prefer_spot = models.BooleanField(default=True)
    spot_fallback = models.BooleanField(default=True)
    max_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)  # of spot
    idle_timeout = models.FloatField(default=300.0)
    join_timeout = models.FloatField(default=600.0)
    problem = models.CharField(max_length=500, blank=True, default="")
    offers = models.JSONField(default=list)
    deleted_at = models.DateTimeField(null=True, blank=True)  # its row goes with its last machine
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(min__lte=models.F("max")), name="node_group_min_not_above_max"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Machine(models.Model):
    """One rented machine. Written by the leading controller alone (`services.machines`), save `node_ref` and
    `leave_by`, which the machine tells. The row is written before the provider is asked: its id is the
    provider's client token and tag. `cost` and `on_demand_cost` are what it has cost so far, and what it
    would have cost on demand.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    group = models.ForeignKey(NodeGroup, on_delete=models.SET_NULL, null=True, related_name="machines")
    group_name = models.CharField(max_length=63)
    state = models.CharField(
        max_length=16, choices=_choices(MachineState), default=MachineState.REQUESTED.value
    )
    ref = models.CharField(max_length=128, blank=True, default="")  # the provider's own id
    node_ref = models.CharField(max_length=128, blank=True, default="")  # the engine's
    template = models.JSONField(default=dict)  # the group's for its type, when it was asked for
    instance_type = models.CharField(max_length=64, blank=True, default="")
    capacity_type = models.CharField(max_length=16, choices=_choices(CapacityType))
    zone = models.CharField(max_length=64, blank=True, default="")
    price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)  # per hour
    on_demand_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    cost = models.DecimalField(max_digits=16, decimal_places=8, default=0)
    on_demand_cost = models.DecimalField(max_digits=16, decimal_places=8, default=0)
    metered_at = models.DateTimeField(null=True, blank=True)
    empty_since = models.DateTimeField(null=True, blank=True)
    leave_by = models.DateTimeField(null=True, blank=True)  # by a notice of its cloud
    requested_at = models.DateTimeField()
    joined_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=20, choices=_choices(MachineEnd), blank=True, default="")
    note = models.CharField(max_length=500, blank=True, default="")  # what the provider said

    class Meta:
        ordering = ["-requested_at"]
        indexes = [models.Index(fields=["state"], name="machine_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["node_ref"], condition=~models.Q(node_ref=""), name="machine_is_one_node"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group_name}: {self.id}"


class NodeGroupDecision(models.Model):
    """One evaluation that did something, or that did nothing for another reason than the one before."""

    group = models.ForeignKey(NodeGroup, on_delete=models.CASCADE, related_name="decisions")
    at = models.DateTimeField()
    action = models.CharField(max_length=8, choices=_choices(GroupAction))
    reason = models.CharField(max_length=16, choices=_choices(GroupReason))
    explanation = models.CharField(max_length=500)
    machines = models.PositiveIntegerField()  # before
    needed = models.PositiveIntegerField()
    launched = models.JSONField(default=list)  # [{"instance_type", "capacity_type", "zone", "price"}]
    released = models.JSONField(default=list)  # ids

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["group", "-at"], name="node_group_decision_at")]

    def __str__(self) -> str:
        return f"{self.group}: {self.explanation}"
