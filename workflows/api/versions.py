"""Versions over HTTP: what they differ in, taking an old one back, taking one away as a file."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.negotiation import OurOwn
from aflow_site.api.query import choice, whole_number
from workflows.api.serializers import DiffSerializer, WorkflowSerializer
from workflows.domain.texts import as_json, as_yaml
from workflows.selectors import definitions as read
from workflows.selectors.versions import diff_shape
from workflows.services.definitions import restore_version

# Editors with a YAML language server check and complete by it.
SCHEMA_LINE = "# yaml-language-server: $schema={url}\n"
WRITERS = {"yaml": (as_yaml, "application/yaml"), "json": (as_json, "application/json")}


class DiffView(APIView):
    @extend_schema(
        operation_id="versions_diff",
        parameters=[
            OpenApiParameter("from", int, description="The one before `to` when left out"),
            OpenApiParameter("to", int, description="The newest when left out"),
        ],
        responses=DiffSerializer,
    )
    def get(self, request: Request, name: str) -> Response:
        """What two versions differ in. In paths a step stands by its id: `steps[count].pool.size`."""
        workflow = read.get_workflow(request.team.id, name)  # type: ignore[attr-defined]
        newer = whole_number(request, "to", low=1) or workflow.version
        older = whole_number(request, "from", low=1) or max(newer - 1, 1)
        return Response(diff_shape(read.get_version(workflow, older), read.get_version(workflow, newer)))


class RestoreView(APIView):
    @extend_schema(operation_id="versions_restore", request=None, responses=WorkflowSerializer)
    def post(self, request: Request, name: str, number: int) -> Response:
        """A new version with an old one's document; `If-Match` holds the ETag of the newest, as for PUT."""
        team = request.team  # type: ignore[attr-defined]
        if_match = request.headers.get("If-Match")
        workflow = restore_version(team.id, name, number, if_match=if_match, author=team.username)
        body = read.workflow_detail(workflow)
        return Response(body, headers={"ETag": body["etag"]})


class ExportView(APIView):
    content_negotiation_class = OurOwn

    @extend_schema(
        operation_id="versions_export",
        parameters=[
            OpenApiParameter("format", str, enum=list(WRITERS), description="yaml when left out"),
            OpenApiParameter("version", int, description="The newest when left out"),
        ],
        responses={(200, media_type): OpenApiTypes.STR for _writer, media_type in WRITERS.values()},
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        """A version's document as a file. Reading it gives the same document: POST it to take it in."""
        form = choice(request, "format", WRITERS) or "yaml"
        workflow = read.get_workflow(request.team.id, name)  # type: ignore[attr-defined]
        version = read.get_version(workflow, whole_number(request, "version", low=1) or workflow.version)
        write, media_type = WRITERS[form]
        text = write(version.document)
        if form == "yaml":
            text = SCHEMA_LINE.format(url=request.build_absolute_uri("/api/v1/schemas/workflow.json")) + text
        file_name = f"{workflow.name}.v{version.number}.{form}"
        return HttpResponse(
            text,
            content_type=f"{media_type}; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{file_name}"'},
        )
