"""What requests about triggers may hold, and what answers look like."""

from __future__ import annotations

from rest_framework import serializers

from aflow_site.api.serializers import Strict
from workflows.domain.triggers import Kind

KINDS = [kind.value for kind in Kind]
OUTCOMES = ["started", "queued", "skipped", "failed"]


class TriggerChangesSerializer(Strict):
    name = serializers.RegexField(
        r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$",
        required=False,
        help_text="Lower-case letters, digits, - and _; up to 63 characters",
    )
    config = serializers.JSONField(required=False, help_text="What the kind needs")
    params = serializers.JSONField(required=False, help_text="Of every run; they win over a payload's")
    enabled = serializers.BooleanField(required=False)


class NewTriggerSerializer(TriggerChangesSerializer):
    workflow = serializers.CharField()
    kind = serializers.ChoiceField(KINDS)
    name = serializers.RegexField(r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$")


class FireSerializer(Strict):
    params = serializers.JSONField(required=False, help_text="Instead of the trigger's own")


class FiredRunSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    state = serializers.CharField()


class FiringSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    occasion = serializers.CharField()
    outcome = serializers.ChoiceField(OUTCOMES)
    detail = serializers.CharField(help_text="Why nothing was started, or what fired it")
    run = FiredRunSerializer(allow_null=True)


class TriggerSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    workflow = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(KINDS)
    config = serializers.JSONField()
    params = serializers.JSONField()
    enabled = serializers.BooleanField()
    declared = serializers.BooleanField(help_text="The workflow's document names it")
    due_at = serializers.DateTimeField(allow_null=True, help_text="A schedule's next moment")
    hook = serializers.CharField(allow_null=True, help_text="Where a webhook's deliveries go")
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    last_firing = FiringSerializer(allow_null=True)


class TriggerWithSecretSerializer(TriggerSerializer):
    secret = serializers.CharField(required=False, help_text="Of a webhook; shown this once")


class UpcomingSerializer(serializers.Serializer):
    results = serializers.ListField(child=serializers.DateTimeField())


class ReceiptSerializer(serializers.Serializer):
    outcome = serializers.ChoiceField(OUTCOMES)
    detail = serializers.CharField()
    run = FiredRunSerializer(allow_null=True)
