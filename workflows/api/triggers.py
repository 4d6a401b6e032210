"""Triggers over HTTP, and the addresses that webhooks deliver to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.pagination import CursorPagination
from aflow_site.api.parsers import json_of
from aflow_site.api.query import choice, whole_number
from workflows.api.trigger_serializers import (
    KINDS,
    OUTCOMES,
    FireSerializer,
    FiringSerializer,
    NewTriggerSerializer,
    ReceiptSerializer,
    TriggerChangesSerializer,
    TriggerSerializer,
    TriggerWithSecretSerializer,
    UpcomingSerializer,
)
from workflows.domain.schedules import upcoming
from workflows.domain.triggers import Kind, ScheduleConfig, read_config
from workflows.domain.webhooks import DELIVERY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER
from workflows.models import Trigger
from workflows.selectors import triggers as read
from workflows.services import deliveries, triggers

MAX_UPCOMING = 100


class TriggerListView(APIView):
    """The newest first."""

    @extend_schema(
        operation_id="triggers_list",
        parameters=[
            OpenApiParameter("workflow", str),
            OpenApiParameter("kind", str, enum=KINDS),
            OpenApiParameter("enabled", bool),
        ],
        responses=TriggerSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        found = read.triggers_of(request.team.id)  # type: ignore[attr-defined]
        if request.query_params.get("workflow"):
            found = found.filter(workflow__name=request.query_params["workflow"])
        if kind := choice(request, "kind", KINDS):
            found = found.filter(kind=kind)
        if enabled := choice(request, "enabled", ("true", "false")):
            found = found.filter(enabled=enabled == "true")
        pages = CursorPagination()
        page = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response(read.trigger_shapes(page))

    @extend_schema(
        operation_id="triggers_create",
        request=NewTriggerSerializer,
        responses={201: TriggerWithSecretSerializer},
    )
    def post(self, request: Request) -> Response:
        """Makes a trigger. A webhook's secret is in this answer and in no other."""
        body = NewTriggerSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = triggers.NewTrigger(**{**body.validated_data, "kind": Kind(body.validated_data["kind"])})
        team = request.team  # type: ignore[attr-defined]
        return _with_secret(triggers.create_trigger(team.id, wanted, author=team.username), 201)


def _with_secret(trigger: Trigger, status: int) -> Response:
    secret = {"secret": trigger.secret} if trigger.secret else {}
    return Response({**read.trigger_shape(trigger), **secret}, status=status)


class TriggerView(APIView):
    @extend_schema(operation_id="triggers_get", responses=TriggerSerializer)
    def get(self, request: Request, trigger_id: UUID) -> Response:
        return Response(read.trigger_shape(_trigger(request, trigger_id)))

    @extend_schema(
        operation_id="triggers_update", request=TriggerChangesSerializer, responses=TriggerSerializer
    )
    def patch(self, request: Request, trigger_id: UUID) -> Response:
        """Changes it, or switches it on or off; `config` and `params` are replaced as a whole."""
        body = TriggerChangesSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        team = request.team  # type: ignore[attr-defined]
        changed = triggers.change_trigger(team.id, trigger_id, body.validated_data, author=team.username)
        return Response(read.trigger_shape(changed))

    @extend_schema(operation_id="triggers_delete", responses={204: None})
    def delete(self, request: Request, trigger_id: UUID) -> Response:
        team = request.team  # type: ignore[attr-defined]
        triggers.delete_trigger(team.id, trigger_id, author=team.username)
        return Response(status=204)


def _trigger(request: Request, trigger_id: UUID) -> Trigger:
    return read.get_trigger(request.team.id, trigger_id)  # type: ignore[attr-defined]


class SecretView(APIView):
    @extend_schema(operation_id="triggers_rotate_secret", request=None, responses=TriggerWithSecretSerializer)
    def post(self, request: Request, trigger_id: UUID) -> Response:
        """A new secret, shown in this answer only; the old one is void at once."""
        team = request.team  # type: ignore[attr-defined]
        return _with_secret(triggers.rotate_secret(team.id, trigger_id, author=team.username), 200)


class FireView(APIView):
    @extend_schema(operation_id="triggers_fire", request=FireSerializer, responses={201: FiringSerializer})
    def post(self, request: Request, trigger_id: UUID) -> Response:
        """Starts a run by hand, whatever else goes on."""
        body = FireSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        team = request.team  # type: ignore[attr-defined]
        params = body.validated_data.get("params")
        firing = triggers.fire_by_hand(team.id, trigger_id, params, author=team.username)
        return Response(read.firing_shape(firing), status=201)


class FiringPages(CursorPagination):
    ordering = ("-at", "-id")


class FiringListView(APIView):
    """When it went off and what came of it, the newest first."""

    @extend_schema(
        operation_id="firings_list",
        parameters=[OpenApiParameter("outcome", str, enum=OUTCOMES)],
        responses=FiringSerializer(many=True),
    )
    def get(self, request: Request, trigger_id: UUID) -> Response:
        found = read.firings_of(_trigger(request, trigger_id))
        if outcome := choice(request, "outcome", OUTCOMES):
            found = found.filter(outcome=outcome)
        pages = FiringPages()
        page = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response([read.firing_shape(firing) for firing in page])


class UpcomingView(APIView):
    @extend_schema(
        operation_id="triggers_upcoming",
        parameters=[OpenApiParameter("count", int, description=f"1 to {MAX_UPCOMING}; 10 when left out")],
        responses=UpcomingSerializer,
    )
    def get(self, request: Request, trigger_id: UUID) -> Response:
        """A schedule's next moments, in its own time zone."""
        trigger = _trigger(request, trigger_id)
        config = read_config(Kind(trigger.kind), trigger.config)
        if not isinstance(config, ScheduleConfig):
            raise triggers.WrongKind("Nobody knows when this trigger goes off next; that is for schedules.")
        count = whole_number(request, "count", low=1, high=MAX_UPCOMING) or 10
        moments = upcoming(config.cron, config.timezone, timezone.now(), count)
        return Response({"results": [moment.isoformat() for moment in moments]})


class HookView(APIView):
    """Where webhooks are delivered: without a token, signed with the trigger's secret."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    @extend_schema(
        operation_id="hooks_deliver",
        request=OpenApiTypes.OBJECT,
        parameters=[
            OpenApiParameter(TIMESTAMP_HEADER, str, OpenApiParameter.HEADER, description="Unix seconds"),
            OpenApiParameter(
                SIGNATURE_HEADER,
                str,
                OpenApiParameter.HEADER,
                description="sha256=HEX: HMAC-SHA256 over the timestamp, a dot and the body",
            ),
            OpenApiParameter(
                DELIVERY_HEADER,
                str,
                OpenApiParameter.HEADER,
                description="The sender's name for the delivery",
            ),
        ],
        responses={201: ReceiptSerializer, 200: ReceiptSerializer},
    )
    def post(self, request: Request, trigger_id: UUID) -> Response:
        """Starts a run with the payload. The same delivery again answers 200 with the first one's run."""
        body = request._request.body
        delivery = deliveries.accept(trigger_id, request.headers, body, timezone.now())
        outcome = deliveries.deliver(delivery, json_of(body))
        if outcome.error is not None:
            raise outcome.error
        receipt = read.firing_shape(outcome.firing)
        shown = {name: receipt[name] for name in ("outcome", "detail", "run")}
        return Response(shown, status=200 if outcome.repeated else 201)
