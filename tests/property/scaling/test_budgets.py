"""A cap is never overrun: random loads on random pools, metered second by second, agents that take time to
start and to go, calls that last up to their time-outs."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from scaling.domain.budgets import NOBODY, HeldUp, Reserve, Till, affordable, committed

SECONDS = 900
TICK = 2  # seconds between two looks of the treasury
GONE = 15  # seconds that an agent may take until it is gone: less than HOLD, which counts the look as well


@dataclass
class Agent:
    ready: int
    busy_until: int = 0
    gone_at: int | None = None


@dataclass
class World:
    """What the platform does, by the second, with the domain's own rules for what may happen."""

    random: Random
    limit: float
    rate: float
    timeout: int
    most: int
    demand: float
    spent: float = 0.0
    served: int = 0
    agents: list[Agent] = field(default_factory=list)
    reserves: list[Reserve] = field(default_factory=list)
    waiting: int = 0
    waits_since: int | None = None
    till: Till = field(init=False)

    def __post_init__(self) -> None:
        self.till = Till(self.limit, 0.0, 0.0, 0.0, 0.0)

    def look(self, now: int) -> None:
        staying = [agent for agent in self.agents if agent.gone_at is None]
        leased = sum(agent.busy_until > now for agent in staying)
        free = self.till_with(len(staying), now).free(self.reserves, now)
        held_up = NOBODY
        if self.waits_since is not None:
            held_up = HeldUp(now - self.waits_since, self.timeout * self.rate)
        allowed = affordable(
            free, live=len(staying), leased=leased, rate=self.rate, start_time=5.0, held_up=held_up
        )
        ceiling = min(allowed, max(leased, min(self.most, self.waiting + leased)))
        self.till = self.till_with(max(len(staying), ceiling), now)
        idle = [agent for agent in staying if agent.busy_until <= now and agent.ready <= now]
        for agent in idle[: max(0, len(staying) - ceiling)]:
            agent.gone_at = now + self.random.randint(0, GONE)
        for _ in range(min(self.most, ceiling) - len(self.agents)):
            self.agents.append(Agent(ready=now + self.random.randint(0, 5)))

    def till_with(self, allowed: int, now: int) -> Till:
        live = sum(agent.gone_at is None for agent in self.agents)
        leaving = len(self.agents) - live
        cost = committed(live, leaving, allowed, rate=self.rate, start_time=5.0)
        return Till(self.limit, self.spent, now, (allowed + leaving) * self.rate, cost)

    def second(self, now: int) -> None:
        if now % TICK == 0:
            self.look(now)
        if self.random.random() < self.demand:
            self.waiting += self.random.randint(1, 5)
        for agent in self.agents:
            free_now = agent.gone_at is None and agent.ready <= now and agent.busy_until <= now
            if self.waiting and free_now:
                self.begin(agent, now)
        self.agents = [agent for agent in self.agents if agent.gone_at is None or agent.gone_at > now]
        self.spent += len(self.agents) * self.rate

    def begin(self, agent: Agent, now: int) -> None:
        if self.timeout * self.rate > self.till.free(self.reserves, now):
            self.waits_since = now if self.waits_since is None else self.waits_since
            return
        self.reserves = [one for one in self.reserves if one.until > now]
        self.reserves.append(Reserve(now + self.timeout, self.rate))
        # A call that is cut at its time-out takes its agent with it.
        lasts = self.random.randint(1, self.timeout)
        agent.busy_until = now + lasts
        if lasts == self.timeout:
            agent.gone_at = now + lasts + self.random.randint(0, GONE)
        self.waiting -= 1
        self.waits_since = None
        self.served += 1


@pytest.mark.parametrize("block", range(10))
def test_a_thousand_random_runs_overrun_nothing(block: int) -> None:
    exhausted = 0
    for seed in range(100 * block, 100 * block + 100):
        random = Random(seed)
        rate = random.choice([0.0001, 0.01, 1.0])
        timeout = random.randint(1, 120)
        world = World(
            random,
            limit=rate * random.uniform(50, 6000),
            rate=rate,
            timeout=timeout,
            most=random.randint(1, 12),
            demand=random.uniform(0.05, 1.0),
        )
        for now in range(SECONDS):
            world.second(now)
            assert world.spent <= world.limit, f"seed {seed}: {world.spent} of {world.limit} at {now} s"
        exhausted += world.spent > 0.8 * world.limit
    assert exhausted >= 10, "the caps must have been what ended the spending in many of them"
