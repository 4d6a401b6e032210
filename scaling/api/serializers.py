"""The shapes of policies and decisions in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aflow_site.api.serializers import Strict
from scaling.domain.decisions import Action, Reason
from scaling.domain.forecasting.outlook import Why
from scaling.domain.policies import PRESETS, Metric, Mode, Predictor

POLICY_PRESETS = list(PRESETS)
REASONS = [reason.value for reason in Reason]
MODES = [mode.value for mode in Mode]
PREDICTORS = [predictor.value for predictor in Predictor]
FORECAST_CAUSES = [cause.value for cause in Why]
SWITCH = ["off", "on"]


class SwitchField(serializers.ChoiceField):
    """`on` and `off`, which YAML reads as true and false."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=SWITCH, **options)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(SWITCH[data] if isinstance(data, bool) else data)


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
    prefer_spot = serializers.BooleanField(
        required=False, allow_null=True, help_text="Agents above what is usual go to spot nodes"
    )
    max_cost_per_hour = serializers.FloatField(
        required=False, allow_null=True, help_text="Of all its agents, in the installation's currency"
    )
    spot_fallback = serializers.BooleanField(
        required=False,
        allow_null=True,
        help_text="To other nodes where no spot node takes them; else they wait",
    )

    prediction = SwitchField(
        required=False,
        allow_null=True,
        help_text="on: a forecast of the load is a floor of the size, while it pays",
    )
    predictor = serializers.ChoiceField(
        choices=PREDICTORS,
        required=False,
        allow_null=True,
        help_text="ml-based: learns, and serves while it does better than the naive one",
    )


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


class StandingSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="last (the benchmark), naive or ml-based")
    outcomes = serializers.IntegerField(help_text="Forecasts of the last day whose outcome is known")
    pinball = serializers.FloatField(allow_null=True, help_text="Mean loss in busy agents")
    coverage = serializers.FloatField(allow_null=True, help_text="Share of its forecasts that held")
    problem = serializers.CharField(help_text="Why it makes none; empty otherwise")


class ForecastPointSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text="The beginning of a minute")
    load = serializers.FloatField(allow_null=True, help_text="Busy agents that its arrivals needed")
    forecast = serializers.FloatField(allow_null=True, help_text="At most, from then over the horizon")
    median = serializers.FloatField(allow_null=True)
    came = serializers.FloatField(allow_null=True, help_text="The largest load over the horizon")
    forecaster = serializers.CharField(allow_null=True)


class ForecastSerializer(serializers.Serializer[Any]):
    pool = serializers.CharField()
    pool_id = serializers.UUIDField()
    on = serializers.BooleanField(help_text="Whether the forecast is a floor of the size")
    why = serializers.ChoiceField(choices=FORECAST_CAUSES)
    explanation = serializers.CharField(help_text="A sentence for people")
    predictor = serializers.ChoiceField(choices=PREDICTORS, allow_null=True, help_text="The policy's")
    serving = serializers.CharField(allow_null=True, help_text="Who makes the forecast that counts")
    quantile = serializers.FloatField()
    coverage = serializers.FloatField(allow_null=True, help_text="Share that held, of the last day's")
    horizon = serializers.FloatField(allow_null=True, help_text="Seconds: the start time, in whole minutes")
    load = serializers.FloatField(allow_null=True, help_text="Busy agents expected at most")
    median = serializers.FloatField(allow_null=True)
    floor = serializers.IntegerField(
        allow_null=True, help_text="Agents for that load, in the last decision; a floor while it is `on`"
    )
    forecasters = StandingSerializer(many=True)
    at = serializers.DateTimeField(allow_null=True)
    series = ForecastPointSerializer(many=True, required=False, help_text="When a pool is named")


class ReplaySerializer(serializers.Serializer[Any]):
    same = serializers.BooleanField(help_text="Whether the record decides as it did then")
    action = serializers.CharField()
    target_size = serializers.IntegerField()
    reason = serializers.CharField()
    candidates = serializers.JSONField()
    clamped_by = serializers.ListField(child=serializers.CharField())
