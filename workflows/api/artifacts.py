"""Artifacts over HTTP: the bytes, as they were stored."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from aflow_site.api.negotiation import OurOwn
from aflow_site.api.streaming import file_response
from workflows.selectors import artifacts

JSON = "application/json"


class ArtifactView(APIView):
    content_negotiation_class = OurOwn

    @extend_schema(operation_id="artifacts_get", responses={(200, JSON): OpenApiTypes.ANY})
    def get(self, request: Request, sha256: str) -> HttpResponseBase:
        """The content of an artifact of the team, by the SHA-256 of its bytes. It never changes."""
        artifact = artifacts.find(request.team.id, sha256)  # type: ignore[attr-defined]
        etag = f'"{artifact.sha256}"'
        headers = {"ETag": etag, "Cache-Control": "private, max-age=31536000, immutable"}
        wanted = request.headers.get("If-None-Match", "")
        if etag in (part.strip().removeprefix("W/") for part in wanted.split(",")):
            return HttpResponse(status=304, headers=headers)
        headers |= {"Content-Type": artifact.content_type, "Content-Length": str(artifact.size)}
        if artifact.content_type != JSON:
            # Not ours to show: a browser saves it, and runs nothing that stands in it.
            headers["Content-Disposition"] = f'attachment; filename="{artifact.sha256}"'
        return file_response(request._request, artifacts.open_file(artifact), headers)
