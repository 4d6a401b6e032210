"""The shapes of simulations in the API. Times in seconds but those that are named by hours."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aflow_site.api.serializers import Strict

MOST_TRACE = 2_000_000  # characters
STATES = ["pending", "running", "completed", "failed"]
POLICIES = ["current", "aggressive", "balanced", "conservative", "hpa", "keda", "threshold", "fixed"]


class NewSimulationSerializer(Strict):
    """What is left out is as the pool was: its history, its leases' length, its agents' start, its price."""

    pool = serializers.CharField(
        required=False, allow_null=True, help_text="Whose history is replayed, unless a trace is sent"
    )
    trace = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=MOST_TRACE,
        trim_whitespace=False,
        help_text="CSV with the columns second_offset and count",
    )
    policies = serializers.ListField(
        child=serializers.CharField(max_length=40),
        required=False,
        default=POLICIES[1:],
        allow_empty=False,
        max_length=12,
        help_text="NAME or NAME:KNOB as for `aflow simulate`; `current` is the pool's own as it counts now",
    )
    seeds = serializers.IntegerField(required=False, default=3, min_value=1, max_value=20)
    hours = serializers.FloatField(
        required=False,
        allow_null=True,
        min_value=0.05,
        max_value=168,
        help_text="Of a pool: the last so many",
    )
    offset_hours = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=100_000)
    mean_busy = serializers.FloatField(
        required=False,
        allow_null=True,
        max_value=10_000,
        help_text="Scales the arrivals until so many agents are busy on average",
    )
    service_mean = serializers.FloatField(required=False, allow_null=True, max_value=86_400)
    service_cv = serializers.FloatField(required=False, allow_null=True, max_value=10)
    start_time = serializers.FloatField(required=False, allow_null=True, max_value=3600)
    slo_wait = serializers.FloatField(required=False, allow_null=True, max_value=86_400)
    max_size = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=10_000)
    price = serializers.FloatField(required=False, allow_null=True, max_value=1_000_000)


class ProgressSerializer(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    total = serializers.IntegerField(help_text="Runs: each policy with each seed")


class VerdictSerializer(serializers.Serializer[Any]):
    policy = serializers.CharField()
    slo_attainment = serializers.FloatField(help_text="Share of arrivals that waited no longer than the SLO")
    wait_p50 = serializers.FloatField()
    wait_p95 = serializers.FloatField()
    wait_p99 = serializers.FloatField()
    agent_seconds = serializers.FloatField()
    cost = serializers.FloatField()
    reversals_per_hour = serializers.FloatField()
    scale_up_seconds = serializers.FloatField(allow_null=True)
    scale_down_seconds = serializers.FloatField(allow_null=True)
    forecast_coverage = serializers.FloatField(
        allow_null=True, help_text="Share of forecasts at 0.9 that held; null without prediction"
    )
    interval = serializers.DictField(
        child=serializers.FloatField(), help_text="Half the width of each figure's 95 % interval"
    )
    seeds = serializers.IntegerField()


class SimulationSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    pool = serializers.CharField(allow_null=True)
    arrivals = serializers.ChoiceField(choices=["history", "trace"])
    state = serializers.ChoiceField(choices=STATES)
    progress = ProgressSerializer()
    policies = serializers.ListField(child=serializers.CharField())
    seeds = serializers.IntegerField()
    currency = serializers.CharField(help_text="Of the price and of the costs")
    conditions = serializers.DictField(child=serializers.FloatField())
    results = VerdictSerializer(many=True, allow_null=True)
    error = serializers.CharField(allow_null=True)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
