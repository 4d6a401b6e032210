"""The `scaling` of `@workflow`: how the pools of its steps follow their load."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypedDict

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk import options
from agentainer_flow.sdk.options import Duration

Preset = Literal["aggressive", "balanced", "conservative", "reactive"]
PRESETS = ("aggressive", "balanced", "conservative", "reactive")
Predictor = Literal["naive", "ml-based"]
PREDICTORS = ("naive", "ml-based")
METRICS = ("queue_depth", "response_time", "utilization", "schedule")


class Scaling(TypedDict, total=False):
    """`min`, `max` and `min_idle` in agents, thresholds as shares of busy agents; `policy` is the preset
    whose values count for what is left out. `prediction`: a forecast by `predictor` is a floor of the size,
    while it pays. `prefer_spot`: agents above what is usual go to spot nodes, and without `spot_fallback`
    nowhere else; `max_cost_per_hour` of each pool's agents, in the platform's currency."""

    enabled: bool
    policy: Preset
    min: int
    max: int
    metrics: Sequence[str]
    target_utilization: float
    scale_up_threshold: float
    scale_down_threshold: float
    cooldown: Duration
    up_window: Duration
    down_window: Duration
    min_idle: int
    prediction: bool | Literal["on", "off"]
    predictor: Predictor
    prefer_spot: bool
    spot_fallback: bool
    max_cost_per_hour: float


def _switch(where: str, name: str, value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return options.choice(where, name, value, ("on", "off"))


def _money(where: str, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise DefinitionError(f"{where}: {name} is money for an hour, such as 2.5, not {value!r}.")
    return float(value)


_agents = partial(options.whole, high=1000)
_READ: dict[str, Callable[[str, str, Any], Any]] = {
    "enabled": options.flag,
    "policy": partial(options.choice, allowed=PRESETS),
    "min": partial(_agents, low=0),
    "max": partial(_agents, low=1),
    "metrics": lambda where, name, value: [options.choice(where, name, one, METRICS) for one in value],
    "target_utilization": options.share,
    "scale_up_threshold": options.share,
    "scale_down_threshold": options.share,
    "cooldown": options.duration,
    "up_window": options.duration,
    "down_window": options.duration,
    "min_idle": partial(_agents, low=0),
    "prediction": _switch,
    "predictor": partial(options.choice, allowed=PREDICTORS),
    "prefer_spot": options.flag,
    "spot_fallback": options.flag,
    "max_cost_per_hour": _money,
}


def scaling(where: str, given: object, preset: object) -> dict[str, Any] | None:
    """As the document has it; None when nothing is said. `preset`: the same as `policy` in `given`."""
    if given is None and preset is None:
        return None
    if not isinstance(given or {}, Mapping):
        raise DefinitionError(f'{where}: scaling is a dict such as {{"min": 1, "max": 50}}, not {given!r}.')
    wanted: dict[str, Any] = dict(given or {})  # type: ignore[call-overload]
    if preset is not None and wanted.setdefault("policy", preset) != preset:
        raise DefinitionError(f"{where}: scaling says {wanted['policy']!r}, scaling_policy {preset!r}.")
    options.refuse_unknown(f"{where}: scaling", set(wanted) - set(_READ), _READ)
    found = {name: _READ[name](where, name, value) for name, value in wanted.items() if value is not None}
    if "max" in found and found["max"] < found.get("min", 0):
        raise DefinitionError(f"{where}: scaling: max ({found['max']}) is below min ({found['min']}).")
    return found
