"""The shapes of pools and agents in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from pools.domain.agents import PublicState
from pools.domain.limits import LONGEST_IDLE, LONGEST_IMAGE, MOST_AGENTS, MOST_USES
from pools.domain.names import NAME_RULE
from pools.domain.nodes import CapacityType, NodeState
from pools.domain.problems import ProblemKind


class StatesSerializer(serializers.Serializer[Any]):
    starting = serializers.IntegerField()
    idle = serializers.IntegerField()
    active = serializers.IntegerField()
    draining = serializers.IntegerField()
    unhealthy = serializers.IntegerField()


class PoolSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    image = serializers.CharField()
    min_size = serializers.IntegerField()
    max_size = serializers.IntegerField()
    warm_up = serializers.BooleanField()
    idle_timeout = serializers.FloatField(help_text="Seconds an agent above min_size may be idle")
    max_uses = serializers.IntegerField(help_text="Requests after which an agent is replaced")
    states = StatesSerializer()
    utilization = serializers.FloatField(help_text="Active agents among those idle or active, 0 to 1")
    waiting = serializers.IntegerField(help_text="Acquires in the queue")
    leases = serializers.IntegerField(help_text="Live leases")
    target_size = serializers.IntegerField()
    wait_p50_ms = serializers.FloatField(allow_null=True)
    wait_p99_ms = serializers.FloatField(allow_null=True)
    problem = serializers.CharField(allow_null=True, help_text="Why agents cannot be made, in a sentence")
    problem_kind = serializers.ChoiceField(
        choices=[kind.value for kind in ProblemKind],
        allow_null=True,
        help_text="Whether the engine is away (wait), or agents of this image do not start",
    )
    workflow = serializers.CharField(allow_null=True, help_text="Whose document made this pool")


class PoolListSerializer(serializers.Serializer[Any]):
    results = PoolSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class PoolSettingsSerializer(serializers.Serializer[Any]):
    """What people may set; all optional. Limits that depend on each other are checked by the service."""

    image = serializers.CharField(required=False, max_length=LONGEST_IMAGE)
    min_size = serializers.IntegerField(required=False, min_value=0, max_value=MOST_AGENTS)
    max_size = serializers.IntegerField(required=False, min_value=1, max_value=MOST_AGENTS)
    warm_up = serializers.BooleanField(required=False)
    idle_timeout = serializers.FloatField(required=False, max_value=LONGEST_IDLE)
    max_uses = serializers.IntegerField(required=False, min_value=1, max_value=MOST_USES)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if unknown:
            known = ", ".join(sorted(self.fields))
            raise serializers.ValidationError(
                dict.fromkeys(unknown, f"There is no such setting; there are {known}.")
            )
        return attrs


class NewPoolSerializer(PoolSettingsSerializer):
    name = serializers.CharField(help_text=NAME_RULE)


class ResizeSerializer(serializers.Serializer[Any]):
    min_size = serializers.IntegerField(min_value=0, max_value=MOST_AGENTS)
    max_size = serializers.IntegerField(min_value=1, max_value=MOST_AGENTS)


class AgentSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    pool = serializers.CharField()
    state = serializers.ChoiceField(choices=[state.value for state in PublicState])
    health = serializers.ChoiceField(choices=["ok", "unknown", "failing"])
    uses = serializers.IntegerField()
    last_used = serializers.DateTimeField(allow_null=True)
    container = serializers.CharField(help_text="The runtime's own name for it")
    node = serializers.CharField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    end_reason = serializers.CharField(allow_null=True)


class CapacitySerializer(serializers.Serializer[Any]):
    cpus = serializers.FloatField()
    memory = serializers.IntegerField(help_text="Bytes")


class NodeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    address = serializers.CharField()
    state = serializers.ChoiceField(choices=[state.value for state in NodeState])
    capacity = CapacitySerializer()
    price = serializers.FloatField(allow_null=True, help_text="Per hour; null when no label tells it")
    capacity_type = serializers.ChoiceField(choices=[kind.value for kind in CapacityType])
    zone = serializers.CharField(help_text="Empty when no label tells it")
    agents = serializers.IntegerField(help_text="Live agents of all teams")
    note = serializers.CharField(help_text="What is wrong with it, in sentences; empty when nothing is")
    changed_at = serializers.DateTimeField(help_text="When its state last changed")


class NodeListSerializer(serializers.Serializer[Any]):
    results = NodeSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
