"""Agents that people deploy by hand, outside any pool."""

from __future__ import annotations

from django.db import models

from aflow_site.kernel.ids import new_id
from pools.domain.deployments import DeployedState, Desired, Health
from pools.domain.settings import Network


def _choices(
    kind: type[DeployedState] | type[Desired] | type[Health] | type[Network],
) -> list[tuple[str, str]]:
    return [(member.value, member.value) for member in kind]


class DeployedAgent(models.Model):
    """The first half is what people want (written by `services.deployments.definitions`), the second what is
    the case (written by the keeper, through `services.deployments.rows`).

    `env` maps a name to its value, or to {"secret": NAME}; values of secrets are never here. `nonce` is part
    of the agent's token. A container is of `generation`, or is replaced. `restart_asked` counts wishes to
    restart, `restart_done` those that were met.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="deployed_agents")
    name = models.CharField(max_length=63)
    image = models.CharField(max_length=255)
    port = models.PositiveIntegerField(default=8000)
    env = models.JSONField(default=dict)
    cpu = models.FloatField(default=1.0)
    memory = models.BigIntegerField(default=512 * 1024**2)  # bytes
    volumes = models.JSONField(default=list)
    network = models.CharField(max_length=16, choices=_choices(Network), default=Network.ISOLATED.value)
    health_check = models.JSONField(null=True)  # None: running is healthy enough
    auto_restart = models.BooleanField(default=True)
    desired = models.CharField(max_length=16, choices=_choices(Desired), default=Desired.RUNNING.value)
    remove_volumes = models.BooleanField(default=False)  # with the agent
    generation = models.PositiveIntegerField(default=1)
    restart_asked = models.PositiveIntegerField(default=0)
    nonce = models.CharField(max_length=32)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)

    state = models.CharField(
        max_length=16, choices=_choices(DeployedState), default=DeployedState.CREATED.value
    )
    health = models.CharField(max_length=16, choices=_choices(Health), default=Health.UNKNOWN.value)
    container = models.CharField(max_length=128, blank=True, default="")
    address = models.CharField(max_length=128, blank=True, default="")  # host:port
    node = models.CharField(max_length=128, blank=True, default="")
    problem = models.CharField(max_length=500, null=True, blank=True)  # a sentence, while something is wrong
    started_at = models.DateTimeField(null=True, blank=True)  # its container, the last time
    restarts = models.PositiveIntegerField(default=0)  # that were not asked for, ever
    restart_done = models.PositiveIntegerField(default=0)
    deaths = models.PositiveIntegerField(default=0)  # in a row, since it was well for a while
    start_at = models.DateTimeField(null=True, blank=True)  # the next start by itself
    exit_code = models.IntegerField(null=True, blank=True)
    exit_reason = models.CharField(max_length=300, null=True, blank=True)
    exited_at = models.DateTimeField(null=True, blank=True)
    uses = models.PositiveBigIntegerField(default=0)  # requests that it answered
    last_used = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "name"],
                condition=~models.Q(desired="removed"),
                name="deployed_name_once_per_team",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in DeployedState]),
                name="deployed_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(desired__in=[wish.value for wish in Desired]),
                name="deployed_desired_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name
