"""The door to the simulator: apart from the other, for what it imports is large, and needed by few."""

from __future__ import annotations

from scaling.simulator.report import picture, table
from scaling.simulator.study import Verdict, study
from scaling.simulator.trace import Trace, read, width_of
from scaling.simulator.workload import Conditions

__all__ = ["Conditions", "Trace", "Verdict", "picture", "read", "study", "table", "width_of"]
