"""Pools: what a team wants of its agents."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from django.db import models

from aflow_site.kernel.ids import new_id
from pools.domain.placement import LONGEST_ZONE, Place, Recipe
from pools.domain.problems import LONGEST_SENTENCE, ProblemKind
from pools.domain.settings import (
    DEFAULTS,
    Assignment,
    Capacity,
    Isolation,
    Network,
    ScaleDownOrder,
    template_of,
)


def _choices(options: type[StrEnum]) -> list[tuple[str, str]]:
    return [(option.value, option.value) for option in options]


class Pool(models.Model):
    """`target_size` is the size wanted now (0 ≤ it ≤ max_size); `workflow` names the workflow whose document
    made this pool, or is null for pools made by people. Times in seconds."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="pools")
    name = models.CharField(max_length=128)  # by the pattern of `domain.names`
    image = models.CharField(max_length=255)
    # The image need not speak the agent contract: the built-in agent serves in it, and runs commands.
    commands = models.BooleanField(default=DEFAULTS["commands"])
    # Packages that the built-in agent's image gets, in their canonical form and order.
    requirements = models.JSONField(default=list, blank=True)
    min_size = models.PositiveIntegerField(default=DEFAULTS["min_size"])
    max_size = models.PositiveIntegerField(default=DEFAULTS["max_size"])
    warm_up = models.BooleanField(default=DEFAULTS["warm_up"])
    max_uses = models.PositiveIntegerField(default=DEFAULTS["max_uses"])
    idle_timeout = models.FloatField(default=DEFAULTS["idle_timeout"])
    # Leases at once on one agent, if it says that it can.
    concurrency = models.PositiveIntegerField(default=DEFAULTS["concurrency"])
    max_age = models.FloatField(default=DEFAULTS["max_age"])
    memory_threshold = models.FloatField(default=DEFAULTS["memory_threshold"])  # of `memory`
    error_threshold = models.PositiveIntegerField(default=DEFAULTS["error_threshold"])
    health_check_interval = models.FloatField(default=DEFAULTS["health_check_interval"])
    graceful_shutdown = models.FloatField(default=DEFAULTS["graceful_shutdown"])
    assignment = models.CharField(max_length=16, choices=_choices(Assignment), default=DEFAULTS["assignment"])
    scale_down_order = models.CharField(
        max_length=8, choices=_choices(ScaleDownOrder), default=DEFAULTS["scale_down_order"]
    )
    cpu = models.FloatField(default=DEFAULTS["cpu"])  # cores
    memory = models.PositiveBigIntegerField(default=DEFAULTS["memory"])  # bytes
    pids = models.PositiveIntegerField(default=DEFAULTS["pids"])
    env = models.JSONField(default=dict, blank=True)
    secrets = models.JSONField(default=list, blank=True)  # names; the values go into the environment
    network = models.CharField(max_length=16, choices=_choices(Network), default=DEFAULTS["network"])
    isolation = models.CharField(max_length=16, choices=_choices(Isolation), default=DEFAULTS["isolation"])
    capacity_type = models.CharField(
        max_length=16, choices=_choices(Capacity), default=DEFAULTS["capacity_type"]
    )
    zone = models.CharField(max_length=LONGEST_ZONE, blank=True, default=DEFAULTS["zone"])
    # Of an agent-hour, in the installation's currency.
    price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    weight = models.FloatField(default=1.0)  # of the owner, among the teams that share the pool
    target_size = models.PositiveIntegerField(default=0)
    workflow = models.CharField(max_length=255, null=True, blank=True)
    problem = models.CharField(max_length=LONGEST_SENTENCE, null=True, blank=True)
    problem_kind = models.CharField(
        max_length=16, choices=[(kind.value, kind.value) for kind in ProblemKind], null=True, blank=True
    )
    # Ends of its agents in a row (`domain.crash_loops`), for the controller that takes over; null: none.
    crash_loop = models.JSONField(null=True, blank=True, editable=False)
    drained_at = models.DateTimeField(null=True, blank=True)  # nobody gets a lease until it is resumed
    drain_by = models.DateTimeField(null=True, blank=True)  # leases that are left then are ended
    deleted_at = models.DateTimeField(null=True, blank=True)  # its row goes with its last agent
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "name"],
                condition=models.Q(deleted_at__isnull=True),
                name="pool_name_once_per_team",
            ),
            models.CheckConstraint(
                condition=models.Q(min_size__lte=models.F("max_size")), name="pool_min_not_above_max"
            ),
            models.CheckConstraint(condition=models.Q(max_size__gte=1), name="pool_max_at_least_one"),
            models.CheckConstraint(
                condition=models.Q(target_size__lte=models.F("max_size")), name="pool_target_not_above_max"
            ),
            models.CheckConstraint(condition=models.Q(max_uses__gte=1), name="pool_max_uses_at_least_one"),
            models.CheckConstraint(condition=models.Q(idle_timeout__gt=0), name="pool_idle_timeout_positive"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in DEFAULTS}

    @property
    def place(self) -> Place:
        return Place("" if self.capacity_type == Capacity.ANY else self.capacity_type, self.zone)

    @property
    def recipe(self) -> Recipe:
        return self.recipe_of(self.image, self.place)

    def recipe_of(self, image: str, place: Place) -> Recipe:
        """Of an agent with an image that the pool had before, or at one of its places."""
        return Recipe(image, place, self.commands, tuple(self.requirements))

    @property
    def template(self) -> str:
        """What its agents are made of, in a digest."""
        return template_of({"image": self.image, **self.settings})


class PoolShare(models.Model):
    """That another team may lease from the pool, and the weight of its turns."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="shares")
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    weight = models.FloatField(default=1.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pool", "team"], name="pool_shared_once_with_a_team"),
            models.CheckConstraint(condition=models.Q(weight__gt=0), name="pool_share_weight_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.pool} for {self.team}"


class PoolUse(models.Model):
    """That a workflow's newest version counts on the team's pool of that name. Told by `workflows`."""

    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    pool = models.CharField(max_length=128)
    workflow = models.CharField(max_length=255)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "pool", "workflow"], name="pool_use_once_per_workflow")
        ]

    def __str__(self) -> str:
        return f"{self.workflow} uses {self.pool}"
