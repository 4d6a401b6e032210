"""The shapes of policies and decisions in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aflow_site.api.serializers import Strict
from scaling.domain.decisions import Action, Reason
from scaling.domain.policies import PRESETS, Metric, Mode

POLICY_PRESETS = list(PRESETS)
REASONS = [reason.value for reason in Reason]
MODES = [mode.value for mode in Mode]


class PolicyFieldsSerializer(Strict):
    """What can be set; null goes back to the preset's value. Times in seconds, utilizations from 0 to 1."""

    preset = serializers.ChoiceField(choices=POLICY_PRESETS, required=False)
    mode = serializers.ChoiceField(
        choices=MODES,
        required=False,
        help_text="shadow: decides and records, and changes nothing",
    )
    min = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=10_000)
    max = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=10_000)
    target_utilization = serializers.FloatField(required=False, allow_null=True)
    scale_up_threshold = serializers.FloatField(required=False, allow_null=True)
    scale_down_threshold = serializers.FloatField(required=False, allow_null=True)
    cooldown = serializers.FloatField(required=False, allow_null=True)
    up_window = serializers.FloatField(required=False, allow_null=True)
    down_window = serializers.FloatField(required=False, allow_null=True)
    dead_band = serializers.FloatField(required=False, allow_null=True)
    step_up = serializers.IntegerField(required=False, allow_null=True)
    step_down = serializers.IntegerField(required=False, allow_null=True)
    scale_up_rate = serializers.FloatField(required=False, allow_null=True)
    scale_down_rate = serializers.FloatField(required=False, allow_null=True)
    metrics = serializers.ListField(
        child=serializers.ChoiceField(choices=[metric.value for metric in Metric]),
        required=False,
        allow_null=True,
    )
    scale_to_zero = serializers.BooleanField(required=False, allow_null=True)
    min_idle = serializers.IntegerField(required=False, allow_null=True, min_value=0)


class NewPolicySerializer(PolicyFieldsSerializer):
    pool = serializers.CharField(required=False, allow_null=True, help_text="The pool that it is for")
    workflow = serializers.CharField(
        required=False, allow_null=True, help_text="Or the workflow, for all pools that it made"
    )


class PolicySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    pool = serializers.CharField(allow_null=True)
    workflow = serializers.CharField(allow_null=True)
    preset = serializers.ChoiceField(choices=POLICY_PRESETS)
    mode = serializers.ChoiceField(choices=MODES)
    values = serializers.JSONField(help_text="What is set beside the preset")
    updated_at = serializers.DateTimeField()


class PresetSerializer(serializers.Serializer[Any]):
    name = serializers.ChoiceField(choices=POLICY_PRESETS)
    values = serializers.JSONField(help_text="Every field that the preset decides")


class PolicyInForceSerializer(serializers.Serializer[Any]):
    pool = serializers.CharField()
    policy = PolicySerializer(allow_null=True, help_text="Null: nobody wrote one that counts for this pool")
    steered = serializers.BooleanField(help_text="False: its size follows the work at hand, undecided")
    mode = serializers.ChoiceField(choices=[mode.value for mode in Mode])
    values = serializers.JSONField(help_text="The policy as it counts, inside the pool's own limits")


class PoliciesInForceSerializer(serializers.Serializer[Any]):
    results = PolicyInForceSerializer(many=True)


class PresetsSerializer(serializers.Serializer[Any]):
    results = PresetSerializer(many=True)


class DecisionSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    pool = serializers.CharField()
    pool_id = serializers.UUIDField()
    workflow = serializers.CharField(allow_null=True)
    action = serializers.ChoiceField(choices=[action.value for action in Action])
    current_size = serializers.IntegerField()
    target_size = serializers.IntegerField()
    reason = serializers.ChoiceField(choices=REASONS)
    explanation = serializers.CharField(help_text="A sentence for people")
    predicted_load = serializers.FloatField(allow_null=True, help_text="Busy agents expected at most")
    signals = serializers.JSONField(help_text="What it saw")
    wish = serializers.IntegerField(help_text="What the signals asked for, before windows and limits")
    candidates = serializers.JSONField(help_text="Each rule's own wish")
    clamped_by = serializers.ListField(child=serializers.CharField())
    policy = serializers.JSONField(help_text="The policy as it counted")
    mode = serializers.ChoiceField(choices=MODES)
    at = serializers.DateTimeField()


class ReplaySerializer(serializers.Serializer[Any]):
    same = serializers.BooleanField(help_text="Whether the record decides as it did then")
    action = serializers.CharField()
    target_size = serializers.IntegerField()
    reason = serializers.CharField()
    candidates = serializers.JSONField()
    clamped_by = serializers.ListField(child=serializers.CharField())
