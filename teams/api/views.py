"""Who asks, the team's settings, and its audit log, over HTTP."""

from __future__ import annotations

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.pagination import CursorPagination
from aflow_site.api.query import moment
from aflow_site.kernel.errors import NotFound
from teams.api.serializers import (
    AuditEntrySerializer,
    MeSerializer,
    SecretListSerializer,
    SecretSerializer,
    SecretValueSerializer,
    TeamDetailSerializer,
    TeamSettingsSerializer,
)
from teams.facade import api as teams
from teams.facade.contracts import TeamContext, TeamLimits
from teams.selectors.audit import entries_of, entry_shape
from teams.services.settings import change_settings


def _context(request: Request) -> TeamContext:
    context: TeamContext = request.team  # type: ignore[attr-defined]
    return context


class MeView(APIView):
    """Who is asking, and for which team."""

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        context = _context(request)
        mine = teams.teams_of(context.user_id)
        body = {"username": context.username, "team": context, "teams": mine, "staff": context.staff}
        return Response(MeSerializer(body).data)


class TeamView(APIView):
    """The team that the request acts for (`X-Team` chooses it in a session)."""

    required_roles = {"PATCH": "admin"}

    @extend_schema(operation_id="teams_get", responses=TeamDetailSerializer)
    def get(self, request: Request, slug: str) -> Response:
        context = self._own(request, slug)
        return self._detail(context, teams.limits_of(context.id))

    @extend_schema(
        operation_id="teams_update", request=TeamSettingsSerializer, responses=TeamDetailSerializer
    )
    def patch(self, request: Request, slug: str) -> Response:
        context = self._own(request, slug)
        body = TeamSettingsSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        limits = change_settings(context.id, body.validated_data, author=context.username)
        return self._detail(context, limits)

    def _own(self, request: Request, slug: str) -> TeamContext:
        context = _context(request)
        if context.slug != slug:
            raise NotFound(f"You act for the team {context.slug}; X-Team (or another token) names another.")
        return context

    def _detail(self, context: TeamContext, limits: TeamLimits) -> Response:
        body = {
            "slug": limits.slug,
            "name": limits.name,
            "role": context.role,
            "max_concurrent_runs": limits.max_concurrent_runs,
            "capacity_weight": limits.capacity_weight,
            "retention_days": limits.retention_days,
            "platform_retention_days": settings.AFLOW_RETENTION_DAYS,
            "created_at": limits.created_at,
        }
        return Response(TeamDetailSerializer(body).data)


class SecretListView(APIView):
    """What the team keeps secret, by name. Viewers do not see it."""

    required_roles = {"GET": "editor"}

    @extend_schema(operation_id="secrets_list", responses=SecretListSerializer)
    def get(self, request: Request) -> Response:
        found = SecretSerializer(teams.list_secrets(_context(request).id), many=True).data
        return Response({"results": found, "next": None, "previous": None})


class SecretView(APIView):
    required_roles = {"PUT": "admin", "DELETE": "admin"}

    @extend_schema(
        operation_id="secrets_set",
        request=SecretValueSerializer,
        responses={200: SecretSerializer, 201: SecretSerializer},
    )
    def put(self, request: Request, name: str) -> Response:
        """Sets it. Agents that are made from now on get the new value; recycle a pool to replace others."""
        body = SecretValueSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        context = _context(request)
        kept, new = teams.set_secret(context.id, name, body.validated_data["value"], author=context.username)
        return Response(SecretSerializer(kept).data, status=201 if new else 200)

    @extend_schema(operation_id="secrets_delete", responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        """Agents that have it keep it until they end; none that names it can be made any more."""
        context = _context(request)
        teams.delete_secret(context.id, name, author=context.username)
        return Response(status=204)


class EntryPages(CursorPagination):
    ordering = ("-at", "-id")


class AuditListView(APIView):
    """Who did what, the newest first. For operators: entries tell people's addresses."""

    required_roles = {"GET": "operator"}

    @extend_schema(
        operation_id="audit_list",
        parameters=[
            OpenApiParameter("actor", str),
            OpenApiParameter("action", str, description="`workflow.saved`, or `workflow` for all of them"),
            OpenApiParameter("target", str, description="`workflow/nightly`, or `workflow` for all"),
            OpenApiParameter("after", OpenApiTypes.DATETIME, description="At this moment or later"),
            OpenApiParameter("before", OpenApiTypes.DATETIME, description="Earlier than this moment"),
        ],
        responses=AuditEntrySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        found = entries_of(
            _context(request).id,
            actor=query.get("actor"),
            action=query.get("action"),
            target=query.get("target"),
            after=moment(request, "after"),
            before=moment(request, "before"),
        )
        pages = EntryPages()
        page = pages.paginate_queryset(found, request, self) or []
        shapes = [AuditEntrySerializer(entry_shape(entry)).data for entry in page]
        return pages.get_paginated_response(shapes)
