"""Forecasts over HTTP."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.pagination import CursorPagination
from aflow_site.api.query import whole_number
from aflow_site.kernel.errors import NotFound
from pools.facade import api as pools
from scaling.api.serializers import ForecastSerializer
from scaling.selectors import forecasts as read

HOURS, MOST_HOURS = 24, 48


class ForecastPages(CursorPagination):
    ordering = "pool"


class ForecastListView(APIView):
    @extend_schema(
        operation_id="forecasts_list",
        parameters=[
            OpenApiParameter("pool", str, description="With its series"),
            OpenApiParameter("hours", int, description=f"Of the series, 1 to {MOST_HOURS}"),
        ],
        responses=ForecastSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """What is forecast of the pools whose policies ask for it; of one pool also what was, and came."""
        team_id, now = request.team.id, timezone.now()  # type: ignore[attr-defined]
        hours = whole_number(request, "hours", low=1, high=MOST_HOURS) or HOURS
        rows = read.forecasts_of_team(team_id)
        if name := request.query_params.get("pool"):
            pool = pools.get_pool(team_id, name)  # raises NotFound
            if pool.team_id != team_id:
                raise NotFound(f"Pool {name} is {pool.team}'s, and so are its forecasts.")
            shape = read.forecast_shape(pool.name, pool.id, rows.filter(pool_id=pool.id).first(), now)
            shape["series"] = read.series(pool.id, now, hours)
            return Response({"results": [shape], "next": None, "previous": None})
        pages = ForecastPages()
        page = pages.paginate_queryset(rows, request, self) or []
        return pages.get_paginated_response(
            [read.forecast_shape(row.pool, row.pool_id, row, now) for row in page]
        )
