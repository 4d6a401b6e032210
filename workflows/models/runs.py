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
    and every write of a holder is conditional on it.

    A run is `parked` while there is nothing to do for it (paused, or everything in it waits): nobody drives
    it until `wake_at`, or until somebody has news for it. News count up `wakes`, so that a driver cannot park
    a run over news that it has not seen.
    """

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
    deadline = models.DateTimeField(null=True, help_text="When the run's own time-out ends it")
    priority = models.SmallIntegerField(default=0)
    max_concurrent = models.PositiveIntegerField(
        null=True, help_text="How many runs of its workflow may be under way with it"
    )
    document = models.JSONField(null=True, help_text="Instead of the version's: the trial of one step")
    parent_step = models.ForeignKey(
        "workflows.Step", on_delete=models.CASCADE, null=True, related_name="children"
    )
    parent_attempt = models.PositiveIntegerField(null=True)
    depth = models.PositiveSmallIntegerField(default=0, help_text="How many runs stand above it")
    origin = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="+", help_text="The run it repeats"
    )
    trigger = models.ForeignKey(
        "workflows.Trigger", on_delete=models.SET_NULL, null=True, related_name="runs"
    )
    pause_requested_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    parked = models.BooleanField(default=False)
    wake_at = models.DateTimeField(null=True)
    wakes = models.PositiveBigIntegerField(default=0)
    claimed_by = models.UUIDField(null=True)
    fence = models.PositiveBigIntegerField(default=0)
    last_seq = models.PositiveBigIntegerField(default=0)
    charged = models.JSONField(default=dict, help_text="Pool -> [ms, billionths] that the ledger has of it")
    charged_at = models.DateTimeField(null=True, help_text="When the ledger was told, after its end")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="run_once_per_idempotency_key",
            ),
            models.UniqueConstraint(
                fields=["parent_step", "parent_attempt"],
                condition=Q(parent_step__isnull=False),
                name="run_once_per_attempt_of_its_parent",
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
            models.Index(fields=["finished_at"], name="run_by_end"),
            models.Index(
                fields=["finished_at"],
                condition=Q(charged_at__isnull=True, finished_at__isnull=False),
                name="run_uncharged",
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
    """A step of one run. A map's output is not stored here: it is the outputs of its items, in order.

    `excused` attempts do not count against the retry policy: the platform interrupted them, or they belong
    to a time before the run was retried by hand.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    key = models.CharField(
        max_length=255, help_text="The step's id in the document; `loop.3.id` for a loop's fourth iteration"
    )
    position = models.PositiveIntegerField()
    type = models.CharField(max_length=16)
    pool = models.CharField(max_length=128, blank=True, default="")
    state = models.CharField(max_length=16, choices=STEP_STATES, default=StepState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    losses = models.PositiveSmallIntegerField(default=0, help_text="Attempts that lost their agent")
    excused = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True, help_text="When its waiting ends by itself")
    reason = models.CharField(max_length=24, blank=True, default="", help_text="Why it was skipped")
    progress = models.JSONField(null=True, help_text="What its body last told of how far it is")
    overrides = models.JSONField(null=True, help_text="Settings changed while it runs")
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
    excused = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    cause = models.CharField(max_length=40, null=True, help_text="Groups failures of one kind")
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
        indexes = [
            models.Index(fields=["step", "cause"], condition=Q(cause__isnull=False), name="item_failures"),
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
    step = models.CharField(max_length=255)
    item = models.PositiveIntegerField(null=True)
    attempt = models.PositiveIntegerField()
    at = models.DateTimeField()
    stream = models.CharField(max_length=8)
    text = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["run", "step", "item"], name="log_of_run")]

    def __str__(self) -> str:
        return self.text[:80]


class RunMessage(models.Model):
    """What people and programs send to a run: decisions of approvals, and events that a step may wait for.

    `taken_by` is the step that used it; the driver writes that together with what follows from it.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="messages")
    kind = models.CharField(max_length=16, choices=[("decision", "decision"), ("signal", "signal")])
    name = models.CharField(max_length=255, help_text="The step of a decision, the name of a signal")
    payload = models.JSONField(null=True)
    author = models.CharField(max_length=150)
    at = models.DateTimeField()
    taken_by = models.CharField(max_length=255, null=True)

    class Meta:
        indexes = [models.Index(fields=["run", "kind", "name"], name="message_of_run")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class RunValue(models.Model):
    """One key of a run's state, which its steps share. `version` counts its changes."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="values")
    key = models.CharField(max_length=200)
    value = models.JSONField(null=True)
    version = models.PositiveBigIntegerField(default=1)
    updated_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="value_once_per_run")]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(expires_at__isnull=False), name="value_by_expiry")
        ]

    def __str__(self) -> str:
        return self.key
