"""Runs and what happened in them, over HTTP."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.pagination import CursorPagination
from aflow_site.kernel.errors import InvalidInput
from workflows.api.serializers import (
    EventSerializer,
    ItemSerializer,
    LogLineSerializer,
    RunRequestSerializer,
    RunSerializer,
    RunSummarySerializer,
    StepListSerializer,
)
from workflows.domain.states import RunState, StepState
from workflows.models import Event, LogLine, Run
from workflows.selectors import runs as read
from workflows.selectors.artifacts import Room
from workflows.services import runs


class IndexPages(CursorPagination):
    ordering = "index"


class StepPages(CursorPagination):
    ordering = "id"
    page_size = 500  # most runs are one page


class SeqPages(CursorPagination):
    ordering = "seq"
    page_size = 200


class LogPages(CursorPagination):
    ordering = "id"
    page_size = 200


FILTERS = [OpenApiParameter(name, str) for name in ("workflow", "state", "tag")]


def _choice(request: Request, name: str, allowed: type[RunState] | type[StepState]) -> list[str]:
    """The values of a filter such as `?state=failed,running`."""
    given = [part for part in request.query_params.get(name, "").split(",") if part]
    unknown = sorted(set(given) - {state.value for state in allowed})
    if unknown:
        known = ", ".join(state.value for state in allowed)
        raise InvalidInput(f"{unknown[0]} is not a state; use {known}.")
    return given


def number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None or text == "":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidInput(f"{name} must be a whole number, not {text[:40]!r}.")
    return int(text)


class StartRunView(APIView):
    @extend_schema(operation_id="runs_start", request=RunRequestSerializer, responses={201: RunSerializer})
    def post(self, request: Request, name: str) -> Response:
        """Starts a run. With `Idempotency-Key`, the same request again answers 200 with the same run."""
        body = RunRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        asked = runs.RunRequest(
            params=wanted["params"],
            tags=tuple(wanted["tags"]),
            version=wanted["version"],
            idempotency_key=_idempotency_key(request),
            priority=wanted["priority"],
        )
        team = request.team  # type: ignore[attr-defined]
        run, created = runs.start_run(team.id, name, asked, author=team.username)
        return Response(read.run_detail(run), status=201 if created else 200)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= 200:
        raise InvalidInput("An Idempotency-Key has 1 to 200 characters.")
    return key


class RunListView(APIView):
    """Newest first."""

    @extend_schema(operation_id="runs_list", parameters=FILTERS, responses=RunSummarySerializer(many=True))
    def get(self, request: Request) -> Response:
        found: QuerySet[Run] = read.runs_of(request.team.id)  # type: ignore[attr-defined]
        query = request.query_params
        if query.get("workflow"):
            found = found.filter(workflow__name=query["workflow"])
        if states := _choice(request, "state", RunState):
            found = found.filter(state__in=states)
        for tag in query.getlist("tag"):
            found = found.filter(tags__tag=tag)
        pages = CursorPagination()
        page: list[Any] = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response([read.run_summary(run) for run in page])


class RunPart(APIView):
    """Something of one run of the asking team."""

    def run_of(self, request: Request, run_id: UUID) -> Run:
        return read.get_run(request.team.id, run_id)  # type: ignore[attr-defined]

    def page(self, request: Request, pages: CursorPagination, rows: Any, shape: Any) -> Response:
        page: list[Any] = pages.paginate_queryset(rows, request, self) or []
        return pages.get_paginated_response([shape(row) for row in page])


class RunView(RunPart):
    @extend_schema(operation_id="runs_get", responses=RunSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        return Response(read.run_detail(self.run_of(request, run_id)))


class StepListView(RunPart):
    @extend_schema(
        operation_id="steps_list",
        parameters=[
            OpenApiParameter("iteration", str),
            OpenApiParameter("cursor", str, description="Of `next` or `previous`"),
            OpenApiParameter("limit", int, description="Steps on a page, up to 500"),
        ],
        responses=StepListSerializer,
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        """The document's steps in its order, then those of the iteration that each loop is in, or ended with.

        `?iteration=refine.3` gives the steps of another iteration of a loop.
        """
        run, pages = self.run_of(request, run_id), StepPages()
        found = read.step_rows(run, request.query_params.get("iteration"))
        page: list[Any] = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response(read.step_shapes(run, page))


class ItemListView(RunPart):
    """The items of a map that were begun, by index; `?state=failed` for some of them."""

    @extend_schema(
        operation_id="items_list",
        parameters=[OpenApiParameter("state", str)],
        responses=ItemSerializer(many=True),
    )
    def get(self, request: Request, run_id: UUID, step: str) -> Response:
        items = read.items_of(read.get_step(self.run_of(request, run_id), step))
        if states := _choice(request, "state", StepState):
            items = items.filter(state__in=states)
        shape = partial(read.item_shape, request.team.id, room=Room())  # type: ignore[attr-defined]
        return self.page(request, IndexPages(), items, shape)


class EventListView(RunPart):
    """The run's log of events in order; `?after=SEQ` for what came later."""

    @extend_schema(
        operation_id="events_list",
        parameters=[OpenApiParameter("after", int)],
        responses=EventSerializer(many=True),
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        after = number(request, "after") or 0
        events = Event.objects.filter(run=self.run_of(request, run_id), seq__gt=after)
        return self.page(request, SeqPages(), events, read.event_shape)


class LogListView(RunPart):
    """What the steps' bodies printed and logged; `?step=`, `?item=` and `?stream=` narrow it."""

    @extend_schema(
        operation_id="logs_list",
        parameters=[
            OpenApiParameter("step", OpenApiTypes.STR),
            OpenApiParameter("item", OpenApiTypes.INT),
            OpenApiParameter("stream", OpenApiTypes.STR),
        ],
        responses=LogLineSerializer(many=True),
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        lines = LogLine.objects.filter(run=self.run_of(request, run_id))
        for name in ("step", "stream"):
            if request.query_params.get(name):
                lines = lines.filter(**{name: request.query_params[name]})
        item = number(request, "item")
        if item is not None:
            lines = lines.filter(item=item)
        return self.page(request, LogPages(), lines, lambda line: LogLineSerializer(line).data)
