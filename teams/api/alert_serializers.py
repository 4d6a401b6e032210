"""What requests about alerts and their channels may hold, and what answers look like."""

from __future__ import annotations

from rest_framework import serializers

from aflow_site.api.serializers import Strict
from teams.domain.alerts import AlertKind, AlertState, ChannelKind, DeliveryState

ALERT_KINDS = [kind.value for kind in AlertKind]
ALERT_STATES = [state.value for state in AlertState]
CHANNEL_KINDS = [kind.value for kind in ChannelKind]
DELIVERY_STATES = [state.value for state in DeliveryState]
NAME = r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$"


class AlertSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(ALERT_KINDS)
    subject = serializers.CharField(help_text="`pool/python`, `budget/…`")
    period = serializers.CharField(help_text="What a budget counts over; empty where there is none")
    state = serializers.ChoiceField(ALERT_STATES)
    sentence = serializers.CharField()
    facts = serializers.JSONField()
    opened_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)


class LastDeliverySerializer(serializers.Serializer):
    state = serializers.ChoiceField(DELIVERY_STATES)
    attempts = serializers.IntegerField()
    problem = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField(help_text="When it was sent, or is tried next")


class AlertChannelSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(CHANNEL_KINDS)
    target = serializers.CharField()
    kinds = serializers.ListField(child=serializers.ChoiceField(ALERT_KINDS))
    enabled = serializers.BooleanField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    last = LastDeliverySerializer(allow_null=True)


class AlertChannelListSerializer(serializers.Serializer):
    results = AlertChannelSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class NewChannelAnswerSerializer(AlertChannelSerializer):
    secret = serializers.CharField(
        allow_null=True, help_text="What its webhooks are signed with; shown this once"
    )


class ChannelChangesSerializer(Strict):
    name = serializers.RegexField(
        NAME, required=False, help_text="Lower-case letters, digits, - and _; up to 63 characters"
    )
    target = serializers.CharField(
        required=False, max_length=4000, help_text="E-mail addresses, parted by commas, or a web address"
    )
    kinds = serializers.ListField(
        child=serializers.ChoiceField(ALERT_KINDS), required=False, help_text="Only these; empty: all"
    )
    enabled = serializers.BooleanField(required=False)
    secret = serializers.CharField(
        required=False, write_only=True, min_length=16, max_length=256, help_text="For webhooks"
    )


class NewChannelSerializer(ChannelChangesSerializer):
    name = serializers.RegexField(NAME)
    kind = serializers.ChoiceField(CHANNEL_KINDS)
    target = serializers.CharField(max_length=4000)
