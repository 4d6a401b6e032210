"""Policies and decisions over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.pagination import CursorPagination
from aflow_site.api.query import choices, moment
from aflow_site.kernel.errors import Overloaded
from scaling.api.serializers import (
    DecisionSerializer,
    NewPolicySerializer,
    PoliciesInForceSerializer,
    PolicyFieldsSerializer,
    PolicySerializer,
    PresetsSerializer,
    ReplaySerializer,
)
from scaling.domain.decisions import Action, Reason
from scaling.domain.policies import PRESETS, Policy, of_preset
from scaling.models import ScalingPolicy
from scaling.selectors import decisions as read
from scaling.services import decisions, policies

OPERATORS = {"POST": "operator", "PATCH": "operator", "DELETE": "operator"}
ACTIONS = [action.value for action in Action]
REASONS = [reason.value for reason in Reason]


class DecisionPages(CursorPagination):
    ordering = "-id"


def _shape(row: ScalingPolicy) -> Response:
    return Response(PolicySerializer(row).data)


def _fields(policy: Policy) -> dict[str, Any]:
    return {name: value for name, value in asdict(policy).items() if name != "mode"}


class PolicyListView(APIView):
    required_roles = OPERATORS

    @extend_schema(
        operation_id="policies_list",
        parameters=[OpenApiParameter("pool", str), OpenApiParameter("workflow", str)],
        responses=PolicySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Those that somebody wrote; any other pool follows the preset `balanced` between its own limits."""
        found = read.policies_of(request.team.id)  # type: ignore[attr-defined]
        for name in ("pool", "workflow"):
            if value := request.query_params.get(name):
                found = found.filter(**{name: value})
        pages = CursorPagination()
        page = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response(PolicySerializer(page, many=True).data)

    @extend_schema(
        operation_id="policies_create", request=NewPolicySerializer, responses={201: PolicySerializer}
    )
    def post(self, request: Request) -> Response:
        """For a pool, or for all pools that a workflow made. 409 when there is one."""
        body = NewPolicySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        team = request.team  # type: ignore[attr-defined]
        made = policies.create(team.id, body.validated_data, author=team.username)
        return Response(PolicySerializer(made).data, status=201)


class PolicyView(APIView):
    required_roles = OPERATORS

    @extend_schema(operation_id="policies_get", responses=PolicySerializer)
    def get(self, request: Request, policy_id: UUID) -> Response:
        return _shape(read.get_policy(request.team.id, policy_id))  # type: ignore[attr-defined]

    @extend_schema(operation_id="policies_update", request=PolicyFieldsSerializer, responses=PolicySerializer)
    def patch(self, request: Request, policy_id: UUID) -> Response:
        body = PolicyFieldsSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        team = request.team  # type: ignore[attr-defined]
        return _shape(policies.change(team.id, policy_id, body.validated_data, author=team.username))

    @extend_schema(operation_id="policies_delete", responses={204: None})
    def delete(self, request: Request, policy_id: UUID) -> Response:
        """The preset `balanced` counts from then on."""
        team = request.team  # type: ignore[attr-defined]
        policies.delete(team.id, policy_id, author=team.username)
        return Response(status=204)


class PresetView(APIView):
    @extend_schema(operation_id="policies_presets", responses=PresetsSerializer)
    def get(self, request: Request) -> Response:
        """What each preset sets. `min` and `max` are the pool's own, unless a policy says otherwise."""
        found = []
        for name in PRESETS:
            values = _fields(of_preset(name))
            found.append({"name": name, "values": values | {"min": None, "max": None}})
        return Response({"results": found})


class PoliciesInForceView(APIView):
    @extend_schema(operation_id="policies_in_force", responses=PoliciesInForceSerializer)
    def get(self, request: Request) -> Response:
        """Which policy counts for each pool of the team: its own, its workflow's, or a preset's."""
        try:
            found = policies.in_force(request.team.id)  # type: ignore[attr-defined]
        except ConnectionError as exc:
            raise Overloaded(
                "Redis is away, and with it the figures of the pools.", headers={"Retry-After": "2"}
            ) from exc
        shapes = [
            {
                "pool": one.pool,
                "policy": None if one.row is None else PolicySerializer(one.row).data,
                "steered": one.steered,
                "mode": one.policy.mode,
                "values": _fields(one.policy),
            }
            for one in found
        ]
        return Response({"results": shapes})


class DecisionListView(APIView):
    @extend_schema(
        operation_id="decisions_list",
        parameters=[
            OpenApiParameter("pool", str),
            OpenApiParameter("workflow", str),
            OpenApiParameter("action", str, description=f"One or several of {', '.join(ACTIONS)}"),
            OpenApiParameter("reason", str, description=f"One or several of {', '.join(REASONS)}"),
            OpenApiParameter("from", datetime, description="Not before it"),
            OpenApiParameter("to", datetime, description="Before it"),
        ],
        responses=DecisionSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The newest first: every change, and the holds whose cause was another than before."""
        found = read.decisions_of(request.team.id)  # type: ignore[attr-defined]
        for name in ("pool", "workflow"):
            if value := request.query_params.get(name):
                found = found.filter(**{name: value})
        for name, known in (("action", ACTIONS), ("reason", REASONS)):
            if wanted := choices(request, name, known):
                found = found.filter(**{f"{name}__in": wanted})
        for name, bound in (("from", "at__gte"), ("to", "at__lt")):
            if at := moment(request, name):
                found = found.filter(**{bound: at})
        pages = DecisionPages()
        page = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response([read.decision_shape(row) for row in page])


class DecisionView(APIView):
    @extend_schema(operation_id="decisions_get", responses=DecisionSerializer)
    def get(self, request: Request, decision_id: int) -> Response:
        row = read.get_decision(request.team.id, decision_id)  # type: ignore[attr-defined]
        return Response(read.decision_shape(row))


class ReplayView(APIView):
    required_roles = {"POST": "viewer"}

    @extend_schema(operation_id="decisions_replay", request=None, responses=ReplaySerializer)
    def post(self, request: Request, decision_id: int) -> Response:
        """Decides again on what the decision saw; nothing is changed by it."""
        row = read.get_decision(request.team.id, decision_id)  # type: ignore[attr-defined]
        same, again = decisions.replay(row)
        shape = {
            "same": same,
            "action": again.action,
            "target_size": again.target_size,
            "reason": again.reason,
            "candidates": dict(again.candidates),
            "clamped_by": list(again.clamped_by),
        }
        return Response(shape)
