"""What can be set of a pool: names, defaults, presets, limits; and what an agent is made of.

Times in seconds, memory in bytes, CPU in cores.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from aflow_site.kernel.errors import Fault
from aflow_site.kernel.requirements import canonical_all
from pools.domain.limits import faults_of as faults_of_sizes
from pools.domain.placement import ZONE, ZONE_RULE

# The image of agents that run `code`, `handler` and `command` steps; runtimes build or provide it themselves.
BUILT_IN_IMAGE = "agentainer/python-agent"
DAY = 86400.0
MIB = 1024**2


class Assignment(StrEnum):
    """Which of several free agents the next lease gets."""

    LIFO = "lifo"  # the one that came free last: the others may reach their idle time-out
    ROUND_ROBIN = "round_robin"  # the one that has been free for longest
    LEAST_USED = "least_used"


class ScaleDownOrder(StrEnum):
    """Which idle agents leave first."""

    LRU = "lru"  # idle for longest
    FIFO = "fifo"  # oldest
    LIFO = "lifo"  # newest


class Network(StrEnum):
    ISOLATED = "isolated"
    EGRESS = "egress"  # the outside, too


class Capacity(StrEnum):
    """The kind of node that agents run on."""

    ANY = "any"
    ON_DEMAND = "on_demand"
    SPOT = "spot"  # may be taken away at short notice


class Isolation(StrEnum):
    """Of teams that share a pool."""

    TENANT = "tenant"  # an agent serves one team until it ends
    SHARED = "shared"  # and any other after it


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings with their defaults. `commands`: the built-in agent serves in the image, whatever that is,
    and runs commands. `requirements`: packages that the built-in agent's image gets, in their canonical form.
    `error_threshold` counts leases in a row that end with an error (0: any number). `graceful_shutdown` is
    what an agent that must leave gets to finish by itself."""

    min_size: int = 0
    max_size: int = 10
    commands: bool = False
    requirements: tuple[str, ...] = ()
    warm_up: bool = True
    concurrency: int = 1
    idle_timeout: float = 300.0
    max_uses: int = 100
    max_age: float = 4 * 3600.0
    memory_threshold: float = 0.9
    error_threshold: int = 5
    health_check_interval: float = 30.0
    graceful_shutdown: float = 10.0
    assignment: str = Assignment.LIFO.value
    scale_down_order: str = ScaleDownOrder.LRU.value
    cpu: float = 1.0
    memory: int = 512 * MIB
    pids: int = 256
    env: Mapping[str, str] | None = None
    secrets: tuple[str, ...] = ()
    network: str = Network.ISOLATED.value
    isolation: str = Isolation.TENANT.value
    capacity_type: str = Capacity.ANY.value
    zone: str = ""  # empty: any


# As rows and JSON hold them.
DEFAULTS: Mapping[str, Any] = {
    **{field.name: getattr(Settings(), field.name) for field in fields(Settings)},
    "env": {},
    "requirements": [],
    "secrets": [],
}

# What a preset sets, unless it is set by itself.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "aggressive": {
        "idle_timeout": 60.0,
        "max_uses": 50,
        "max_age": 3600.0,
        "memory_threshold": 0.8,
        "error_threshold": 3,
    },
    "balanced": {
        "idle_timeout": 300.0,
        "max_uses": 100,
        "max_age": 4 * 3600.0,
        "memory_threshold": 0.9,
        "error_threshold": 5,
    },
    "performance": {
        "idle_timeout": 1800.0,
        "max_uses": 500,
        "max_age": 24 * 3600.0,
        "memory_threshold": 0.95,
        "error_threshold": 10,
    },
}

# Agents made by other values of these are replaced when the pool changes.
TEMPLATE = (
    "image",
    "commands",
    "requirements",
    "concurrency",
    "cpu",
    "memory",
    "pids",
    "env",
    "secrets",
    "network",
    "capacity_type",
    "zone",
)

