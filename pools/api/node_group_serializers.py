"""The shapes of node groups, machines and nodes' money in the API. Prices per hour, times in seconds."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aflow_site.api.serializers import Strict
from pools.api.serializers import NODE_CAPACITY_TYPES
from pools.domain.machines import MachineState
from pools.domain.node_groups import GroupAction, GroupReason

GROUP_ACTIONS = [action.value for action in GroupAction]
GROUP_REASONS = [reason.value for reason in GroupReason]
MACHINE_STATES = [state.value for state in MachineState]


class InstanceTypeSerializer(Strict):
    type = serializers.CharField(max_length=64, help_text="By the provider's name, such as m7g.large")
    on_demand_price = serializers.FloatField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Of a machine; null: as the provider lists it",
    )
    interruption_risk = serializers.FloatField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Interruptions per machine-hour of spot that are to be expected, counted with those that "
        "are seen; null: those that are seen",
    )
    template = serializers.DictField(
        required=False, default=dict, help_text="In what its machines differ from the group's template"
    )


class GroupFieldsSerializer(Strict):
    template = serializers.DictField(
        required=False,
        help_text="What its machines are made of, in the provider's own terms. `instance_type` and "
        "`on_demand_price` here are the one type of a group without `instance_types`",
    )
    instance_types = InstanceTypeSerializer(
        many=True, required=False, help_text="Which its machines may be; each is the best for its agents"
    )
    zones = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Where they may be; empty: anywhere"
    )
    min = serializers.IntegerField(required=False, help_text="Machines that are always there")
    max = serializers.IntegerField(required=False, help_text="Machines that there are at most")
    on_demand_base = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="Machines on demand before any is spot; null: what is needed half of the time",
    )
    prefer_spot = serializers.BooleanField(required=False, help_text="Spot above the base")
    spot_fallback = serializers.BooleanField(
        required=False, help_text="On demand where spot is not to be had; else agents wait"
    )
    max_price = serializers.FloatField(
        required=False,
        allow_null=True,
        max_value=1_000_000,
        help_text="What spot may cost at most; null: less than on demand",
    )
    idle_timeout = serializers.FloatField(required=False, help_text="After which an empty machine goes")
    join_timeout = serializers.FloatField(
        required=False, help_text="After which a machine that did not join is ended"
    )


class NewGroupSerializer(GroupFieldsSerializer):
    name = serializers.CharField()


class OfferSerializer(serializers.Serializer[Any]):
    instance_type = serializers.CharField()
    capacity_type = serializers.ChoiceField(choices=NODE_CAPACITY_TYPES)
    zone = serializers.CharField()
    price = serializers.FloatField(allow_null=True)
    interruption_risk = serializers.FloatField(help_text="Interruptions per machine-hour")
    short = serializers.BooleanField(help_text="The provider had none a while ago")
    cpus = serializers.FloatField()
    memory = serializers.IntegerField(help_text="Bytes")
    agents = serializers.IntegerField(help_text="That it takes, of the usual size")


class MachineSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=MACHINE_STATES)
    ref = serializers.CharField(help_text="The provider's own id; empty until it has one")
    node = serializers.CharField(allow_null=True, help_text="The node that it is")
    instance_type = serializers.CharField()
    capacity_type = serializers.ChoiceField(choices=NODE_CAPACITY_TYPES)
    zone = serializers.CharField()
    price = serializers.FloatField(allow_null=True)
    on_demand_price = serializers.FloatField(allow_null=True)
    cost = serializers.FloatField(help_text="So far")
    requested_at = serializers.DateTimeField()
    leave_by = serializers.DateTimeField(allow_null=True, help_text="Its cloud takes it away then")


class GroupSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    provider = serializers.CharField()
    template = serializers.DictField()
    instance_types = InstanceTypeSerializer(many=True)
    zones = serializers.ListField(child=serializers.CharField())
    min = serializers.IntegerField()
    max = serializers.IntegerField()
    on_demand_base = serializers.IntegerField(allow_null=True)
    prefer_spot = serializers.BooleanField()
    spot_fallback = serializers.BooleanField()
    max_price = serializers.FloatField(allow_null=True)
    idle_timeout = serializers.FloatField()
    join_timeout = serializers.FloatField()
    problem = serializers.CharField(allow_null=True, help_text="Why no machines come, in a sentence")
    explanation = serializers.CharField(allow_null=True, help_text="Of the last decision")
    offers = OfferSerializer(many=True, help_text="What the provider had for it a moment ago")
    machines = MachineSerializer(many=True)


class GroupListSerializer(serializers.Serializer[Any]):
    results = GroupSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    problem = serializers.CharField(allow_null=True, help_text="Why none can be made here, in a sentence")


class LaunchedSerializer(serializers.Serializer[Any]):
    instance_type = serializers.CharField()
    capacity_type = serializers.ChoiceField(choices=NODE_CAPACITY_TYPES)
    zone = serializers.CharField()
    price = serializers.FloatField(allow_null=True)


class GroupDecisionSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    action = serializers.ChoiceField(choices=GROUP_ACTIONS)
    reason = serializers.ChoiceField(choices=GROUP_REASONS)
    explanation = serializers.CharField(help_text="A sentence for people")
    machines = serializers.IntegerField(help_text="That there were")
    needed = serializers.IntegerField(help_text="That the agents need")
    launched = LaunchedSerializer(many=True)
    released = serializers.ListField(child=serializers.UUIDField())


class CostPerHourSerializer(serializers.Serializer[Any]):
    cost = serializers.FloatField(help_text="Of all nodes whose price is known")
    on_demand = serializers.FloatField(help_text="What they would cost on demand, as far as that is known")
    saved = serializers.FloatField()
    idle = serializers.FloatField(help_text="For capacity that no agent has")


class CostSoFarSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField(allow_null=True)
    cost = serializers.FloatField(help_text="Of rented machines")
    saved = serializers.FloatField(help_text="Against on demand")


class NodeCostsSerializer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    per_hour = CostPerHourSerializer()
    unpriced = serializers.IntegerField(help_text="Nodes whose price nobody told")
    so_far = CostSoFarSerializer()


class InvitationSerializer(serializers.Serializer[Any]):
    address = serializers.CharField(help_text="host:port of a manager")
    token = serializers.CharField()


class JoinedSerializer(Strict):
    node = serializers.RegexField(r"\A[a-zA-Z0-9_-]{1,128}\Z", help_text="The engine's own id of the node")


class NoticeTakenSerializer(serializers.Serializer[Any]):
    leave_by = serializers.DateTimeField()
