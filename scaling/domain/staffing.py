"""How many agents an offered load needs.

Square-root staffing (Halfin and Whitt, 1981): a load of `a` busy agents on average is served with short waits
by a + z√a agents. So large pools run fuller than small ones at the same quality, which a fixed utilization
misses: it buys too much for large pools and too little for small ones.
"""

from __future__ import annotations

import math

REFERENCE = 25.0  # busy agents: a pool of this load runs at just the target utilization


def z_of(target_utilization: float) -> float:
    """The margin's factor: at the reference load, a + z√a agents are busy to that share (0 to 1)."""
    return (1 / target_utilization - 1) * math.sqrt(REFERENCE)


def staff(load: float, z: float) -> int:
    """Agents for `load` busy ones on average."""
    return math.ceil(load + z * math.sqrt(load)) if load > 0 else 0
