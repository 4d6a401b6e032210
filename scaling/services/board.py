"""Between the scaler and the forecasts, in the memory of the controller's process: whose load is to be
forecast, and what is forecast of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from scaling.domain.forecasting.outlook import Outlook
from scaling.domain.rollup import number_of

OLD = 2  # bins after which a forecast that nobody renewed is none


@dataclass(frozen=True, slots=True)
class Wanted:
    """`horizon` in bins."""

    team_id: int
    pool: str
    predictor: str
    horizon: int


@dataclass(slots=True)
class Board:
    wanted: dict[UUID, Wanted] = field(default_factory=dict)
    outlooks: dict[UUID, Outlook] = field(default_factory=dict)
    asked: bool = False  # whether `wanted` is what is wanted, and not merely empty

    def ask(self, wanted: dict[UUID, Wanted]) -> None:
        """In place of all that was asked for before."""
        self.wanted, self.asked = wanted, True
        self.outlooks = {pool_id: one for pool_id, one in self.outlooks.items() if pool_id in wanted}

    def outlook(self, pool_id: UUID, at: float) -> Outlook | None:
        """None while there is none, or it is of another time than `at` (seconds since the epoch)."""
        found = self.outlooks.get(pool_id)
        if found is None or found.guess is None:
            return found
        return found if abs(number_of(at) - found.guess.at) <= OLD else None
