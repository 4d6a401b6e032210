"""Workflows, their versions, and bundles, over HTTP."""

from __future__ import annotations

from typing import IO, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.pagination import CursorPagination
from aflow_site.api.parsers import DOCUMENT_PARSERS, read_body
from workflows.api.serializers import (
    BundleSerializer,
    ValidationSerializer,
    VersionSerializer,
    VersionSummarySerializer,
    WorkflowSerializer,
    WorkflowSummarySerializer,
)
from workflows.domain.document import json_schema
from workflows.models import Workflow
from workflows.selectors import definitions as read
from workflows.services import bundles, definitions


class NamePages(CursorPagination):
    ordering = "name"


class VersionPages(CursorPagination):
    ordering = "-number"


def _detail(workflow: Workflow, status: int = 200) -> Response:
    body = read.workflow_detail(workflow)
    return Response(body, status=status, headers={"ETag": body["etag"]})


class WorkflowListView(APIView):
    """The team's workflows; `?search=` looks at name and description."""

    parser_classes = DOCUMENT_PARSERS

    @extend_schema(
        operation_id="workflows_list",
        parameters=[OpenApiParameter("search", str, description="In names and descriptions")],
        responses=WorkflowSummarySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        workflows = read.workflows_of(request.team.id)  # type: ignore[attr-defined]
        search = request.query_params.get("search")
        if search:
            workflows = workflows.filter(name__icontains=search) | workflows.filter(
                description__icontains=search
            )
        pages = NamePages()
        page = pages.paginate_queryset(workflows, request, self) or []
        return pages.get_paginated_response(read.workflow_summaries(page))

    @extend_schema(
        operation_id="workflows_create", request=OpenApiTypes.OBJECT, responses={201: WorkflowSerializer}
    )
    def post(self, request: Request) -> Response:
        """Makes a workflow of a document (JSON or YAML)."""
        team = request.team  # type: ignore[attr-defined]
        return _detail(definitions.create_workflow(team.id, request.data, author=team.username), 201)


class WorkflowView(APIView):
    parser_classes = DOCUMENT_PARSERS

    @extend_schema(operation_id="workflows_get", responses=WorkflowSerializer)
    def get(self, request: Request, name: str) -> Response:
        return _detail(read.get_workflow(request.team.id, name))  # type: ignore[attr-defined]

    @extend_schema(operation_id="workflows_save", request=OpenApiTypes.OBJECT, responses=WorkflowSerializer)
    def put(self, request: Request, name: str) -> Response:
        """Saves a new version; `If-Match` holds the ETag of the version that was edited."""
        team = request.team  # type: ignore[attr-defined]
        workflow = definitions.save_workflow(
            team.id, name, request.data, if_match=request.headers.get("If-Match"), author=team.username
        )
        return _detail(workflow)

    @extend_schema(operation_id="workflows_delete", responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        team = request.team  # type: ignore[attr-defined]
        definitions.archive_workflow(team.id, name, author=team.username)
        return Response(status=204)


class VersionListView(APIView):
    @extend_schema(operation_id="versions_list", responses=VersionSummarySerializer(many=True))
    def get(self, request: Request, name: str) -> Response:
        workflow = read.get_workflow(request.team.id, name)  # type: ignore[attr-defined]
        pages = VersionPages()
        page = pages.paginate_queryset(workflow.versions.all(), request, self) or []
        return pages.get_paginated_response([read.version_shape(v, with_document=False) for v in page])


class VersionView(APIView):
    @extend_schema(operation_id="versions_get", responses=VersionSerializer)
    def get(self, request: Request, name: str, number: int) -> Response:
        workflow = read.get_workflow(request.team.id, name)  # type: ignore[attr-defined]
        return Response(read.version_shape(read.get_version(workflow, number), with_document=True))


class ValidateView(APIView):
    """Every fault of a document, without saving it."""

    parser_classes = DOCUMENT_PARSERS
    required_roles = {"POST": "viewer"}

    @extend_schema(
        operation_id="workflows_validate", request=OpenApiTypes.OBJECT, responses=ValidationSerializer
    )
    def post(self, request: Request) -> Response:
        faults = definitions.check(request.team.id, request.data)  # type: ignore[attr-defined]
        errors = [{"path": f.path, "message": f.message, "step": f.step} for f in faults]
        return Response({"valid": not errors, "errors": errors})


class SchemaView(APIView):
    """The workflow document's JSON Schema; public, so that editors can use it."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    @extend_schema(operation_id="workflow_schema", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response(json_schema())


class ZipParser(BaseParser):
    media_type = "application/zip"

    def parse(self, stream: IO[bytes], media_type: Any = None, parser_context: Any = None) -> Any:
        return read_body(stream)


class BundleView(APIView):
    parser_classes = [ZipParser]

    @extend_schema(
        operation_id="bundles_create", request=OpenApiTypes.BINARY, responses={201: BundleSerializer}
    )
    def post(self, request: Request) -> Response:
        """Uploads a zip archive of Python modules for steps with a `handler`."""
        content = request.data if isinstance(request.data, bytes) else b""
        bundle = bundles.store_bundle(request.team.id, content)  # type: ignore[attr-defined]
        return Response({"sha256": bundle.sha256, "size": bundle.size}, status=201)
