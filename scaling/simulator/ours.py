"""Our scaler in the simulator: the same class that runs the pools, under the virtual clock."""

from __future__ import annotations

from scaling.domain.decisions import Signals
from scaling.domain.memory import Memory
from scaling.domain.policies import Policy
from scaling.domain.scaler import decide
from scaling.simulator.plant import Observation

EVERY = 2.0  # seconds between two evaluations


class Ours:
    """`start_time`: what an agent takes to serve, in seconds, as a real pool would have measured it."""

    def __init__(self, policy: Policy, start_time: float) -> None:
        self._policy = policy
        self._start_time = start_time
        self._memory = Memory(0.0)
        self._next = EVERY

    def decide(self, seen: Observation) -> int:
        memory, policy = self._memory, self._policy
        memory.arrivals.tell(seen.arrived)
        memory.service.tell(seen.finished, seen.worked)
        if seen.at < self._next:
            return seen.target
        self._next += EVERY
        memory.see(seen.at, seen.busy, seen.ready)
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
        )
        decision = decide(signals, policy)
        memory.keep(seen.at, decision, policy)
        return decision.target_size
