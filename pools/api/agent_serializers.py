"""The shapes of deployed agents and requests to them in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from pools.api.serializers import AgentSerializer
from pools.domain.deployments import Desired
from pools.domain.requests import FailReason, RequestState

FAIL_REASONS = [reason.value for reason in FailReason]
REQUEST_STATES = [state.value for state in RequestState]
DESIRED = [wish.value for wish in Desired if wish is not Desired.REMOVED]


class DeployedAgentSerializer(AgentSerializer):
    name = serializers.CharField()
    image = serializers.CharField()
    desired = serializers.ChoiceField(choices=DESIRED, help_text="What people want it to be")
    problem = serializers.CharField(allow_null=True, help_text="What is wrong, in a sentence")
    pending = serializers.IntegerField(help_text="Requests that wait until it is back")
    restarts = serializers.IntegerField(help_text="That nobody asked for")
    next_start_at = serializers.DateTimeField(allow_null=True, help_text="When it is started again by itself")
    exit_code = serializers.IntegerField(allow_null=True)
    exit_reason = serializers.CharField(allow_null=True)
    exited_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    definition = serializers.JSONField(help_text="What would deploy it again; values are hidden from viewers")


class DeployedListSerializer(serializers.Serializer[Any]):
    results = DeployedAgentSerializer(many=True)


class AgentListSerializer(serializers.Serializer[Any]):
    results = AgentSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class LogSerializer(serializers.Serializer[Any]):
    lines = serializers.ListField(child=serializers.CharField())


class UsageSerializer(serializers.Serializer[Any]):
    """At one moment; everything but `running` is left out of one that does not run."""

    running = serializers.BooleanField()
    at = serializers.DateTimeField(required=False)
    cpu = serializers.FloatField(required=False, allow_null=True, help_text="CPUs that are busy; 1.0 is one")
    memory = serializers.IntegerField(required=False, help_text="Bytes")
    memory_limit = serializers.IntegerField(required=False, allow_null=True)
    received = serializers.IntegerField(
        required=False, allow_null=True, help_text="Bytes by the network since its start; null: not counted"
    )
    sent = serializers.IntegerField(required=False, allow_null=True)
    processes = serializers.IntegerField(required=False, allow_null=True)
    cpu_seconds = serializers.FloatField(
        required=False, allow_null=True, help_text="Of all CPUs, since the start of its container"
    )


class AgentRequestSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    agent = serializers.CharField()
    method = serializers.CharField()
    path = serializers.CharField()
    state = serializers.ChoiceField(choices=REQUEST_STATES)
    reason = serializers.ChoiceField(choices=FAIL_REASONS, allow_null=True)
    attempts = serializers.IntegerField()
    replays = serializers.IntegerField()
    replayable = serializers.BooleanField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    response_status = serializers.IntegerField(allow_null=True)
    response_size = serializers.IntegerField()


class AgentRequestDetailSerializer(AgentRequestSerializer):
    request_headers = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    request_body = serializers.JSONField()
    response_headers = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    response_body = serializers.JSONField()
    response_cut = serializers.BooleanField(help_text="Only the beginning of the answer was stored")


class AcceptedSerializer(serializers.Serializer[Any]):
    request_id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=["pending"])
    detail = serializers.CharField()
    url = serializers.CharField()
