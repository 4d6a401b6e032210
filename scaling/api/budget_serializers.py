"""The shapes of budgets in the API. Money is a decimal in a string, in the budget's currency."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aflow_site.api.serializers import Strict
from scaling.domain.budgets import BudgetMode, BudgetState, Scope, Span

SCOPES = [scope.value for scope in Scope]
PERIODS = [span.value for span in Span]
MODES = [mode.value for mode in BudgetMode]
STATES = [state.value for state in BudgetState]


class BudgetFieldsSerializer(Strict):
    """What can be changed."""

    limit = serializers.DecimalField(
        max_digits=15, decimal_places=6, required=False, help_text="For each period"
    )
    mode = serializers.ChoiceField(
        choices=MODES,
        required=False,
        help_text="audit: counts and tells. enforce: nothing starts that it could not pay",
    )
    timezone = serializers.CharField(
        required=False, max_length=64, help_text="Whose days and months count, such as Europe/Berlin"
    )


class NewBudgetSerializer(BudgetFieldsSerializer):
    scope = serializers.ChoiceField(choices=SCOPES)
    target = serializers.CharField(
        required=False, allow_null=True, max_length=255, help_text="The pool or the workflow that it is for"
    )
    period = serializers.ChoiceField(choices=PERIODS)
    currency = serializers.CharField(required=False, max_length=8, help_text="That of the installation")
    limit = serializers.DecimalField(max_digits=15, decimal_places=6, help_text="For each period")


class BudgetAlertSerializer(serializers.Serializer[Any]):
    threshold = serializers.CharField(help_text="50, 80 or 100 (per cent), or forecast")
    at = serializers.DateTimeField()


class BudgetSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    scope = serializers.ChoiceField(choices=SCOPES)
    target = serializers.CharField(allow_null=True)
    period = serializers.ChoiceField(choices=PERIODS)
    timezone = serializers.CharField()
    currency = serializers.CharField()
    limit = serializers.CharField()
    spent = serializers.CharField(help_text="In this period: of agents' time, at work or not")
    reserved = serializers.CharField(help_text="By calls that run, up to their time-outs")
    forecast = serializers.CharField(
        help_text="At the period's end, if it goes on as in the last day (of an hour: as in the last hour)"
    )
    mode = serializers.ChoiceField(choices=MODES)
    state = serializers.ChoiceField(choices=STATES)
    waiting = serializers.IntegerField(help_text="Calls that wait for it")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    alerts = BudgetAlertSerializer(many=True, help_text="Of this period")
    updated_at = serializers.DateTimeField()


class BurnPointSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text="The end of a quarter of an hour")
    spent = serializers.CharField(help_text="Up to then, in this period")


class BurnSerializer(serializers.Serializer[Any]):
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    currency = serializers.CharField()
    limit = serializers.CharField()
    forecast = serializers.CharField()
    points = BurnPointSerializer(many=True)
