"""Our scaler in the simulator: the same code that steers the pools, under the virtual clock."""

from __future__ import annotations

import math

from scaling.domain.decisions import Forecast, Signals
from scaling.domain.forecasting.outlook import forecast_of
from scaling.domain.forecasting.prediction import REFIT, Prediction
from scaling.domain.memory import Memory
from scaling.domain.policies import Policy
from scaling.domain.rollup import WIDTH
from scaling.domain.scaler import decide
from scaling.simulator.plant import Observation

EVERY = 2.0  # seconds between two evaluations


class Ours:
    """`start_time`: what an agent takes to serve, in seconds, as a real pool would have measured it.
    `prediction` knows what came before the start."""

    def __init__(self, policy: Policy, start_time: float, prediction: Prediction | None = None) -> None:
        self._policy = policy
        self._start_time = start_time
        self._memory = Memory(0.0)
        self._next = EVERY
        self._prediction = prediction
        self._arrived = 0  # in the present bin
        self._bins = 0
        self.held: list[bool] = []  # of each forecast whether no more came

    def decide(self, seen: Observation) -> int:
        memory, policy = self._memory, self._policy
        memory.arrivals.tell(seen.arrived)
        memory.service.tell(seen.finished, seen.worked)
        self._foresee(seen)
        if seen.at < self._next:
            return seen.target
        self._next += EVERY
        memory.see(seen.at, seen.busy, seen.ready, seen.waiting)
        signals = Signals(
            at=seen.at,
            target=seen.target,
            ready=seen.ready,
            starting=seen.starting,
            leased=seen.busy,
            waiting=seen.waiting,
            oldest_wait=seen.oldest_wait,
            arrival_rate=memory.arrivals.rate.per_second,
            service_time=memory.service.mean,
            utilization=memory.utilization,
            start_time=self._start_time,
            highest=memory.highest(seen.at, policy.down_window),
            lowest=memory.lowest(seen.at, policy.up_window),
            since_up=memory.since_up(seen.at),
            watched=seen.at - memory.since,
            quiet=memory.quiet(seen.at),
            turns=memory.turns(seen.at),
            forecast=self._forecast(),
        )
        decision = decide(signals, policy)
        memory.keep(seen.at, decision, policy)
        return decision.target_size

    def _forecast(self) -> Forecast | None:
        return forecast_of(self._prediction.outlook, self._policy) if self._prediction else None

    def _foresee(self, seen: Observation) -> None:
        """A bin that is over goes into the history, as it would into the rows."""
        if self._prediction is None:
            return
        self._arrived += seen.arrived
        if math.floor(seen.at / WIDTH) == self._bins:
            return
        self._bins += 1
        service = self._memory.service.mean
        load = (
            self._arrived * service / WIDTH
            if service is not None
            else (0.0 if not self._arrived else math.nan)
        )
        self._arrived = 0
        for outcome in self._prediction.see(load):
            self.held.append(outcome.held)
        if self._bins % REFIT == 0:
            self._prediction.refit()
