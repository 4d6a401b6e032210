"""Requests to deployed agents, stored before anything of them is sent."""

from __future__ import annotations

from django.db import models

from aflow_site.kernel.ids import new_id
from pools.domain.requests import RequestState


class AgentRequest(models.Model):
    """`number` is the order of arrival, in which an agent gets them. `held_by` and `held_until` are the claim
    of whoever delivers it: a fence for its result, and an end when it dies.

    `headers` and `response_headers` are lists of [name, value]. `whole` is False where the body was streamed
    through: it is not here, and the request cannot be sent again.
    """

    number = models.BigAutoField(primary_key=True)
    id = models.UUIDField(default=new_id, unique=True, editable=False)
    agent = models.ForeignKey("pools.DeployedAgent", on_delete=models.CASCADE, related_name="requests")
    method = models.CharField(max_length=16)
    path = models.CharField(max_length=8192)  # with the query
    headers = models.JSONField(default=list)
    body = models.BinaryField(default=b"")
    whole = models.BooleanField(default=True)
    created_by = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField()

    state = models.CharField(max_length=16, choices=[(state.value, state.value) for state in RequestState])
    reason = models.CharField(max_length=32, null=True, blank=True)  # why it failed
    attempts = models.PositiveIntegerField(default=0)  # how often it was claimed to be sent
    replays = models.PositiveIntegerField(default=0)  # how often somebody asked for it to be sent again
    held_by = models.CharField(max_length=64, blank=True, default="")
    held_until = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    response_status = models.PositiveIntegerField(null=True, blank=True)
    response_headers = models.JSONField(default=list)
    response_body = models.BinaryField(default=b"")
    response_size = models.BigIntegerField(default=0)  # bytes; more than are kept, when it was cut

    class Meta:
        ordering = ["-number"]
        indexes = [
            models.Index(fields=["agent", "state", "number"], name="request_agent_state"),
            models.Index(fields=["state", "held_until"], name="request_held"),
            models.Index(fields=["finished_at"], name="request_finished"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in RequestState]),
                name="request_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({self.state})"
