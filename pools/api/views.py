"""Pools over HTTP: parse, call one function, render."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pools.api.serializers import (
    AdviceSerializer,
    DrainSerializer,
    NewPoolSerializer,
    PoolListSerializer,
    PoolSerializer,
    PoolSettingsSerializer,
    ResizeSerializer,
    WarmSerializer,
)
from pools.facade import api as pools
from pools.facade import contracts
from pools.selectors.views import pool_payload

OPERATORS = {"POST": "operator", "PATCH": "operator", "DELETE": "operator"}


def _team(request: Request) -> int:
    team_id: int = request.team.id  # type: ignore[attr-defined]
    return team_id


def _shown(request: Request, view: contracts.PoolView) -> dict[str, Any]:
    return pool_payload(view, _team(request))


class PoolListView(APIView):
    required_roles = OPERATORS

    @extend_schema(operation_id="pools_list", responses=PoolListSerializer)
    def get(self, request: Request) -> Response:
        """The team's pools by name, with their figures at this moment. One page: a team has few."""
        found = [_shown(request, view) for view in pools.list_pools(_team(request))]
        return Response({"results": found, "next": None, "previous": None})

    @extend_schema(operation_id="pools_create", request=NewPoolSerializer, responses={201: PoolSerializer})
    def post(self, request: Request) -> Response:
        """Makes a pool; its agents start at once when `warm_up` is set. 409 when the name is taken."""
        body = NewPoolSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        view = pools.create_pool(_team(request), contracts.PoolSpec(**body.validated_data))
        return Response(_shown(request, view), status=201)


class PoolView(APIView):
    required_roles = OPERATORS

    @extend_schema(operation_id="pools_get", responses=PoolSerializer)
    def get(self, request: Request, name: str) -> Response:
        return Response(_shown(request, pools.get_pool(_team(request), name)))

    @extend_schema(operation_id="pools_update", request=PoolSettingsSerializer, responses=PoolSerializer)
    def patch(self, request: Request, name: str) -> Response:
        """Changes settings. A new image replaces the agents of the old one; running leases finish first."""
        body = PoolSettingsSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(_shown(request, pools.update_pool(_team(request), name, body.validated_data)))

    @extend_schema(
        operation_id="pools_delete", parameters=[OpenApiParameter("force", bool)], responses={204: None}
    )
    def delete(self, request: Request, name: str) -> Response:
        """No new leases from now on; running ones finish, then the agents end.

        409 while workflows count on the pool, unless `?force=true`: their steps fail without it.
        """
        if request.query_params.get("force", "").lower() not in ("true", "1"):
            pools.check_unused(_team(request), name)
        pools.delete_pool(_team(request), name)
        return Response(status=204)


class ResizeView(APIView):
    required_roles = OPERATORS

    @extend_schema(operation_id="pools_resize", request=ResizeSerializer, responses=PoolSerializer)
    def post(self, request: Request, name: str) -> Response:
        body = ResizeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        view = pools.resize_pool(_team(request), name, **body.validated_data)
        return Response(_shown(request, view))


class WarmView(APIView):
    required_roles = OPERATORS

    @extend_schema(operation_id="pools_warm", request=WarmSerializer, responses=PoolSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Starts agents now, up to `size` within the pool's limits."""
        body = WarmSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(_shown(request, pools.warm_pool(_team(request), name, body.validated_data["size"])))


class DrainView(APIView):
    required_roles = OPERATORS

    @extend_schema(operation_id="pools_drain", request=DrainSerializer, responses=PoolSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Nobody gets a lease until the pool is resumed; running leases finish, and their agents end."""
        body = DrainSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(
            _shown(request, pools.drain_pool(_team(request), name, body.validated_data["within"]))
        )


class ResumeView(APIView):
    required_roles = OPERATORS

    @extend_schema(operation_id="pools_resume", request=None, responses=PoolSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Takes a drain back: whoever waited is served."""
        return Response(_shown(request, pools.resume_pool(_team(request), name)))


class RecycleView(APIView):
    required_roles = OPERATORS

    @extend_schema(operation_id="pools_recycle", request=None, responses=PoolSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Replaces every agent: idle ones now, leased ones after their lease."""
        return Response(_shown(request, pools.recycle_pool(_team(request), name)))


class AdviceView(APIView):
    @extend_schema(operation_id="pools_advice", responses=AdviceSerializer)
    def get(self, request: Request, name: str) -> Response:
        """What its agents really need of CPU and memory, out of what they used: the 90th percentile of a
        histogram that halves each day, and 15 % on top."""
        return Response(AdviceSerializer(pools.advice(_team(request), name)).data)


class ApplyAdviceView(APIView):
    required_roles = OPERATORS

    @extend_schema(operation_id="pools_apply_advice", request=None, responses=PoolSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Sets what is advised; free agents are replaced now, leased ones after their lease. 409 when there
        is nothing to change."""
        return Response(_shown(request, pools.apply_advice(_team(request), name)))
