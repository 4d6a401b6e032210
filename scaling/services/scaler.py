"""The loop that decides: every two seconds, and when somebody begins to wait, for every pool.

It runs beside the pools' controller and under its lead, so two never decide at once; a size that it says
counts for a few seconds only, after which each pool follows its own demand again, below the ceiling that was
said last. Does not: make or end agents.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

import redis
from channels.db import database_sync_to_async

from pools.facade import api as pools
from pools.facade.contracts import PoolLoad, Steering
from scaling.domain.decisions import Action, Signals
from scaling.domain.forecasting.outlook import forecast_of, horizon_of
from scaling.domain.policies import Mode, Policy
from scaling.domain.scaler import decide, spares
from scaling.services import decisions, rationing
from scaling.services.arrivals import Arrivals
from scaling.services.arrivals import forget as forget_arrivals
from scaling.services.board import Board, Wanted
from scaling.services.decisions import Made
from scaling.services.policies import all_policies, effective, for_load
from scaling.services.treasury import Treasury
from scaling.services.watching import Watch

log = logging.getLogger(__name__)

EVERY = 2.0  # seconds between two evaluations when nothing happens
NOT_FASTER_THAN = 0.5
VALID = 10.0  # seconds
HOLD_RECORDED_EVERY = 60.0
STARTS_LEARNED_EVERY = 30.0
TIDIED_EVERY = 3600.0


class Helm(Protocol):
    """The pools' controller, as the scaler knows it."""

    def steer(self, sizes: dict[UUID, Steering], valid: float) -> None: ...

    async def woken(self, within: float) -> None: ...

    async def leads(self) -> bool: ...


