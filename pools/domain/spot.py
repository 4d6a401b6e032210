"""Which of a pool's new agents go to spot nodes, where its policy prefers them: those above a base of what is
needed half of the time. A pool whose own capacity type says where its agents run is not asked.

Does not: choose a node. That is the engine's work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pools.domain.nodes import CapacityType
from pools.domain.quantiles import nearest_rank

ANY_KIND = ""


@dataclass(frozen=True, slots=True)
class Mix:
    """`base`: agents that are not spot before any is; `others`: those that there are. `spot_open`,
    `on_demand_open`: whether such nodes take agents."""

    base: int
    others: int
    spot_open: bool
    on_demand_open: bool
    fallback: bool


def base_of(min_size: int, sizes: Sequence[float]) -> int:
    """`sizes`: what the pool lately was to have."""
    return max(min_size, math.ceil(nearest_rank(sizes, 0.5) or 0))


def kinds_for(count: int, mix: Mix) -> list[str]:
    """The capacity type of each new agent; fewer where some have to wait for spot nodes."""
    below = min(count, max(0, mix.base - mix.others))
    kinds = [CapacityType.ON_DEMAND.value if mix.on_demand_open else ANY_KIND] * below
    if mix.spot_open:
        kinds += [CapacityType.SPOT.value] * (count - below)
    elif mix.fallback:
        kinds += [ANY_KIND] * (count - below)
    return kinds
