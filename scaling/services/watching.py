"""From a pool's figures to the signals that decide its size, by what is remembered of it."""

from __future__ import annotations

import math

from pools.facade.contracts import PoolLoad
from scaling.domain.decisions import Decision, Signals
from scaling.domain.memory import Memory
from scaling.domain.policies import Policy
from scaling.services.lookahead import coming

START_TIME = 5.0  # seconds, as long as no agent of the pool has been seen to start


class Watch:
    """One pool's. `now` is monotonic seconds; `at` the time of day, for the record."""

    def __init__(self, load: PoolLoad, now: float) -> None:
        self.memory = Memory(now)
        self._seconds_at = now  # up to which second arrivals were told
        self._untold = 0
        self._counters = (load.asked, load.ended, load.held_seconds)
        self._target = load.target_size

    def signals(
        self, load: PoolLoad, policy: Policy, start_time: float | None, now: float, at: float, every: float
    ) -> Signals:
        """An agent with several slots counts as one: leases and waiters are told in agents. `every`: seconds
        until the next evaluation, before which what comes must be seen."""
        self._tell(load, now)
        memory, slots = self.memory, load.concurrency
        ready = load.idle + load.active
        memory.see(now, load.active, ready, load.waiting)
        if load.target_size != self._target:  # a person warmed the pool: that counts as a wish
            memory.wish(now, load.target_size)
        soon, known_by = coming(load.team_id, load.name, at, (start_time or START_TIME) + every)
        return Signals(
            at=at,
            target=load.target_size,
            ready=ready,
            starting=load.starting,
            leased=load.active,
            waiting=math.ceil(load.waiting / slots),
            oldest_wait=load.oldest_wait,
            arrival_rate=memory.arrivals.rate.per_second / slots,
            service_time=memory.service.mean,
            utilization=memory.utilization,
            start_time=start_time or START_TIME,
            highest=memory.highest(now, policy.down_window),
            lowest=memory.lowest(now, policy.up_window),
            since_up=memory.since_up(now),
            watched=now - memory.since,
            quiet=memory.quiet(now),
            turns=memory.turns(now),
            coming=soon,
            coming_by=known_by,
            price=float(load.rate),
        )

    def keep(self, decision: Decision, policy: Policy, now: float, target: int) -> None:
        """`target` is what the pool's row will say from now on."""
        self.memory.keep(now, decision, policy)
        self._target = target

    def _tell(self, load: PoolLoad, now: float) -> None:
        before, self._counters = self._counters, (load.asked, load.ended, load.held_seconds)
        asked, ended, held = (new - old for new, old in zip(self._counters, before, strict=True))
        if asked < 0 or ended < 0:  # Redis lost its memory, and counts anew
            asked, ended, held = self._counters
        self.memory.service.tell(int(ended), held)
        self._untold += int(asked)
        seconds = int(now - self._seconds_at)
        if seconds > 0:
            share, rest = divmod(self._untold, seconds)
            for second in range(min(seconds, 600)):
                self.memory.arrivals.tell(share + (second < rest))
            self._untold = 0
            self._seconds_at += seconds
