"""Runs and everything recorded of them. The rows are the truth; whoever holds the run's fence writes them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from aflow_site.kernel.ids import new_id
from workflows.domain.states import RUN_FINAL, RunState, StepState

RUN_STATES = [(state.value, state.value) for state in RunState]
STEP_STATES = [(state.value, state.value) for state in StepState]


class Run(models.Model):
    """`claimed_by` and `fence` name the one executor that may advance the run: each claim raises the fence,
    and every write of a holder is conditional on it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="runs")
    workflow = models.ForeignKey("workflows.Workflow", on_delete=models.CASCADE, related_name="runs")
    version = models.ForeignKey("workflows.WorkflowVersion", on_delete=models.PROTECT, related_name="runs")
    state = models.CharField(max_length=16, choices=RUN_STATES, default=RunState.PENDING)
    params = models.JSONField(default=dict)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    created_by = models.CharField(max_length=150, blank=True, default="")
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)
    request_hash = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    claimed_by = models.UUIDField(null=True)
    fence = models.PositiveBigIntegerField(default=0)
    last_seq = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="run_once_per_idempotency_key",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in RunState]), name="run_state_known"
            ),
        ]
        indexes = [
            models.Index(fields=["team", "-created_at"], name="run_newest"),
            models.Index(fields=["workflow", "-created_at"], name="run_newest_of_workflow"),
            models.Index(
                fields=["claimed_by"],
                condition=~Q(state__in=sorted(state.value for state in RUN_FINAL)),
                name="run_live",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class RunTag(models.Model):
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="tags")
    tag = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "tag"], name="tag_once_per_run")]
        indexes = [models.Index(fields=["tag"], name="run_tag")]

    def __str__(self) -> str:
        return self.tag


class Step(models.Model):
    """A step of one run. A map's output is not stored here: it is the outputs of its items, in order."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    key = models.CharField(max_length=63, help_text="The step's id in the document")
    position = models.PositiveIntegerField()
    type = models.CharField(max_length=16)
    pool = models.CharField(max_length=63, blank=True, default="")
    state = models.CharField(max_length=16, choices=STEP_STATES, default=StepState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    losses = models.PositiveSmallIntegerField(default=0, help_text="Attempts that lost their agent")
    retry_at = models.DateTimeField(null=True)
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    agent_id = models.UUIDField(null=True)
    total = models.PositiveIntegerField(default=0)
    completed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    usage = models.JSONField(default=dict, help_text="Leases, agents and lease waits of this step")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "key"], name="step_once_per_run"),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in StepState]), name="step_state_known"
            ),
        ]
        ordering = ["position"]

    def __str__(self) -> str:
        return self.key


class Item(models.Model):
    """One element of a map's list. Rows are made in pages, as the map proceeds."""

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="items")
    index = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=STEP_STATES, default=StepState.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    losses = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    agent_id = models.UUIDField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["step", "index"], name="item_once_per_step"),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in StepState]), name="item_state_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step}[{self.index}]"


class Event(models.Model):
    """The ordered log of a run: `seq` counts from 1 without gaps."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveBigIntegerField()
    type = models.CharField(max_length=40)
    at = models.DateTimeField()
    data = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="event_seq_once_per_run")]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


class LogLine(models.Model):
    """A line that a step's body printed or logged."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="log_lines")
    step = models.CharField(max_length=63)
    item = models.PositiveIntegerField(null=True)
    attempt = models.PositiveIntegerField()
    at = models.DateTimeField()
    stream = models.CharField(max_length=8)
    text = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["run", "step", "item"], name="log_of_run")]

    def __str__(self) -> str:
        return self.text[:80]
