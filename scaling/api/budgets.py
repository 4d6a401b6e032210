"""Budgets over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import accumulate
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.pagination import CursorPagination
from aflow_site.api.query import choice
from scaling.api.budget_serializers import (
    SCOPES,
    BudgetFieldsSerializer,
    BudgetSerializer,
    BurnSerializer,
    NewBudgetSerializer,
)
from scaling.domain.bins import BIN
from scaling.domain.money import text
from scaling.models import Budget
from scaling.selectors import budgets as read
from scaling.selectors import spend
from scaling.services import budgets

# Money is for administrators to give, and for everybody to see.
ADMINS = {"POST": "admin", "PATCH": "admin", "DELETE": "admin"}


class BudgetPages(CursorPagination):
    ordering = "created_at"


def _shape(row: Budget) -> dict[str, object]:
    return read.budget_shape(row, datetime.now(UTC), read.last_told())


class BudgetListView(APIView):
    required_roles = ADMINS

    @extend_schema(
        operation_id="budgets_list",
        parameters=[OpenApiParameter("scope", str, enum=SCOPES), OpenApiParameter("target", str)],
        responses=BudgetSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        found = read.budgets_of(request.team.id).prefetch_related("alerts")  # type: ignore[attr-defined]
        if scope := choice(request, "scope", SCOPES):
            found = found.filter(scope=scope)
        if target := request.query_params.get("target"):
            found = found.filter(target=target)
        pages = BudgetPages()
        page = pages.paginate_queryset(found, request, self) or []
        now, told, tally = datetime.now(UTC), read.last_told(), spend.Tally()
        shapes = [read.budget_shape(row, now, told, tally) for row in page]
        return pages.get_paginated_response(BudgetSerializer(shapes, many=True).data)

    @extend_schema(
        operation_id="budgets_create", request=NewBudgetSerializer, responses={201: BudgetSerializer}
    )
    def post(self, request: Request) -> Response:
        """What was spent in the period before it was made counts. 409 when there is one of the same kind."""
        body = NewBudgetSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        team = request.team  # type: ignore[attr-defined]
        row = budgets.create(team.id, body.validated_data, author=team.username)
        return Response(BudgetSerializer(_shape(row)).data, status=201)


class BudgetView(APIView):
    required_roles = ADMINS

    @extend_schema(operation_id="budgets_get", responses=BudgetSerializer)
    def get(self, request: Request, budget_id: UUID) -> Response:
        row = read.get_budget(request.team.id, budget_id)  # type: ignore[attr-defined]
        return Response(BudgetSerializer(_shape(row)).data)

    @extend_schema(operation_id="budgets_update", request=BudgetFieldsSerializer, responses=BudgetSerializer)
    def patch(self, request: Request, budget_id: UUID) -> Response:
        """Counts within seconds; calls that wait for the budget ask again by themselves."""
        body = BudgetFieldsSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        team = request.team  # type: ignore[attr-defined]
        row = budgets.change(team.id, budget_id, body.validated_data, author=team.username)
        return Response(BudgetSerializer(_shape(row)).data)

    @extend_schema(operation_id="budgets_delete", responses={204: None})
    def delete(self, request: Request, budget_id: UUID) -> Response:
        team = request.team  # type: ignore[attr-defined]
        budgets.delete(team.id, budget_id, author=team.username)
        return Response(status=204)


class BurnView(APIView):
    @extend_schema(operation_id="budgets_burn", responses=BurnSerializer)
    def get(self, request: Request, budget_id: UUID) -> Response:
        """How it was spent in this period, up to now."""
        row = read.get_budget(request.team.id, budget_id)  # type: ignore[attr-defined]
        shape = _shape(row)
        start, end = shape["starts_at"], shape["ends_at"]
        assert isinstance(start, datetime)
        assert isinstance(end, datetime)
        found = spend.burn(row, start, end)
        sums = accumulate(nanos for _, nanos in found)
        points = [
            {"at": min(place + BIN, end), "spent": text(total)}
            for (place, _), total in zip(found, sums, strict=True)
        ]
        body = {name: shape[name] for name in ("starts_at", "ends_at", "currency", "limit", "forecast")}
        return Response(BurnSerializer({**body, "points": points}).data)
