"""Alerts of a team, and where they go, over HTTP."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.pagination import CursorPagination
from aflow_site.api.query import choice
from teams.api.alert_serializers import (
    ALERT_KINDS,
    ALERT_STATES,
    AlertChannelListSerializer,
    AlertChannelSerializer,
    AlertSerializer,
    ChannelChangesSerializer,
    NewChannelAnswerSerializer,
    NewChannelSerializer,
)
from teams.facade.contracts import TeamContext
from teams.selectors.alerts import alert_shape, alerts_of, channel_shape, channels_of
from teams.services.alerts import channels


class NewestFirst(CursorPagination):
    ordering = ("-opened_at", "-id")


def _context(request: Request) -> TeamContext:
    context: TeamContext = request.team  # type: ignore[attr-defined]
    return context


class AlertListView(APIView):
    @extend_schema(
        operation_id="alerts_list",
        parameters=[
            OpenApiParameter("state", str, enum=ALERT_STATES),
            OpenApiParameter("kind", str, enum=ALERT_KINDS),
            OpenApiParameter("subject", str, description="Such as `pool/python`"),
        ],
        responses=AlertSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """What the team was alerted of, the newest first. Alerts are resolved when their cause ends."""
        found = alerts_of(
            _context(request).id,
            state=choice(request, "state", ALERT_STATES),
            kind=choice(request, "kind", ALERT_KINDS),
            subject=request.query_params.get("subject"),
        )
        pages = NewestFirst()
        page = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response([AlertSerializer(alert_shape(alert)).data for alert in page])


class AlertChannelListView(APIView):
    required_roles = {"GET": "operator", "POST": "admin"}

    @extend_schema(operation_id="alert_channels_list", responses=AlertChannelListSerializer)
    def get(self, request: Request) -> Response:
        """Where alerts go, by name. For operators: addresses of webhooks are often as good as passwords."""
        found = [AlertChannelSerializer(channel_shape(row)).data for row in channels_of(_context(request).id)]
        return Response({"results": found, "next": None, "previous": None})

    @extend_schema(
        operation_id="alert_channels_add",
        request=NewChannelSerializer,
        responses={201: NewChannelAnswerSerializer},
    )
    def post(self, request: Request) -> Response:
        """Adds one. The answer holds what its webhooks are signed with, this once."""
        body = NewChannelSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        context = _context(request)
        row, secret = channels.add_channel(context.id, body.validated_data, author=context.username)
        shown = NewChannelAnswerSerializer({**channel_shape(row), "secret": secret})
        return Response(shown.data, status=201)


class AlertChannelView(APIView):
    required_roles = {"GET": "operator", "PATCH": "admin", "DELETE": "admin"}

    @extend_schema(operation_id="alert_channels_get", responses=AlertChannelSerializer)
    def get(self, request: Request, channel_id: UUID) -> Response:
        row = channels.find(_context(request).id, channel_id)
        return Response(AlertChannelSerializer(channel_shape(row)).data)

    @extend_schema(
        operation_id="alert_channels_change",
        request=ChannelChangesSerializer,
        responses=AlertChannelSerializer,
    )
    def patch(self, request: Request, channel_id: UUID) -> Response:
        body = ChannelChangesSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        context = _context(request)
        row = channels.change_channel(context.id, channel_id, body.validated_data, author=context.username)
        return Response(AlertChannelSerializer(channel_shape(row)).data)

    @extend_schema(operation_id="alert_channels_remove", responses={204: None})
    def delete(self, request: Request, channel_id: UUID) -> Response:
        context = _context(request)
        channels.remove_channel(context.id, channel_id, author=context.username)
        return Response(status=204)


class AlertChannelTestView(APIView):
    required_roles = {"POST": "operator"}

    @extend_schema(operation_id="alert_channels_test", request=None, responses={204: None})
    def post(self, request: Request, channel_id: UUID) -> Response:
        """Sends a test at once; 502 with the reason when it was not taken."""
        context = _context(request)
        channels.test_channel(context.id, channel_id, author=context.username)
        return Response(status=204)
