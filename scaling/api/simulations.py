"""Simulations over HTTP: what other policies would have made of a pool's load."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.pagination import CursorPagination
from scaling.api.simulation_serializers import NewSimulationSerializer, SimulationSerializer
from scaling.models import Simulation
from scaling.selectors import simulations as read
from scaling.services import simulations

EDITORS = {"POST": "editor", "DELETE": "editor"}


def _shape(row: Simulation) -> dict[str, object]:
    shape = {**read.simulation_shape(row), "currency": settings.AFLOW_CURRENCY}
    return dict(SimulationSerializer(shape).data)


class SimulationListView(APIView):
    required_roles = EDITORS

    @extend_schema(
        operation_id="simulations_list",
        parameters=[OpenApiParameter("pool", str)],
        responses=SimulationSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The newest first; fifty are kept."""
        found = read.simulations_of(request.team.id)  # type: ignore[attr-defined]
        if pool := request.query_params.get("pool"):
            found = found.filter(pool=pool)
        pages = CursorPagination()
        page = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response([_shape(row) for row in page])

    @extend_schema(
        operation_id="simulations_create",
        request=NewSimulationSerializer,
        responses={201: SimulationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Replays arrivals against policies, apart from all real agents. 409 while too many are under way."""
        body = NewSimulationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        team = request.team  # type: ignore[attr-defined]
        made = simulations.create(team.id, body.validated_data, author=team.username, now=datetime.now(UTC))
        return Response(_shape(made), status=201)


class SimulationView(APIView):
    required_roles = EDITORS

    @extend_schema(operation_id="simulations_get", responses=SimulationSerializer)
    def get(self, request: Request, simulation_id: UUID) -> Response:
        """How far it is, and its results. One whose process died is taken up again by asking."""
        row = read.get_simulation(request.team.id, simulation_id)  # type: ignore[attr-defined]
        simulations.send_for(row.pk, datetime.now(UTC))
        return Response(_shape(row))

    @extend_schema(operation_id="simulations_delete", responses={204: None})
    def delete(self, request: Request, simulation_id: UUID) -> Response:
        """Also one under way, which is given up."""
        team = request.team  # type: ignore[attr-defined]
        read.get_simulation(team.id, simulation_id)
        simulations.delete(team.id, simulation_id)
        return Response(status=204)
