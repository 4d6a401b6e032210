"""The only door to scaling: what the site and `workflows` may ask of it."""

from __future__ import annotations

from scaling.simulator.report import picture, table
from scaling.simulator.study import Verdict, study
from scaling.simulator.trace import Trace, read, width_of
from scaling.simulator.workload import Conditions

__all__ = ["Conditions", "Trace", "Verdict", "picture", "read", "study", "table", "width_of"]
