"""The only door to scaling: what the site and `workflows` may ask of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from pools.facade import leases
from scaling.metrics import ScalingCollector
from scaling.services.board import Board
from scaling.services.forecasting import Forecasting
from scaling.services.gate import BudgetGate
from scaling.services.lookahead import expect
from scaling.services.policies import check as check_policy
from scaling.services.policies import set_for_workflow
from scaling.services.scaler import Helm, Scaler
from scaling.services.treasury import Treasury

__all__ = [
    "ScalingCollector",
    "check_policy",
    "expect",
    "guard_leases",
    "loops",
    "set_for_workflow",
]


def guard_leases() -> None:
    """Programs' leases are under budgets from now on."""
    leases.guard(BudgetGate())


def loops(helm: Helm) -> dict[str, Callable[[], Awaitable[None]]]:
    """What runs beside the pools' controller: the scaler, which steers it, and whom the scaler asks: what may
    be spent, and what is to be expected."""
    treasury, board = Treasury(), Board()
    return {
        "the treasury": treasury.run,
        "the scaler": partial(Scaler(treasury, board).run, helm),
        "the forecasts": partial(Forecasting(board).run, helm),
    }
