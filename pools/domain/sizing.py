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
    wearing: int = 0  # others of those that serve, whose uses may be up before a replacement could be ready
    worn: int = 0  # of these, agents that leave once it is: idle ones
    spares: int = 0  # how many replacements are kept, once they are made: no fewer than `wearing`
    apart: bool = False  # teams share the pool, and each wants agents that served nobody else
    resting: int = 0  # agents beside all these, on which bodies are parked and nothing else ever runs again
    steered: bool = False  # `target_size` comes from the scaler, moment by moment
    ceiling: int | None = None  # the most agents that may be, even below `min_size`; None: `max_size`
    most_spares: int | None = None  # the most replacements that there may be ahead of time; None: any number

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
    reap_above: int = 0  # idle time-outs may bring those that are ready down to this number
    retire_overdue: int = 0
    retire_worn: int = 0
    ahead: bool = False  # whether there is room for replacements of agents that still serve
    spares: int = 0  # how many of those there should be, if only the pool's own limit counts


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
    turn = _turnover(pool, wanted, most)
    room = max(0, most - pool.live)
    create = min(max(0, wanted + turn.spare - (pool.serving - pool.strangers)), room)
    # A pool without warm-up keeps what demand made until the idle time-out.
    keep = (wanted if pool.warm_up or pool.steered else most) + turn.kept
    surplus = 0 if pool.waiting and pool.ceiling is None else max(0, pool.serving - keep)
    # Those that start serve nobody yet: only what a limit forbids goes for them.
    staying = pool.idle + pool.active - turn.retire_overdue - turn.retire_worn
    surplus = min(surplus, max(pool.serving - most, staying - wanted, 0))
    least = min(pool.min_size, most)
    return SizePlan(
        create=create,
        retire_idle=min(surplus, pool.idle),
        target_size=target,
        reap_above=max(least, max(least, target if pool.steered else 0) + turn.kept - pool.starting),
        retire_overdue=turn.retire_overdue,
        retire_worn=turn.retire_worn,
        ahead=turn.ahead,
        spares=turn.wished,
    )


@dataclass(frozen=True, slots=True)
class _Turnover:
    """`ahead`, `wished` (as `spares`): see `SizePlan`; `spare`: replacements that there should be beside what
    is wanted; `kept`: those that stay once they are made."""

    ahead: bool
    spare: int
    kept: int
    wished: int
    retire_overdue: int
    retire_worn: int


def _turnover(pool: PoolFigures, wanted: int, most: int) -> _Turnover:
    """Of the old and the worn a tenth leaves at a time; where there is room, the replacement is ready first.

    Without room the old leave all the same, and the worn serve on until their uses are up."""
    tenth = max(1, pool.serving // 10)
    leave = min(pool.overdue, tenth)
    room = most - wanted
    allowed = room if pool.most_spares is None else min(room, pool.most_spares)
    kept_warm = pool.warm_up or (pool.steered and pool.target_size > 0)
    ahead = kept_warm and allowed > 0
    made = max(pool.wearing, min(pool.spares, pool.serving - wanted))
    wished = max(0, min(pool.max_size - wanted, made)) if kept_warm else 0
    spare = min(room, leave + (min(allowed, pool.wearing) if ahead else 0))
    kept = min(room, leave + (min(allowed, max(pool.wearing, pool.spares)) if ahead else 0))
    ready = pool.idle + pool.active
    retire_overdue = min(leave, max(0, ready - wanted)) if spare else leave
    # One that is nearly worn itself replaces nobody.
    fresh = max(0, ready - pool.overdue - max(pool.wearing, pool.worn) - pool.strangers)
    replaced = pool.worn - max(0, wanted - fresh)
    may_leave = ahead and not pool.waiting
    retire_worn = max(0, min(replaced, tenth - retire_overdue)) if may_leave else 0
    return _Turnover(ahead, spare, kept, wished, retire_overdue, retire_worn)


def share_of_life(agent_id: UUID) -> float:
    """What part of `max_age` and `max_uses` an agent may reach: 0.9 to 1, the same each time, so that agents
    that were made together do not leave together (HikariCP varies its connections' lives likewise)."""
    return 0.9 + 0.1 * (agent_id.int % 1009) / 1009


def target_after_reaping(target_size: int, reaped: int, min_size: int) -> int:
    """An idle time-out takes its agents out of the target too, else they would be made again."""
    return max(min(min_size, target_size), target_size - reaped)
