"""The door to the simulator: apart from the other, for what it imports is large, and needed by few."""

from __future__ import annotations

from collections.abc import Sequence

from scaling.domain.policies import of_preset
from scaling.simulator import plant
from scaling.simulator.ours import Ours
from scaling.simulator.outcome import Outcome
from scaling.simulator.report import picture, table
from scaling.simulator.study import Verdict, one, study
from scaling.simulator.trace import Trace, read, width_of
from scaling.simulator.workload import Conditions, Workload

__all__ = [
    "Conditions",
    "Outcome",
    "Trace",
    "Verdict",
    "one",
    "picture",
    "read",
    "run_ours",
    "study",
    "table",
    "width_of",
]


def run_ours(
    arrivals: Sequence[float],
    services: Sequence[float],
    seconds: float,
    conditions: Conditions,
    **values: float,
) -> float:
    """Agent-seconds of the preset `balanced` with these values on just these arrivals and seconds of work."""
    work = Workload(tuple(arrivals), tuple(services), seconds, 1.0, ())
    policy = of_preset("balanced", max=conditions.max_size, **values)
    return plant.run(Ours(policy, conditions.start_time), work, conditions).agent_seconds