RANGES: Mapping[str, tuple[float, float, str]] = {
    "concurrency": (1, 100, ""),
    "max_age": (1, 365 * DAY, " seconds"),
    "memory_threshold": (0.05, 1, " of the memory limit"),
    "error_threshold": (0, 1000, ""),
    "health_check_interval": (1, 3600, " seconds"),
    "graceful_shutdown": (0, 3600, " seconds"),
    "cpu": (0.01, 1024, " cores"),
    "memory": (32 * MIB, 1024**4, " bytes"),
    "pids": (8, 100_000, ""),
}
CHOICES: Mapping[str, type[StrEnum]] = {
    "assignment": Assignment,
    "scale_down_order": ScaleDownOrder,
    "network": Network,
    "isolation": Isolation,
    "capacity_type": Capacity,
}
MOST_VARIABLES, LONGEST_VALUE = 100, 32_768
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
RESERVED = "AGENTAINER_"


def preset_of(settings: Mapping[str, Any]) -> str | None:
    """The preset whose values these are, if they are one's."""
    for name, values in PRESETS.items():
        if all(settings[key] == value for key, value in values.items()):
            return name
    return None


def template_of(values: Mapping[str, Any]) -> str:
    """A digest of what an agent is made of: `values` holds the settings and the image."""
    content = json.dumps([values[name] for name in TEMPLATE], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def faults_of(values: Mapping[str, Any]) -> list[Fault]:
    """Every fault of the settings and the image; all of them must be given."""
    faults = faults_of_sizes(values)
    if values["commands"] and values["image"] == BUILT_IN_IMAGE:
        sentence = "The built-in agent takes commands as it is; leave this off, or name another image."
        faults.append(Fault("commands", sentence))
    faults += _faults_of_requirements(values["requirements"], values["image"])
    for name, (low, high, unit) in RANGES.items():
        if not low <= values[name] <= high:
            faults.append(Fault(name, f"It must be between {low:g} and {high:g}{unit}."))
    for name, choices in CHOICES.items():
        known = [choice.value for choice in choices]
        if values[name] not in known:
            faults.append(Fault(name, f"It must be one of {', '.join(known)}."))
    if values["zone"] and not ZONE.fullmatch(values["zone"]):
        faults.append(Fault("zone", ZONE_RULE))
    return [*faults, *_faults_of_env(values["env"]), *_faults_of_secrets(values["secrets"], values["env"])]


def _faults_of_requirements(requirements: Sequence[str], image: str) -> list[Fault]:
    """Of their form; whether they can be installed is found out when an agent is made."""
    if requirements and image != BUILT_IN_IMAGE:
        sentence = "They go into the built-in agent's image; install them where your own image is built."
        return [Fault("requirements", sentence)]
    try:
        canonical_all(requirements)
    except ValueError as exc:
        sentence = str(exc)
        return [Fault("requirements", f"{sentence[:1].upper()}{sentence[1:]}.")]
    return []


def _faults_of_secrets(secrets: Sequence[str], env: Mapping[str, str]) -> list[Fault]:
    """Of their names; whether there are such secrets is found out when an agent is made."""
    faults = []
    if len(secrets) > MOST_VARIABLES or len(set(secrets)) < len(secrets):
        faults.append(Fault("secrets", f"It must name up to {MOST_VARIABLES} secrets, each once."))
    for name in secrets:
        if not _VARIABLE.match(name) or name.startswith(RESERVED):
            faults.append(Fault("secrets", f"{name!r} cannot name a secret."))
        elif name in env:
            faults.append(Fault("secrets", f"{name} is a variable of env already."))
    return faults


def _faults_of_env(env: Mapping[str, str]) -> list[Fault]:
    faults = []
    if len(env) > MOST_VARIABLES:
        faults.append(Fault("env", f"It must have at most {MOST_VARIABLES} variables."))
    for name, value in env.items():
        if not _VARIABLE.match(name):
            faults.append(Fault("env", f"{name!r} cannot name a variable; use letters, digits and _."))
        elif name.startswith(RESERVED):
            faults.append(Fault("env", f"{name} belongs to the platform; choose a name without {RESERVED}."))
        elif not isinstance(value, str) or len(value) > LONGEST_VALUE or "\0" in value:
            faults.append(
                Fault("env", f"The value of {name} must be text of up to {LONGEST_VALUE} characters.")
            )
    return faults
