"""Parts of a run over HTTP: its state, the causes of its failures, why it waits, settings of its maps."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aflow_site.api.serializers import Strict
from aflow_site.kernel.errors import Conflict, InvalidInput, NotFound
from workflows.api.control import RunAction
from workflows.api.runs import RunPart, number
from workflows.api.serializers import StepSerializer
from workflows.domain.states import RUN_FINAL
from workflows.selectors import failures, waiting
from workflows.selectors import runs as read
from workflows.services import control, state


class ValueSerializer(serializers.Serializer):
    key = serializers.CharField()
    value = serializers.JSONField(allow_null=True)
    version = serializers.IntegerField()
    updated_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)


class StateListSerializer(serializers.Serializer):
    results = ValueSerializer(many=True)


class StateListView(RunPart):
    @extend_schema(operation_id="state_list", responses=StateListSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        """The run's state: the keys that its steps share."""
        return Response({"results": read.state_of(self.run_of(request, run_id))})


class OperationSerializer(Strict):
    """`op`: set, delete, increment, append_to_list, add_to_set or compare_and_set."""

    op = serializers.ChoiceField(choices=sorted(state.OPERATIONS))
    value = serializers.JSONField(required=False, allow_null=True)
    by = serializers.JSONField(required=False)
    expected = serializers.JSONField(required=False, allow_null=True)
    ttl = serializers.FloatField(required=False, allow_null=True)


class StateValueView(RunAction):
    @extend_schema(operation_id="state_get", responses=ValueSerializer)
    def get(self, request: Request, run_id: UUID, key: str) -> Response:
        run = read.get_run(request.team.id, run_id)  # type: ignore[attr-defined]
        return Response(read.state_value(run, key))

    @extend_schema(operation_id="state_change", request=OperationSerializer, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, run_id: UUID, key: str) -> Response:
        """One atomic operation on a key of a live run; answers `{"result": …}`."""
        run = self.run_of(request, run_id)
        if run.state in RUN_FINAL:
            raise Conflict(f"This run has ended: it is {run.state}. Its state is kept as it was.")
        body = OperationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        args = {**body.validated_data, "key": key}
        return Response({"result": state.apply(run.pk, args.pop("op"), args)})


class FailureSerializer(serializers.Serializer):
    cause = serializers.CharField()
    title = serializers.CharField()
    count = serializers.IntegerField()
    samples = serializers.JSONField()


class FailureListSerializer(serializers.Serializer):
    results = FailureSerializer(many=True)


class FailureListView(RunPart):
    @extend_schema(operation_id="failures_list", responses=FailureListSerializer)
    def get(self, request: Request, run_id: UUID, step: str) -> Response:
        """The failed items of a map by their cause, the most frequent first, each with a few samples."""
        row = read.get_step(self.run_of(request, run_id), step)
        return Response({"results": failures.by_cause(row)})


class ReasonSerializer(serializers.Serializer):
    code = serializers.CharField()
    sentence = serializers.CharField()
    facts = serializers.JSONField()


class WhyRunView(RunPart):
    @extend_schema(operation_id="runs_why", responses=ReasonSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        """Why the run is not going on, in one sentence with its facts."""
        return Response(waiting.why_run(self.run_of(request, run_id)))


class WhyStepView(RunPart):
    @extend_schema(
        operation_id="steps_why",
        parameters=[OpenApiParameter("item", OpenApiTypes.INT)],
        responses=ReasonSerializer,
    )
    def get(self, request: Request, run_id: UUID, step: str) -> Response:
        """Why the step (or, with `?item=`, one item of its map) is not running."""
        run = self.run_of(request, run_id)
        row = read.get_step(run, step)
        index = number(request, "item")
        if index is None:
            return Response(waiting.why_step(run, row))
        if row.type not in ("map", "mapreduce"):
            raise InvalidInput(f"{step} is a {row.type} and has no items.")
        if index >= row.total:
            raise NotFound(f"{step} has no item {index}; it has {row.total}.")
        return Response(waiting.why_item(run, row, index))


class StepSettingsSerializer(serializers.Serializer):
    max_parallel = serializers.IntegerField(required=False)
    error_strategy = serializers.CharField(required=False)
    min_success_rate = serializers.FloatField(required=False)


class StepView(RunAction):
    @extend_schema(operation_id="steps_get", responses=StepSerializer)
    def get(self, request: Request, run_id: UUID, step: str) -> Response:
        run = read.get_run(request.team.id, run_id)  # type: ignore[attr-defined]
        return Response(read.step_detail(run, step))

    @extend_schema(operation_id="steps_change", request=StepSettingsSerializer, responses=StepSerializer)
    def patch(self, request: Request, run_id: UUID, step: str) -> Response:
        """Changes `max_parallel` or the tolerance of a map while it runs."""
        run = self.run_of(request, run_id)
        if not isinstance(request.data, dict):
            raise InvalidInput("Send an object with the settings to change.")
        changes: dict[str, Any] = dict(request.data)
        control.change_step(run, step, changes, author=self.author(request))
        return Response(read.step_detail(run, step))
