"""What requests may hold, and what answers look like (the latter for the API's description)."""

from __future__ import annotations

from rest_framework import serializers


class RunRequestSerializer(serializers.Serializer):
    params = serializers.JSONField(required=False, default=dict)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=100), required=False, default=list, max_length=50
    )
    version = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1)

    def to_internal_value(self, data):  # type: ignore[no-untyped-def]
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError(
                dict.fromkeys(unknown, "This field is not known; a run takes params, tags and version.")
            )
        return super().to_internal_value(data)


class RunErrorSerializer(serializers.Serializer):
    type = serializers.CharField()
    message = serializers.CharField()
    step = serializers.CharField(allow_null=True, required=False)
    traceback = serializers.CharField(allow_null=True)


class RunSummarySerializer(serializers.Serializer):
    id = serializers.UUIDField()
    workflow = serializers.CharField()
    version = serializers.IntegerField()
    state = serializers.ChoiceField(["pending", "running", "completed", "failed", "cancelled"])
    error = RunErrorSerializer(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    created_by = serializers.CharField()
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


class RunSerializer(RunSummarySerializer):
    params = serializers.JSONField()
    output = serializers.JSONField(allow_null=True)
    cancel_requested_at = serializers.DateTimeField(allow_null=True)
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
    agent = serializers.CharField(allow_null=True)


class StepListSerializer(serializers.Serializer):
    results = StepSerializer(many=True)


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
