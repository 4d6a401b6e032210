"""The shapes of pools and agents in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aflow_site.api.serializers import Strict
from aflow_site.kernel.requirements import LONGEST as LONGEST_REQUIREMENT
from aflow_site.kernel.requirements import MOST as MOST_REQUIREMENTS
from pools.domain.agents import PublicState
from pools.domain.deployments import DeployedState
from pools.domain.limits import LONGEST_IDLE, LONGEST_IMAGE, MOST_AGENTS, MOST_USES
from pools.domain.names import NAME_RULE
from pools.domain.nodes import CapacityType, NodeState
from pools.domain.placement import LONGEST_ZONE
from pools.domain.problems import ProblemKind
from pools.domain.settings import PRESETS, Assignment, Capacity, Isolation, Network, ScaleDownOrder

KINDS = ["pooled", "deployed"]
POOL_PRESETS = list(PRESETS)
CAPACITY_TYPES = [choice.value for choice in Capacity]
NODE_CAPACITY_TYPES = [kind.value for kind in CapacityType]
STATES = list(
    dict.fromkeys([*(state.value for state in PublicState), *(state.value for state in DeployedState)])
)


class StatesSerializer(serializers.Serializer[Any]):
    starting = serializers.IntegerField()
    idle = serializers.IntegerField()
    active = serializers.IntegerField()
    draining = serializers.IntegerField()
    unhealthy = serializers.IntegerField()


class ShareSerializer(Strict):
    team = serializers.SlugField()
    weight = serializers.FloatField(default=1.0)


class PoolSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    team = serializers.SlugField(help_text="Whose it is: another's, if that shares it with this one")
    name = serializers.CharField()
    image = serializers.CharField()
    commands = serializers.BooleanField(help_text="The built-in agent serves in the image, and runs commands")
    requirements = serializers.ListField(
        child=serializers.CharField(), help_text="Packages that its agents have, such as requests==2.32.3"
    )
    min_size = serializers.IntegerField()
    max_size = serializers.IntegerField()
    warm_up = serializers.BooleanField()
    idle_timeout = serializers.FloatField(help_text="Seconds an agent above min_size may be idle")
    max_uses = serializers.IntegerField(help_text="Requests after which an agent is replaced")
    preset = serializers.CharField(allow_null=True, help_text="The preset whose values these are, if any")
    concurrency = serializers.IntegerField(help_text="Leases at once on one agent, if it says it can")
    max_age = serializers.FloatField(help_text="Seconds after which an agent is replaced")
    memory_threshold = serializers.FloatField(help_text="Share of its memory above which it is replaced")
    error_threshold = serializers.IntegerField(
        help_text="Leases in a row that end with an error before it is replaced; 0: any number"
    )
    health_check_interval = serializers.FloatField(help_text="Seconds between checks of idle agents")
    graceful_shutdown = serializers.FloatField(help_text="Seconds that one that leaves gets to finish")
    assignment = serializers.ChoiceField(choices=[choice.value for choice in Assignment])
    scale_down_order = serializers.ChoiceField(choices=[choice.value for choice in ScaleDownOrder])
    cpu = serializers.FloatField(help_text="Cores")
    memory = serializers.IntegerField(help_text="Bytes")
    pids = serializers.IntegerField()
    env = serializers.DictField(
        child=serializers.CharField(allow_blank=True), help_text="Not told of another team's pool"
    )
    secrets = serializers.ListField(
        child=serializers.CharField(), help_text="Names of the team's secrets that agents get as variables"
    )
    network = serializers.ChoiceField(choices=[choice.value for choice in Network])
    isolation = serializers.ChoiceField(choices=[choice.value for choice in Isolation])
    capacity_type = serializers.ChoiceField(
        choices=CAPACITY_TYPES, help_text="The kind of node that agents run on"
    )
    zone = serializers.CharField(help_text="Of the nodes that agents run on; empty: any")
    price = serializers.FloatField(allow_null=True, help_text="Of an agent-hour; null: by its nodes")
    rate = serializers.FloatField(help_text="What an agent-hour costs now: its price, or else by its nodes")
    drained = serializers.BooleanField(help_text="Nobody gets a lease until it is resumed")
    weight = serializers.FloatField(help_text="Of the owner's turns, where teams share the pool")
    shares = ShareSerializer(many=True, help_text="Other teams that may lease, and their weights")
    states = StatesSerializer()
    utilization = serializers.FloatField(help_text="Active agents among those idle or active, 0 to 1")
    waiting = serializers.IntegerField(help_text="Acquires in the queue")
    waiting_since = serializers.DateTimeField(allow_null=True, help_text="Of the first in the queue")
    wait_estimate = serializers.FloatField(
        allow_null=True, help_text="Seconds that whoever asks now will wait; null: not known"
    )
    leases = serializers.IntegerField(help_text="Live leases")
    target_size = serializers.IntegerField()
    standby = serializers.IntegerField(
        help_text="Agents beyond the target, ready for others whose uses may be up soon"
    )
    wait_p50_ms = serializers.FloatField(allow_null=True)
    wait_p99_ms = serializers.FloatField(allow_null=True)
    problem = serializers.CharField(allow_null=True, help_text="Why agents cannot be made, in a sentence")
    problem_kind = serializers.ChoiceField(
        choices=[kind.value for kind in ProblemKind],
        allow_null=True,
        help_text="Whether the engine is away (wait), no node is where the pool wants its agents, or they do "
        "not start",
    )
    workflow = serializers.CharField(allow_null=True, help_text="Whose document made this pool")


class PoolListSerializer(serializers.Serializer[Any]):
    results = PoolSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class PoolSettingsSerializer(Strict):
    """What people may set; all optional. Limits that depend on each other are checked by the service."""

    image = serializers.CharField(required=False, max_length=LONGEST_IMAGE)
    commands = serializers.BooleanField(
        required=False,
        help_text="The image need not speak the agent contract: the built-in agent serves in it, and runs "
        "commands",
    )
    requirements = serializers.ListField(
        required=False,
        child=serializers.CharField(max_length=LONGEST_REQUIREMENT),
        max_length=MOST_REQUIREMENTS,
        help_text="Python packages that the built-in agent's image gets, such as requests==2.32.3",
    )
    min_size = serializers.IntegerField(required=False, min_value=0, max_value=MOST_AGENTS)
    max_size = serializers.IntegerField(required=False, min_value=1, max_value=MOST_AGENTS)
    warm_up = serializers.BooleanField(required=False)
    idle_timeout = serializers.FloatField(required=False, max_value=LONGEST_IDLE)
    max_uses = serializers.IntegerField(required=False, min_value=1, max_value=MOST_USES)
    preset = serializers.ChoiceField(required=False, choices=POOL_PRESETS)
    concurrency = serializers.IntegerField(required=False)
    max_age = serializers.FloatField(required=False)
    memory_threshold = serializers.FloatField(required=False)
    error_threshold = serializers.IntegerField(required=False)
    health_check_interval = serializers.FloatField(required=False)
    graceful_shutdown = serializers.FloatField(required=False)
    assignment = serializers.ChoiceField(required=False, choices=[choice.value for choice in Assignment])
    scale_down_order = serializers.ChoiceField(
        required=False, choices=[choice.value for choice in ScaleDownOrder]
    )
    cpu = serializers.FloatField(required=False)
    memory = serializers.IntegerField(required=False)
    pids = serializers.IntegerField(required=False)
    env = serializers.DictField(required=False, child=serializers.CharField(allow_blank=True))
    secrets = serializers.ListField(required=False, child=serializers.CharField())
    network = serializers.ChoiceField(required=False, choices=[choice.value for choice in Network])
    isolation = serializers.ChoiceField(required=False, choices=[choice.value for choice in Isolation])
    capacity_type = serializers.ChoiceField(required=False, choices=CAPACITY_TYPES)
    zone = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_ZONE)
    price = serializers.FloatField(required=False, allow_null=True, help_text="Of an agent-hour")
    weight = serializers.FloatField(required=False)
    shares = ShareSerializer(many=True, required=False)

    def validate_shares(self, shares: list[dict[str, Any]]) -> dict[str, float]:
        return {share["team"]: share["weight"] for share in shares}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if unknown:
            known = ", ".join(sorted(self.fields))
            raise serializers.ValidationError(
                dict.fromkeys(unknown, f"There is no such setting; there are {known}.")
            )
        return attrs


class NewPoolSerializer(PoolSettingsSerializer):
    name = serializers.CharField(help_text=NAME_RULE)


class ResizeSerializer(Strict):
    min_size = serializers.IntegerField(min_value=0, max_value=MOST_AGENTS)
    max_size = serializers.IntegerField(min_value=1, max_value=MOST_AGENTS)


class WarmSerializer(Strict):
    size = serializers.IntegerField(min_value=0, max_value=MOST_AGENTS)


class DrainSerializer(Strict):
    within = serializers.FloatField(
        default=None,
        allow_null=True,
        min_value=0,
        max_value=30 * 86400,
        help_text="Seconds after which the leases that are left are ended; null: they finish",
    )


class AgentSerializer(serializers.Serializer[Any]):
    """A pool's agent, or a deployed one (which has more to tell: its own address does)."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=KINDS)
    name = serializers.CharField(required=False, help_text="Of a deployed one")
    pool = serializers.CharField(allow_null=True, help_text="null: it was deployed by hand")
    state = serializers.ChoiceField(choices=STATES)
    health = serializers.ChoiceField(choices=["ok", "unknown", "failing"])
    uses = serializers.IntegerField()
    last_used = serializers.DateTimeField(allow_null=True)
    container = serializers.CharField(help_text="The runtime's own name for it")
    node = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    end_reason = serializers.CharField(allow_null=True)


