"""How many agents to make or to retire now: pure functions of a pool's figures.

Does not: forecast, know budgets, or decide targets over time (`scaling` does, through `set_target`).
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """`starting`, `idle`, `active` count agents that serve or will; `leaving` those on their way out."""

    min_size: int
    max_size: int
    warm_up: bool
    target_size: int
    starting: int
    idle: int
    active: int
    leaving: int
    waiting: int
    overdue: int = 0  # agents in service that are to be replaced for their age
    apart: bool = False  # teams share the pool, and each wants agents that served nobody else
    resting: int = 0  # agents beside all these, on which bodies are parked and nothing else ever runs again
    steered: bool = False  # `target_size` comes from the scaler, moment by moment
    ceiling: int | None = None  # the most agents that may be, even below `min_size`; None: `max_size`

    @property
    def serving(self) -> int:
        return self.starting + self.idle + self.active

    @property
    def strangers(self) -> int:
        """Idle agents that are of no use to those who wait: any other would have gone to one of them."""
        return self.idle if self.apart and self.waiting else 0

    @property
    def live(self) -> int:
        return self.serving + self.leaving


@dataclass(frozen=True, slots=True)
class SizePlan:
    create: int = 0
    retire_idle: int = 0
    target_size: int = 0
    reap_above: int = 0  # idle time-outs may bring the pool down to this size
    retire_overdue: int = 0


def plan(pool: PoolFigures) -> SizePlan:
    """Never lets an acquire wait while there is room below `max_size`; but whether those that wait are worth
    new agents is the scaler's to say where there is one, save in a pool that is empty.

    Pools with `warm_up` keep their size until the idle time-out lowers it, so growth raises the target;
    others make agents for the work at hand only (and so replace none ahead of demand).
    Agents on their way out still count toward `max_size`: live containers never exceed it.
    """
    most = pool.max_size if pool.ceiling is None else min(pool.max_size, pool.ceiling)
    demand = min(most, pool.active + pool.waiting)
    floor = pool.min_size if pool.warm_up else 0
    target = min(max(floor, pool.target_size), most)
    wanted = max(target, demand)
    if pool.steered:
        wanted = max(target, min(demand, 1))
    elif pool.warm_up:
        target = wanted
    room = max(0, most - pool.live)
    # Of those that are too old a tenth leaves at a time; where there is room, the replacement is ready first.
    leave = min(pool.overdue, max(1, pool.serving // 10))
    spare = min(leave, most - wanted)
    create = min(max(0, wanted + spare - (pool.serving - pool.strangers)), room)
    ready = pool.idle + pool.active
    retire_overdue = min(leave, max(0, ready - wanted)) if spare else leave
    # A pool without warm-up keeps what demand made until the idle time-out.
    keep = wanted if pool.warm_up or pool.steered else most
    surplus = 0 if pool.waiting and pool.ceiling is None else max(0, pool.serving - keep - spare)
    return SizePlan(
        create=create,
        retire_idle=min(surplus, pool.idle),
        target_size=target,
        reap_above=max(min(pool.min_size, most), target if pool.steered else 0),
        retire_overdue=retire_overdue,
    )


def share_of_age(agent_id: UUID) -> float:
    """What part of `max_age` an agent may reach: 0.9 to 1, the same each time, so that agents that were made
    together do not leave together (HikariCP varies its connections' lives likewise)."""
    return 0.9 + 0.1 * (agent_id.int % 1009) / 1009


def target_after_reaping(target_size: int, reaped: int, min_size: int) -> int:
    """An idle time-out takes its agents out of the target too, else they would be made again."""
    return max(min(min_size, target_size), target_size - reaped)
