"""What people want of a pool's size: the policy's fields, presets, and what is wrong with one."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from aflow_site.kernel.errors import Fault


class Metric(StrEnum):
    """What may ask for agents; the largest wish counts."""

    QUEUE_DEPTH = "queue_depth"  # an agent for each lease and each waiter
    RESPONSE_TIME = "response_time"  # as many as keep waits short at the present arrival rate
    UTILIZATION = "utilization"  # when the share of busy agents leaves the thresholds, back to the target
    SCHEDULE = "schedule"  # those that known work will need: next steps of live runs, schedules


class Predictor(StrEnum):
    """What forecasts the load, where a policy asks for prediction."""

    NAIVE = "naive"  # the last value, this time yesterday and a week ago
    LEARNED = "ml-based"  # gradient-boosted trees, while they do better


class Mode(StrEnum):
    ACT = "act"
    SHADOW = "shadow"  # decides and records, and changes nothing
    OFF = "off"  # decides nothing: the pool makes agents for the work at hand


@dataclass(frozen=True, slots=True)
class Policy:
    """Times in seconds, utilizations between 0 and 1, money in the installation's currency.

    `scale_up_rate`: in the time that an agent takes to start, the pool grows by at most this factor (or by
    four agents, if that is more). `scale_down_rate`: what part of it may leave in one evaluation (or one
    agent). `up_window`, `down_window`: how long a wish must have held before the size follows it. `cooldown`:
    how long after an increase the size does not fall. `step_up`, `step_down`: most agents in one change;
    None: any number. `prediction`: whether a forecast by `predictor` is a floor of the size. `prefer_spot`:
    agents above what is usual go to spot nodes; without `spot_fallback` they wait for such nodes when there
    are none (the pools' side does both)."""

    min: int = 0
    max: int = 10
    target_utilization: float = 0.7
    scale_up_threshold: float = 0.8
    scale_down_threshold: float = 0.3
    cooldown: float = 0.0
    up_window: float = 0.0
    down_window: float = 60.0
    dead_band: float = 0.15  # of the size: smaller increases wait; decreases of less than twice this do
    step_up: int | None = None
    step_down: int | None = None
    scale_up_rate: float = 100.0
    scale_down_rate: float = 0.25
    metrics: tuple[str, ...] = (Metric.QUEUE_DEPTH, Metric.RESPONSE_TIME, Metric.SCHEDULE)
    scale_to_zero: bool = True
    min_idle: int = 0
    prediction: bool = False
    predictor: str = Predictor.NAIVE
    mode: str = Mode.ACT
    prefer_spot: bool = False
    spot_fallback: bool = True
    max_cost_per_hour: float | None = None  # of all its agents

    def digest(self) -> str:
        """Names this policy in a decision's record."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


# What a preset sets, unless it is set by itself.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "aggressive": {"target_utilization": 0.6, "down_window": 120.0},
    "balanced": {"target_utilization": 0.7, "down_window": 60.0},
    "conservative": {"target_utilization": 0.8, "down_window": 90.0},
    "reactive": {"target_utilization": 0.8, "down_window": 30.0, "dead_band": 0.05, "scale_down_rate": 1.0},
}
DEFAULT_PRESET = "balanced"

_SHARES = ("target_utilization", "scale_up_threshold", "scale_down_threshold")
_TIMES = ("cooldown", "up_window", "down_window")
DAY = 86_400.0


def of_preset(name: str, **values: Any) -> Policy:
    return Policy(**{**PRESETS[name], **values})


def faults_of(policy: Policy) -> list[Fault]:
    """Everything that is wrong with it, each with the field and a sentence."""
    found: list[Fault] = []

    def check(name: str, good: bool, message: str) -> None:
        if not good:
            found.append(Fault(name, message))

    for name in _SHARES:
        check(name, 0 < getattr(policy, name) <= 1, "A share is expected here: above 0, at most 1.")
    for name in _TIMES:
        check(name, 0 <= getattr(policy, name) <= DAY, "Seconds are expected here, from 0 to a day.")
    check("min", policy.min >= 0, "A number of agents is expected here, not below 0.")
    check("max", policy.max >= max(1, policy.min), f"At least 1, and not below min ({policy.min}).")
    check(
        "scale_down_threshold",
        policy.scale_down_threshold < policy.scale_up_threshold,
        f"It must lie below scale_up_threshold ({policy.scale_up_threshold:g}): between them it is kept.",
    )
    check("dead_band", 0 <= policy.dead_band < 0.5, "From 0 to below 0.5 of the size.")
    for name in ("step_up", "step_down"):
        value = getattr(policy, name)
        check(name, value is None or value >= 1, "At least one agent; leave it out for any number.")
    check("scale_up_rate", 1 < policy.scale_up_rate < math.inf, "A factor above 1 is expected here.")
    check("scale_down_rate", 0 < policy.scale_down_rate <= 1, "A share: above 0, at most 1.")
    most = policy.max_cost_per_hour
    check(
        "max_cost_per_hour",
        most is None or 0 <= most < math.inf,
        "Money by the hour is expected here, not below 0; leave it out for any.",
    )
    check("min_idle", 0 <= policy.min_idle <= policy.max, f"From 0 to max ({policy.max}).")
    check(
        "predictor",
        policy.predictor in set(Predictor),
        f"{policy.predictor} is no predictor: choose among {', '.join(Predictor)}.",
    )
    unknown = sorted(set(policy.metrics) - {metric.value for metric in Metric})
    check(
        "metrics",
        not unknown and bool(policy.metrics),
        f"{', '.join(unknown) or 'Nothing'} is no metric: choose among {', '.join(Metric)}.",
    )
    return found


NAMES = frozenset(field.name for field in fields(Policy))