class Scaler:
    def __init__(self, treasury: Treasury | None = None, board: Board | None = None) -> None:
        self._treasury = treasury or Treasury()
        self._board = board or Board()
        self.arrivals = Arrivals()
        self._watches: dict[UUID, Watch] = {}
        self._recorded: dict[UUID, tuple[tuple[object, ...], float]] = {}
        self._start_times: dict[UUID, float] = {}
        self._rest = rationing.Rest()
        self._starts_at = self._tidied_at = float("-inf")

    async def run(self, helm: Helm) -> None:
        """For ever; what breaks an evaluation is the caller's to log and to take up again.

        Not before the budgets have been looked at: agents that none pays for must not be made meanwhile.
        """
        await self._treasury.ready()
        while True:
            began = time.monotonic()
            try:
                helm.steer(await database_sync_to_async(self.evaluate)(began, time.time()), VALID)
                if self.arrivals.due and await helm.leads():
                    await database_sync_to_async(self.arrivals.keep)()
            except (ConnectionError, redis.RedisError) as exc:
                log.warning("sizes are held, Redis is away: %s", exc)
            await asyncio.sleep(NOT_FASTER_THAN)
            await helm.woken(EVERY - NOT_FASTER_THAN)

    def evaluate(self, now: float, at: float) -> dict[UUID, Steering]:
        """One decision for each pool, recorded; the sizes of those pools that are to follow it.

        `now` is monotonic, `at` since the epoch, both in seconds. Raises ConnectionError.
        """
        everything = pools.load()
        found = [load for load in everything if load.known]
        self.arrivals.see(found, at)
        loads = [load for load in found if not load.drained]
        self._learn_starts(loads, now)
        rows, rooms, left = all_policies(), rationing.rooms(found), self._rest.spares(found, now)
        made: list[Made] = []
        sizes = self._capped(everything)
        foreseen: dict[UUID, Wanted] = {}
        for load in loads:
            row, ceiling = for_load(rows, load), self._treasury.ceilings.get(load.pool_id)
            room = rooms.get(load.pool_id)
            cap = _cap(ceiling, room, left.get(load.pool_id))
            if cap is not None:  # whoever decides its size, it counts
                sizes[load.pool_id] = replace(cap, size=None)
            if row.mode == Mode.OFF if row else not load.warm_up:
                continue  # it makes agents for the work at hand, and keeps them for their idle time-out
            watch = self._watches.get(load.pool_id)
            if watch is None:
                watch = self._watches[load.pool_id] = Watch(load, now)
            policy = effective(row, load)
            signals = watch.signals(load, policy, self._start_times.get(load.pool_id), now, at, EVERY)
            signals = replace(signals, affordable=ceiling, room=room)
            if policy.prediction:
                foreseen[load.pool_id] = self._wanted(load, policy, signals)
                if (outlook := self._board.outlook(load.pool_id, at)) is not None:
                    signals = replace(signals, forecast=forecast_of(outlook, policy, load.concurrency))
            decision = decide(signals, policy)
            acts = policy.mode == Mode.ACT
            watch.keep(decision, policy, now, decision.target_size if acts else load.target_size)
            made.append(Made(load, policy, signals, decision))
            if acts:
                sizes[load.pool_id] = replace(
                    cap or Steering(None),
                    size=decision.target_size,
                    spares=_fewer(cap, spares(signals, policy, decision.target_size)),
                    prefer_spot=policy.prefer_spot,
                    spot_fallback=policy.spot_fallback,
                )
        self._board.ask(foreseen)
        self._forget_pools({load.pool_id for load in loads})
        decisions.record([one for one in made if self._is_news(one, now)])
        decisions.count(one.decision for one in made)
        self._tidy(now, at)
        return sizes

    def _capped(self, loads: Sequence[PoolLoad]) -> dict[UUID, Steering]:
        """By budgets; of pools that Redis does not know yet, too, whose agents are about to be made."""
        ceilings = self._treasury.ceilings
        return {
            load.pool_id: Steering(None, ceilings[load.pool_id])
            for load in loads
            if load.pool_id in ceilings and not load.drained
        }

    def _wanted(self, load: PoolLoad, policy: Policy, signals: Signals) -> Wanted:
        """The horizon follows the start time, but not its every turn."""
        before = self._board.wanted.get(load.pool_id)
        horizon = horizon_of(signals.start_time, EVERY)
        if before is not None:
            low, high = (horizon_of(signals.start_time * share, EVERY) for share in (0.85, 1.15))
            horizon = min(max(before.horizon, low), high)
        return Wanted(load.team_id, load.name, policy.predictor, horizon)

    def _learn_starts(self, loads: Sequence[PoolLoad], now: float) -> None:
        if now - self._starts_at >= STARTS_LEARNED_EVERY:
            self._starts_at = now
            self._start_times = pools.start_times([load.pool_id for load in loads])

    def _is_news(self, made: Made, now: float) -> bool:
        decision, pool_id = made.decision, made.load.pool_id
        cause = (decision.action, decision.reason, decision.clamped_by, made.policy)
        before, when = self._recorded.get(pool_id, (None, 0.0))
        if decision.action == Action.HOLD and cause == before and now - when < HOLD_RECORDED_EVERY:
            return False
        self._recorded[pool_id] = (cause, now)
        return True

    def _forget_pools(self, alive: set[UUID]) -> None:
        for pool_id in set(self._watches) - alive:
            del self._watches[pool_id]
            self._recorded.pop(pool_id, None)

    def _tidy(self, now: float, at: float) -> None:
        if now - self._tidied_at >= TIDIED_EVERY:
            self._tidied_at = now
            decisions.forget(datetime.fromtimestamp(at, UTC))
            forget_arrivals(at)


def _cap(affordable: int | None, room: int | None, left: int | None) -> Steering | None:
    """The stronger of two limits that no pool's own settings can raise, and what is `left` for spares."""
    if affordable is not None and (room is None or affordable <= room):
        return Steering(None, affordable, "budget", spares=left)
    if room is None and left is None:
        return None
    return Steering(None, room, "scale_down", spares=left)


def _fewer(cap: Steering | None, spares: int) -> int:
    return spares if cap is None or cap.spares is None else min(spares, cap.spares)
