"""One pool's prediction, with its history out of the rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from uuid import UUID

import numpy as np

from scaling.domain.forecasting.history import DAY, KEPT, History
from scaling.domain.forecasting.naive import Season
from scaling.domain.forecasting.outlook import Outcome, Outlook
from scaling.domain.forecasting.port import Forecaster
from scaling.domain.forecasting.prediction import REFIT, Prediction
from scaling.domain.policies import Predictor
from scaling.domain.rollup import Bin, loads_of
from scaling.selectors import arrivals as read
from scaling.services.board import Wanted
from scaling.services.learning import Apprentice, Remote

LEASES_BEFORE = 60  # bins that tell how long leases last, when new ones are seen


class Foresight:
    """`apprentice` is started only where the policy asks for a forecaster that learns."""

    def __init__(self, pool_id: UUID, wanted: Wanted, apprentice: Apprentice) -> None:
        self.wanted = wanted
        self._pool_id = pool_id
        self._fitted_at = 0
        forecasters: list[Forecaster] = [Season()]
        if wanted.predictor == Predictor.LEARNED:
            forecasters.append(Remote(str(pool_id), apprentice))
        self._prediction = Prediction(wanted.horizon, forecasters)
        self._bins: list[Bin | None] = []  # the last ones

    def begin(self, end: int) -> list[Outcome]:
        """Tries the forecasters on what is kept of the bins before `end`; slow."""
        first = read.first_bin(self._pool_id, end - KEPT)
        bins = [] if first is None else read.bins_of(self._pool_id, first, end)
        if bins and bins[-1] is None:  # it may be on its way
            bins.pop()
        self._bins = bins[-LEASES_BEFORE:]
        loads = [math.nan if load is None else load for load in loads_of(bins)]
        self._fitted_at = end
        return self._prediction.prime(History(first if bins and first is not None else end, np.array(loads)))

    @property
    def end(self) -> int:
        """The bin that is seen next."""
        return self._prediction.past.end

    def loads(self, bins: Sequence[Bin | None]) -> list[float | None]:
        """Of bins that come next."""
        if not bins:
            return []
        self._bins = [*self._bins, *bins][-LEASES_BEFORE - len(bins) :]
        return loads_of(self._bins)[-len(bins) :]

    def see(self, load: float) -> list[Outcome]:
        """What became of the forecasts that end with this bin. Slow once in half a day."""
        found = self._prediction.see(load)
        if len(self._prediction.past) == DAY or self.end - self._fitted_at >= REFIT:
            self._fitted_at = self.end
            self._prediction.refit()
        return found

    @property
    def outlook(self) -> Outlook:
        return self._prediction.outlook
