"""Agents, and the epoch that fences everything from before a loss of Redis."""

from __future__ import annotations

from django.db import models

from aflow_site.kernel.ids import new_id
from pools.domain.agents import AgentState, EndReason
from pools.domain.placement import Place
from pools.models.pools import Pool

STATE_CHOICES = [(state.value, state.value) for state in AgentState]
REASON_CHOICES = [(reason.value, reason.value) for reason in EndReason]


class Agent(models.Model):
    """One container or process. Written by the controller alone (`services.agents`).

    `nonce` is part of its token and its labels; `boot` is what the agent itself answered on /health.
    `pool` is null once the pool's row is gone; `pool_name` stays for the record.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    pool = models.ForeignKey("pools.Pool", on_delete=models.SET_NULL, null=True, related_name="agents")
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="agents")
    pool_name = models.CharField(max_length=128)
    state = models.CharField(max_length=16, choices=STATE_CHOICES, default=AgentState.REQUESTED.value)
    image = models.CharField(max_length=255, default="")  # the pool's, when this agent was asked for
    template = models.CharField(max_length=32, default="")  # what it was made of (`Pool.template`)
    nonce = models.CharField(max_length=32)
    boot = models.CharField(max_length=128, blank=True, default="")
    address = models.CharField(max_length=128, blank=True, default="")  # host:port
    container = models.CharField(max_length=128, blank=True, default="")  # the runtime's own name for it
    node = models.CharField(max_length=128, blank=True, default="")
    # The kind of node that it was asked for on; empty: what its pool says.
    capacity_type = models.CharField(max_length=16, blank=True, default="")
    epoch = models.BigIntegerField(default=0)  # of the controller that made it
    uses = models.PositiveIntegerField(default=0)
    last_used = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField()  # when it was asked for
    ready_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=20, choices=REASON_CHOICES, null=True, blank=True)

    class Meta:
        ordering = ["-started_at"]
        indexes = [
            models.Index(fields=["pool", "state"], name="agent_pool_state"),
            models.Index(fields=["team", "-started_at"], name="agent_team_started"),
            models.Index(fields=["-ended_at"], name="agent_ended"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in AgentState]), name="agent_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state="gone", ended_at__isnull=False)
                | (~models.Q(state="gone") & models.Q(ended_at__isnull=True)),
                name="agent_gone_has_an_end",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def place_in(self, pool: Pool) -> Place:
        """Where it may run."""
        return Place(self.capacity_type or pool.place.capacity_type, pool.zone)


class EndedAgents(models.Model):
    """How many agents of a pool have ever ended for a reason, and how many seconds they lived together (each
    from when it was asked for to its end). Stays when their rows are pruned, and when the pool is deleted and
    made again; written together with an agent's end (`services.agents`)."""

    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="ended_agents")
    pool_name = models.CharField(max_length=128)
    reason = models.CharField(max_length=20, choices=REASON_CHOICES)
    number = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "pool_name", "reason"], name="ended_agents_once"),
        ]

    def __str__(self) -> str:
        return f"{self.pool_name}: {self.number} by {self.reason}"


class PoolEpoch(models.Model):
    """One row for each installation: who leads, and how high fences have gone.

    `epoch` rises whenever Redis is rebuilt; fences of an epoch start above `epoch * 2**32`, hence above all
    fences ever given out, even those after the last save of `fence_high_water`.
    """

    instance = models.CharField(max_length=64, primary_key=True)
    epoch = models.BigIntegerField(default=0)
    fence_high_water = models.BigIntegerField(default=0)
    leader = models.CharField(max_length=64, blank=True, default="")
    leader_since = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.instance}: epoch {self.epoch}"
