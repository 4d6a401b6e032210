"""What is forecast of a pool, and whether it is heeded: data, and the floor that follows from it.

Needs no numpy: the scaler and the API read what another part of the platform worked out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from scaling.domain.decisions import TRUSTED, Forecast
from scaling.domain.policies import Policy
from scaling.domain.rollup import WIDTH
from scaling.domain.staffing import staff, z_of

QUANTILE = 0.9
IN_TIME = 6.0  # seconds: a tenth of a bin
ROUNDING = 1e-6  # busy agents: logarithms there and back


class Why(StrEnum):
    """Why a forecast is heeded, or is not."""

    PAYS = "pays"
    NO_SEASON = "no_season"
    MISSING = "missing"
    UNTRIED = "untried"
    COVERAGE = "coverage"
    NO_BETTER = "no_better"
    NOT_ASKED = "not_asked"


SENTENCES: dict[str, str] = {
    Why.PAYS: "its loss is below that of the last value, and its forecasts hold as often as they should",
    Why.NO_SEASON: "there is no whole day of history yet",
    Why.MISSING: "the last figures are missing",
    Why.UNTRIED: "too few forecasts have met what came",
    Why.COVERAGE: f"fewer than {TRUSTED:.0%} of the last day's forecasts held",
    Why.NO_BETTER: "the last value alone forecasts as well",
    Why.NOT_ASKED: "its policy asks for no prediction, or the first forecast is on its way",
}


@dataclass(frozen=True, slots=True)
class Guess:
    """For the horizon that begins with bin `at`: with probability `QUANTILE` the load is at most `high`
    busy agents, and with one half at most `median`. `raw` is the forecaster's own, on its scale."""

    at: int
    raw: float
    high: float
    median: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a guess: `came` is the largest load that there was."""

    guess: Guess
    came: float

    @property
    def held(self) -> bool:
        return self.guess.high >= self.came - ROUNDING


@dataclass(frozen=True, slots=True)
class Standing:
    """`pinball` is the mean loss at `QUANTILE` in busy agents, `coverage` the share of forecasts that held,
    both over the last `outcomes`; None without any. `problem`: why it does not guess, as a sentence."""

    name: str
    outcomes: int
    pinball: float | None
    coverage: float | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """`guess` covers `horizon` bins; None: nobody guesses. `serving` made it. `standings`: the last value's
    first."""

    on: bool
    why: str
    serving: str
    horizon: int
    guess: Guess | None
    coverage: float | None
    standings: tuple[Standing, ...]


def horizon_of(start_time: float, tick: float) -> int:
    """Bins in which agents serve at the latest that are started in the coming one, at its end too; those few
    do not count that would come `IN_TIME` late. Seconds."""
    return 1 + max(0, math.ceil((start_time + tick - IN_TIME) / WIDTH))


def forecast_of(outlook: Outlook, policy: Policy, slots: int = 1) -> Forecast | None:
    """As a decision records it, in agents of so many places each; None while nothing is forecast."""
    guess = outlook.guess
    if guess is None:
        return None
    load = guess.high / slots
    return Forecast(
        floor=staff(load, z_of(policy.target_utilization)),
        quantile=QUANTILE,
        coverage=outlook.coverage or 0.0,
        load=load,
        forecaster=outlook.serving,
        median=guess.median / slots,
        on=outlook.on,
    )
