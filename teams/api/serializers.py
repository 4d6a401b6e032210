"""What requests may hold, and what answers look like (the latter for the API's description)."""

from __future__ import annotations

from rest_framework import serializers

from aflow_site.api.serializers import Strict
from teams.domain.origin import Via


class TeamSerializer(serializers.Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()


class MeSerializer(serializers.Serializer):
    username = serializers.CharField()
    team = TeamSerializer()
    teams = TeamSerializer(many=True)
    staff = serializers.BooleanField(help_text="Of the platform: may act on nodes, which no team owns")


class TeamSettingsSerializer(Strict):
    """All optional; null takes a limit away."""

    name = serializers.CharField(required=False, max_length=120)
    max_concurrent_runs = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=100_000
    )
    retention_days = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=36_500)


class TeamDetailSerializer(serializers.Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()
    max_concurrent_runs = serializers.IntegerField(allow_null=True, help_text="More runs wait for their turn")
    capacity_weight = serializers.FloatField(help_text="Of its share, where agents are short; set by staff")
    retention_days = serializers.IntegerField(allow_null=True, help_text="null: the platform's own")
    platform_retention_days = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class SecretSerializer(serializers.Serializer):
    name = serializers.CharField()
    author = serializers.CharField(help_text="Who set it last")
    changed_at = serializers.DateTimeField()


class SecretListSerializer(serializers.Serializer):
    results = SecretSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class SecretValueSerializer(Strict):
    value = serializers.CharField(
        write_only=True, trim_whitespace=False, allow_blank=True, help_text="Shown to nobody afterwards"
    )


class AuditEntrySerializer(serializers.Serializer):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    via = serializers.ChoiceField([via.value for via in Via])
    address = serializers.CharField(help_text="Empty for what did not come over the network")
    action = serializers.CharField()
    target = serializers.CharField()
    details = serializers.JSONField()
