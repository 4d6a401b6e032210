"""A pool under a virtual clock: agents that start, work and leave, a queue, and a policy that is asked each
second.

The same plant carries every policy, ours and the baselines. Its rules are those of `pools`: an arrival takes
an idle agent or waits, first come first served; agents above the target leave when they are idle, and never
under work; agents that start are paid for from the first moment.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Protocol

from scaling.simulator.workload import Conditions, Workload

TICK = 1.0


@dataclass(frozen=True, slots=True)
class Observation:
    """What a policy sees: numbers of agents and of waiters now, and what happened during the last second.

    `concurrency` is the mean of busy + waiting over that second, `worked` the service seconds of the
    `finished`, `oldest_wait` in seconds.
    """

    at: float
    target: int
    starting: int
    idle: int
    busy: int
    waiting: int
    concurrency: float
    arrived: int
    finished: int
    worked: float
    oldest_wait: float

    @property
    def ready(self) -> int:
        return self.idle + self.busy


class Policy(Protocol):
    """`decide` is asked each second, and answers with the size wanted from now on."""

    def decide(self, seen: Observation) -> int: ...


@dataclass(slots=True)
class Course:
    """What happened: waits in seconds by arrival, agent-seconds, and the targets as (second, size) where they
    changed. `sizes` and `loads` hold each second's number of agents (starting ones too) and of jobs."""

    waits: list[float]
    agent_seconds: float = 0.0
    targets: list[tuple[float, int]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    loads: list[int] = field(default_factory=list)


def run(policy: Policy, workload: Workload, conditions: Conditions, initial: int = 0) -> Course:
    """From `initial` ready agents on, until the last second; who waits then has waited until then."""
    plant = _Plant(workload, conditions, initial)
    course = Course(waits=plant.waits)
    for second in range(math.ceil(workload.seconds)):
        until = min((second + 1) * TICK, workload.seconds)
        seen = plant.advance(until)
        target = max(0, min(policy.decide(seen), conditions.max_size))
        if target != plant.target:
            course.targets.append((until, target))
            plant.resize(target)
        course.sizes.append(plant.ready + len(plant.starts))
        course.ready.append(plant.ready)
        course.loads.append(plant.busy + len(plant.queue))
    plant.close()
    course.agent_seconds = plant.agent_seconds
    return course


class _Plant:
    def __init__(self, workload: Workload, conditions: Conditions, initial: int) -> None:
        self.arrivals: Sequence[float] = workload.arrivals
        self.services: Sequence[float] = workload.services
        self.start_time = conditions.start_time
        self.now = 0.0
        self.next = 0  # the index of the next arrival
        self.ready = initial
        self.busy = 0
        self.target = initial
        self.starts: deque[float] = deque()  # when those that start are ready
        self.ends: list[tuple[float, float]] = []  # (when, service) of those at work
        self.queue: deque[int] = deque()  # indices of arrivals
        self.waits = [math.inf] * len(self.arrivals)
        self.agent_seconds = 0.0

    def advance(self, until: float) -> Observation:
        """Everything that happens up to `until`, in its order."""
        area, arrived, finished, worked, since = 0.0, 0, 0, 0.0, self.now
        arrivals, ends, starts, queue = self.arrivals, self.ends, self.starts, self.queue
        count = len(arrivals)
        while True:
            arrival = arrivals[self.next] if self.next < count else math.inf
            end = ends[0][0] if ends else math.inf
            start = starts[0] if starts else math.inf
            at = min(arrival, end, start)
            if at > until:
                break
            step = at - self.now
            area += step * (self.busy + len(queue))
            self.agent_seconds += step * (self.ready + len(starts))
            self.now = at
            if at == end:
                service = heappop(ends)[1]
                finished += 1
                worked += service
                self.busy -= 1
                if self.ready + len(starts) > self.target:
                    self.ready -= 1  # it was to leave, once free
                elif queue:
                    self._begin(queue.popleft())
            elif at == start:
                starts.popleft()
                self.ready += 1
                if queue and self.ready > self.busy:
                    self._begin(queue.popleft())
            else:
                arrived += 1
                queue.append(self.next)
                self.next += 1
                if self.ready > self.busy:
                    self._begin(queue.popleft())
        step = until - self.now
        area += step * (self.busy + len(queue))
        self.agent_seconds += step * (self.ready + len(starts))
        self.now = until
        return Observation(
            at=until,
            target=self.target,
            starting=len(starts),
            idle=self.ready - self.busy,
            busy=self.busy,
            waiting=len(queue),
            concurrency=area / max(1e-9, until - since),
            arrived=arrived,
            finished=finished,
            worked=worked,
            oldest_wait=until - arrivals[queue[0]] if queue else 0.0,
        )

    def _begin(self, index: int) -> None:
        self.busy += 1
        self.waits[index] = self.now - self.arrivals[index]
        service = self.services[index]
        heappush(self.ends, (self.now + service, service))

    def resize(self, target: int) -> None:
        """New agents begin at once; idle ones above the target leave at once, the others once free."""
        self.target = target
        size = self.ready + len(self.starts)
        if size < target:
            self.starts.extend([self.now + self.start_time] * (target - size))
        else:
            self.ready -= min(size - target, self.ready - self.busy)

    def close(self) -> None:
        for index in self.queue:
            self.waits[index] = self.now - self.arrivals[index]
