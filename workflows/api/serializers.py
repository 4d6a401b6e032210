"""What requests may hold, and what answers look like (the latter for the API's description)."""

from __future__ import annotations

from rest_framework import serializers

from aflow_site.api.serializers import Strict
from workflows.domain.document import PRIORITIES
from workflows.domain.states import RunState


class RunRequestSerializer(Strict):
    params = serializers.JSONField(required=False, default=dict)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=100), required=False, default=list, max_length=50
    )
    version = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1)
    priority = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=PRIORITIES[0],
        max_value=PRIORITIES[1],
    )


class RunErrorSerializer(serializers.Serializer):
    type = serializers.CharField()
    message = serializers.CharField()
    step = serializers.CharField(allow_null=True, required=False)
    traceback = serializers.CharField(allow_null=True)


class RunSummarySerializer(serializers.Serializer):
    id = serializers.UUIDField()
    workflow = serializers.CharField()
    version = serializers.IntegerField()
    state = serializers.ChoiceField([state.value for state in RunState])
    error = RunErrorSerializer(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    created_by = serializers.CharField()
    priority = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    duration_ms = serializers.FloatField(allow_null=True)


class RunStatsSerializer(serializers.Serializer):
    agents = serializers.IntegerField()
    leases = serializers.IntegerField()
    requests = serializers.IntegerField()
    lease_p50_ms = serializers.FloatField(allow_null=True)
    lease_p99_ms = serializers.FloatField(allow_null=True)


class ParentSerializer(serializers.Serializer):
    run = serializers.UUIDField()
    step = serializers.CharField()


class RunSerializer(RunSummarySerializer):
    params = serializers.JSONField()
    output = serializers.JSONField(allow_null=True)
    cancel_requested_at = serializers.DateTimeField(allow_null=True)
    pause_requested_at = serializers.DateTimeField(allow_null=True)
    deadline = serializers.DateTimeField(allow_null=True)
    parent = ParentSerializer(allow_null=True)
    origin = serializers.UUIDField(allow_null=True)
    trigger = serializers.UUIDField(allow_null=True)
    document = serializers.JSONField(allow_null=True)
    stats = RunStatsSerializer()


class CountsSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    running = serializers.IntegerField()


class StepSerializer(serializers.Serializer):
    id = serializers.CharField()
    type = serializers.CharField()
    state = serializers.CharField()
    attempts = serializers.IntegerField()
    input = serializers.JSONField(allow_null=True)
    output = serializers.JSONField(allow_null=True)
    error = serializers.JSONField(allow_null=True)
    counts = CountsSerializer()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    duration_ms = serializers.FloatField(allow_null=True)
    needs = serializers.ListField(child=serializers.CharField())
    pool = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    retry_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    progress = serializers.JSONField(allow_null=True)
    settings = serializers.JSONField(allow_null=True)
    child_run = serializers.UUIDField(allow_null=True)
    agent = serializers.CharField(allow_null=True)


class StepListSerializer(serializers.Serializer):
    results = StepSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class ItemSerializer(serializers.Serializer):
    index = serializers.IntegerField()
    state = serializers.CharField()
    attempts = serializers.IntegerField()
    input = serializers.JSONField(allow_null=True)
    output = serializers.JSONField(allow_null=True)
    error = serializers.JSONField(allow_null=True)
    agent = serializers.CharField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    duration_ms = serializers.FloatField(allow_null=True)


class EventSerializer(serializers.Serializer):
    seq = serializers.IntegerField()
    type = serializers.CharField()
    at = serializers.DateTimeField()
    data = serializers.JSONField()  # type: ignore[assignment]  # a field by the name of a property


class LogLineSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    step = serializers.CharField()
    item = serializers.IntegerField(allow_null=True)
    attempt = serializers.IntegerField()
    stream = serializers.CharField()
    text = serializers.CharField()


class WorkflowSummarySerializer(serializers.Serializer):
    name = serializers.CharField()
    description = serializers.CharField()
    version = serializers.IntegerField()
    steps = serializers.IntegerField()
    has_params = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    last_run = RunSummarySerializer(allow_null=True)


class WorkflowSerializer(serializers.Serializer):
    name = serializers.CharField()
    description = serializers.CharField()
    version = serializers.IntegerField()
    etag = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    document = serializers.JSONField()


class VersionSummarySerializer(serializers.Serializer):
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()


class VersionSerializer(VersionSummarySerializer):
    document = serializers.JSONField()


class ChangeSerializer(serializers.Serializer):
    path = serializers.CharField()
    kind = serializers.ChoiceField(["added", "removed", "changed"])
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class StepChangesSerializer(serializers.Serializer):
    """Ids of steps; those inside a loop as `loop.step`."""

    added = serializers.ListField(child=serializers.CharField())
    removed = serializers.ListField(child=serializers.CharField())
    changed = serializers.ListField(child=serializers.CharField())


class DiffSerializer(serializers.Serializer):
    to = serializers.IntegerField()
    changes = ChangeSerializer(many=True)
    steps = StepChangesSerializer()
    text = serializers.CharField(allow_null=True, help_text="Unified diff of both as YAML; null: too long")

    def get_fields(self) -> dict[str, serializers.Field]:
        return {"from": serializers.IntegerField(), **super().get_fields()}


class EstimateRequestSerializer(Strict):
    params = serializers.JSONField(required=False, help_text="Checked as for a run")
    version = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1)


class SpreadSerializer(serializers.Serializer):
    p50 = serializers.FloatField()
    p95 = serializers.FloatField()


class StepEstimateSerializer(serializers.Serializer):
    id = serializers.CharField()
    type = serializers.CharField()
    samples = serializers.IntegerField(help_text="In how many of the runs it ran")
    share = serializers.FloatField(allow_null=True, help_text="The same, of those that had it")
    duration_ms = SpreadSerializer(allow_null=True)
    attempts = SpreadSerializer(allow_null=True)
    items = SpreadSerializer(allow_null=True)
    agent_seconds = SpreadSerializer(allow_null=True)
    cost = SpreadSerializer(allow_null=True, help_text="null: its pool has no price")
    reason = serializers.CharField(allow_null=True, help_text="Why there are no figures")


class EstimateSerializer(serializers.Serializer):
    workflow = serializers.CharField()
    version = serializers.IntegerField()
    runs_considered = serializers.IntegerField()
    duration_ms = SpreadSerializer(allow_null=True, help_text="Along the critical path")
    observed_ms = SpreadSerializer(allow_null=True, help_text="What the runs took as a whole")
    agent_seconds = SpreadSerializer(allow_null=True)
    cost = SpreadSerializer(allow_null=True, help_text="Of the steps whose pools have a price")
    currency = serializers.CharField()
    critical_path = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField(allow_null=True, help_text="What is missing from the figures")
    steps = StepEstimateSerializer(many=True)


class FaultSerializer(serializers.Serializer):
    path = serializers.CharField()
    message = serializers.CharField()
    step = serializers.CharField(allow_null=True)


class ValidationSerializer(serializers.Serializer):
    valid = serializers.BooleanField()
    errors = FaultSerializer(many=True)  # type: ignore[assignment]  # the same


class BundleSerializer(serializers.Serializer):
    sha256 = serializers.CharField()
    size = serializers.IntegerField()
