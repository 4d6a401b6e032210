"""What a run will take, over HTTP."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from workflows.api.serializers import EstimateRequestSerializer, EstimateSerializer
from workflows.domain.document import Document
from workflows.selectors import definitions as read
from workflows.selectors.history import estimate
from workflows.services.params import check_params


class EstimateView(APIView):
    required_roles = {"POST": "viewer"}

    @extend_schema(
        operation_id="workflows_estimate", request=EstimateRequestSerializer, responses=EstimateSerializer
    )
    def post(self, request: Request, name: str) -> Response:
        """Time, attempts and agents' time of a run and of each step, by the last completed runs."""
        body = EstimateRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        workflow = read.get_workflow(request.team.id, name)  # type: ignore[attr-defined]
        version = read.get_version(workflow, wanted["version"] or workflow.version)
        if "params" in wanted:
            check_params(Document.model_validate(version.document), wanted["params"])
        return Response(estimate(workflow, version))
