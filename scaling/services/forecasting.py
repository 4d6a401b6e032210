"""The loop that forecasts, for those pools whose policies ask for it. Beside the scaler, never in its way.

Each time that a minute is over it takes the new bins from the rows, lets the forecasters guess, and tells the
scaler (over the board) and the API (over rows). A pool that is new to it is tried on its history first.
Nothing of numpy is loaded before a pool asks.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections, transaction

from scaling.domain.forecasting.outlook import Outcome, Outlook
from scaling.domain.policies import Predictor
from scaling.domain.rollup import WIDTH, number_of
from scaling.models import ForecastHour, PoolForecast
from scaling.selectors import arrivals as read
from scaling.selectors.arrivals import PER_HOUR
from scaling.services.board import Board, Wanted

if TYPE_CHECKING:
    from scaling.services.foreseeing import Foresight
    from scaling.services.learning import Apprentice

log = logging.getLogger(__name__)

EVERY = 5.0  # seconds
MOST_MISSED = 2 * 1440  # bins
LATE = 30.0  # seconds after its end in which a bin is waited for; then it is not known


class Leader(Protocol):
    async def leads(self) -> bool: ...


class Forecasting:
    def __init__(self, board: Board) -> None:
        self._board = board
        self._foresights: dict[UUID, Foresight] = {}
        self._apprentice: Apprentice | None = None
        self._told: set[UUID] | None = None  # the pools that the rows tell of
        self._ended = False

    async def run(self, leader: Leader) -> None:
        """For ever. Whoever does not lead any more writes nothing."""
        # A thread of its own: the scaler's reads are not to wait for a forecaster that is fitted.
        step = sync_to_async(self._step, thread_sensitive=False)
        try:
            while True:
                if self._due and await leader.leads():
                    await step(time.time())
                await asyncio.sleep(EVERY)
        finally:
            self.close()

    @property
    def _due(self) -> bool:
        return self._board.asked and (bool(self._board.wanted) or self._told is None or bool(self._told))

    def _step(self, at: float) -> None:
        close_old_connections()
        try:
            self.step(at)
        except DatabaseError as exc:
            log.warning("forecasts wait for the database: %s", exc)
        finally:
            close_old_connections()

    def close(self) -> None:
        """Ends the process that learns, if there is one, and a step that is under way."""
        self._ended = True
        self._foresights.clear()
        if self._apprentice is not None:
            self._apprentice.close()

    def step(self, at: float) -> None:
        """What is due at `at`, seconds since the epoch."""
        wanted = dict(self._board.wanted)
        for pool_id in set(self._foresights) - set(wanted):
            del self._foresights[pool_id]
        if self._told != set(wanted):
            PoolForecast.objects.exclude(pool_id__in=wanted).delete()
            self._told = set(wanted)
        if self._apprentice is not None and all(
            one.predictor != Predictor.LEARNED for one in wanted.values()
        ):
            self._apprentice.close()
        for pool_id, one in wanted.items():
            if self._ended:
                return
            self._advance(pool_id, one, at)

    def _advance(self, pool_id: UUID, wanted: Wanted, at: float) -> None:
        foresight = self._foresights.get(pool_id)
        now = number_of(at)
        # A clock that was set far ahead, or back into what was seen already, is a new beginning.
        if foresight is None or foresight.wanted != wanted or not 0 <= now - foresight.end <= MOST_MISSED:
            foresight = self._foresights[pool_id] = self._new(pool_id, wanted)
            outcomes = foresight.begin(now)
        else:
            fresh = self._fresh(pool_id, foresight, at)
            if not fresh:
                return
            outcomes = [outcome for load in fresh for outcome in foresight.see(load)]
        outlook = foresight.outlook
        keep(pool_id, wanted, outlook, outcomes, at)
        self._board.outlooks[pool_id] = outlook

    def _new(self, pool_id: UUID, wanted: Wanted) -> Foresight:
        from scaling.services.foreseeing import Foresight  # loads numpy
        from scaling.services.learning import Apprentice

        if self._apprentice is None:
            self._apprentice = Apprentice()
        return Foresight(pool_id, wanted, self._apprentice)

    def _fresh(self, pool_id: UUID, foresight: Foresight, at: float) -> list[float]:
        """The loads of the bins that are over and known, or will not be known any more."""
        bins = read.bins_of(pool_id, foresight.end, number_of(at))
        while bins and bins[-1] is None and at - (foresight.end + len(bins)) * WIDTH < LATE:
            bins.pop()
        return [math.nan if load is None else load for load in foresight.loads(bins)]


@transaction.atomic
def keep(pool_id: UUID, wanted: Wanted, outlook: Outlook, outcomes: list[Outcome], at: float) -> None:
    """For the API: the outlook, and each outcome at the bin with which its horizon began."""
    PoolForecast.objects.update_or_create(
        pool_id=pool_id,
        defaults={
            "team_id": wanted.team_id,
            "pool": wanted.pool,
            "predictor": wanted.predictor,
            "outlook": asdict(outlook),
            "at": datetime.fromtimestamp(at, UTC),
        },
    )
    hours = {outcome.guess.at // PER_HOUR for outcome in outcomes}
    rows = {row.hour: row for row in ForecastHour.objects.filter(pool_id=pool_id, hour__in=hours)}
    for hour in hours:
        row = rows.get(hour) or ForecastHour(
            team_id=wanted.team_id, pool_id=pool_id, hour=hour, bins=[None] * PER_HOUR
        )
        for outcome in outcomes:
            guess = outcome.guess
            if guess.at // PER_HOUR == hour:
                told = [round(value, 4) for value in (guess.high, guess.median, outcome.came)]
                # What was forecast then stays, if the past is tried again after a restart.
                row.bins[guess.at % PER_HOUR] = row.bins[guess.at % PER_HOUR] or [*told, outlook.serving]
        row.save()
