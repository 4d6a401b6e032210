"""The only door to workflows.

Does not: lease agents, decide sizes, or know who may ask (the caller has checked).
"""

from __future__ import annotations

from workflows.selectors.health import live_executors
from workflows.selectors.metrics import WorkflowMetrics as metrics_collector
from workflows.services.sweeping import sweep_forever
from workflows.services.timers import (
    fire_forever,
    foresee_forever,
    keep_accounts_forever,
    tidy_forever,
)

__all__ = [
    "fire_forever",
    "foresee_forever",
    "keep_accounts_forever",
    "live_executors",
    "metrics_collector",
    "sweep_forever",
    "tidy_forever",
]