class CapacitySerializer(serializers.Serializer[Any]):
    cpus = serializers.FloatField()
    memory = serializers.IntegerField(help_text="Bytes")


class NodeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    address = serializers.CharField()
    state = serializers.ChoiceField(choices=[state.value for state in NodeState])
    capacity = CapacitySerializer()
    price = serializers.FloatField(allow_null=True, help_text="Per hour; null when no label tells it")
    on_demand_price = serializers.FloatField(
        allow_null=True, help_text="Of such a machine on demand, per hour; null when it is not known"
    )
    idle_price = serializers.FloatField(
        allow_null=True, help_text="Per hour, for the part of it that no agent has; null without a price"
    )
    capacity_type = serializers.ChoiceField(choices=NODE_CAPACITY_TYPES)
    zone = serializers.CharField(help_text="Empty when no label tells it")
    agents = serializers.IntegerField(help_text="Live agents of all teams, deployed ones too")
    note = serializers.CharField(help_text="What is wrong with it, in sentences; empty when nothing is")
    changed_at = serializers.DateTimeField(help_text="When its state last changed")
    leave_by = serializers.DateTimeField(allow_null=True, help_text="Its cloud takes it away then")


class NoticeSerializer(Strict):
    """What instance metadata says of a machine that is taken away."""

    action = serializers.CharField(required=False, max_length=16, help_text="terminate, stop or hibernate")
    time = serializers.CharField(
        required=False, max_length=64, help_text="When, in ISO 8601; in two minutes when left out"
    )


class NodeListSerializer(serializers.Serializer[Any]):
    results = NodeSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class AdvisedFigureSerializer(serializers.Serializer[Any]):
    now = serializers.FloatField(help_text="What is set")
    advised = serializers.FloatField(allow_null=True, help_text="null: too little is known yet")
    samples = serializers.IntegerField()
    p50 = serializers.FloatField(allow_null=True, help_text="Of what was used")
    p90 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    differs = serializers.BooleanField(help_text="By so much that it is worth new agents")


class AdvisedChangesSerializer(serializers.Serializer[Any]):
    cpu = serializers.FloatField(required=False)
    memory = serializers.IntegerField(required=False)


class AdviceSerializer(serializers.Serializer[Any]):
    pool = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True, help_text="When the first sample came")
    cpu = AdvisedFigureSerializer(help_text="Cores, while leased")
    memory = AdvisedFigureSerializer(help_text="Bytes")
    sentence = serializers.CharField()
    changes = AdvisedChangesSerializer(help_text="What applying it would set; empty: nothing")
