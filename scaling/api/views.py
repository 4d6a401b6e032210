"""Policies and decisions over HTTP."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.pagination import CursorPagination
from aflow_site.api.query import choice
from scaling.api.serializers import (
    DecisionSerializer,
    NewPolicySerializer,
    PolicyFieldsSerializer,
    PolicySerializer,
    ReplaySerializer,
)
from scaling.domain.decisions import Action, Reason
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


class DecisionListView(APIView):
    @extend_schema(
        operation_id="decisions_list",
        parameters=[
            OpenApiParameter("pool", str),
            OpenApiParameter("workflow", str),
            OpenApiParameter("action", str, enum=ACTIONS),
            OpenApiParameter("reason", str, enum=REASONS),
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
            if value := choice(request, name, known):
                found = found.filter(**{name: value})
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
