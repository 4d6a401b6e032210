"""The ledger over HTTP: what agents' time cost, at work and idle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.query import choice, moment
from aflow_site.kernel.errors import InvalidInput
from scaling.facade import budgets
from workflows.selectors import spend

GROUPS = ["pool", "workflow", "team", "run", "step"]
WITHOUT_FROM = timedelta(days=30)


class SpendLineSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Of the pool, workflow, team or step; the id of the run")
    agent_seconds = serializers.FloatField()
    cost = serializers.CharField()
    busy_seconds = serializers.FloatField(help_text="That agents were at work")
    busy_cost = serializers.CharField()
    idle_seconds = serializers.FloatField(help_text="The rest; runs and steps have none")
    idle_cost = serializers.CharField()


class SpendSerializer(serializers.Serializer[Any]):
    group = serializers.ChoiceField(choices=GROUPS)
    currency = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    lines = SpendLineSerializer(many=True, help_text="The dearest first; runs: the last 500")
    total = SpendLineSerializer(help_text="The sum of the lines")


def _shape(line: budgets.Line) -> dict[str, Any]:
    return {
        "name": line.name,
        "agent_seconds": line.milliseconds / 1000,
        "cost": budgets.text(line.nanos),
        "busy_seconds": line.busy_milliseconds / 1000,
        "busy_cost": budgets.text(line.busy_nanos),
        "idle_seconds": line.idle_milliseconds / 1000,
        "idle_cost": budgets.text(line.idle_nanos),
    }


class SpendView(APIView):
    @extend_schema(
        operation_id="spend_list",
        parameters=[
            OpenApiParameter("group", str, enum=GROUPS),
            OpenApiParameter("from", datetime, description="The last 30 days when it is left out"),
            OpenApiParameter("to", datetime),
            OpenApiParameter("workflow", str, description="Only its runs"),
            OpenApiParameter("run", str, description="Of which run the steps are, by group=step"),
        ],
        responses=SpendSerializer,
    )
    def get(self, request: Request) -> Response:
        """By pool, workflow and team: from the ledger, in whole quarters of an hour, idle time apart. By run
        and step: what agents were at work for them, told when they end."""
        group = choice(request, "group", GROUPS) or "pool"
        until = moment(request, "to") or datetime.now(UTC)
        since = moment(request, "from") or until - WITHOUT_FROM
        if since >= until:
            raise InvalidInput("`from` must lie before `to`.")
        team = request.team  # type: ignore[attr-defined]
        lines = self._lines(request, group, since, until)
        body = {
            "group": group,
            "currency": settings.AFLOW_CURRENCY,
            "since": since,
            "until": until,
            "lines": [_shape(line) for line in lines],
            "total": _shape(budgets.total(team.slug, lines)),
        }
        return Response(SpendSerializer(body).data)

    @staticmethod
    def _lines(request: Request, group: str, since: datetime, until: datetime) -> list[budgets.Line]:
        team, params = request.team, request.query_params  # type: ignore[attr-defined]
        match group:
            case "pool":
                return budgets.by_pool(team.id, since, until)
            case "workflow":
                return budgets.by_workflow(team.id, since, until)
            case "team":
                return [budgets.of_team(team.id, team.slug, since, until)]
            case "run":
                return spend.by_run(team.id, since, until, params.get("workflow"))
        return spend.by_step(team.id, params.get("run") or "")
