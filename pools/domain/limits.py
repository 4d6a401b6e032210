"""What the settings of a pool may be, each with a sentence for whoever set it otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aflow_site.kernel.errors import Fault
from pools.domain.names import NAME_RULE, is_name

MOST_AGENTS = 1000
MOST_USES = 1_000_000_000
LONGEST_IDLE = 30 * 86400.0  # seconds
LONGEST_IMAGE = 255  # characters


def faults_of(values: Mapping[str, Any]) -> list[Fault]:
    """Every fault of image, min_size, max_size, max_uses and idle_timeout; all of them must be given."""
    faults = []
    if not 1 <= len(values["image"]) <= LONGEST_IMAGE:
        faults.append(Fault("image", f"It must have 1 to {LONGEST_IMAGE} characters."))
    low, high = values["min_size"], values["max_size"]
    if not 0 <= low <= MOST_AGENTS:
        faults.append(Fault("min_size", f"It must be between 0 and {MOST_AGENTS}."))
    elif low > high:
        faults.append(Fault("min_size", f"It must not be above max_size ({high})."))
    if not 1 <= high <= MOST_AGENTS:
        faults.append(Fault("max_size", f"It must be between 1 and {MOST_AGENTS}."))
    if not 1 <= values["max_uses"] <= MOST_USES:
        faults.append(Fault("max_uses", f"It must be between 1 and {MOST_USES}."))
    if not 0 < values["idle_timeout"] <= LONGEST_IDLE:
        faults.append(Fault("idle_timeout", "It must be more than 0 seconds and at most 30 days."))
    return faults


def faults_of_name(name: str, *, of_a_step: bool = False) -> list[Fault]:
    return [] if is_name(name, of_a_step=of_a_step) else [Fault("name", NAME_RULE)]
