"""How many agents each pool may have when the installation has a limit for all (`AFLOW_MAX_AGENTS`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.conf import settings

from pools.facade.contracts import PoolLoad
from scaling.domain.allocation import Claim, allocate
from teams.facade import api as teams

STEADY = 30.0  # seconds in which a place must have been free, for a replacement ahead of time


def rooms(loads: Sequence[PoolLoad]) -> dict[UUID, int]:
    """By pool; nothing where nothing limits them, or there is enough for all."""
    total = settings.AFLOW_MAX_AGENTS
    if not total:
        return {}
    claims = [_claim(load, load.active, _wanted(load)) for load in loads]
    leaving = sum(load.leaving for load in loads)  # these take up their places until they are gone
    if sum(claim.wanted for claim in claims) + leaving <= total:
        return {}
    return _allocated(max(0, total - leaving), claims)


class Rest:
    """What all pools leave of the installation's limit: the least of the last half minute, or replacements
    would be made of a place whenever an agent of another pool is between its end and its successor."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def spares(self, loads: Sequence[PoolLoad], now: float) -> dict[UUID, int]:
        """How many replacements of agents that still serve each pool may have. Nothing where nothing limits
        them. `now`: monotonic, in seconds."""
        total = settings.AFLOW_MAX_AGENTS
        if not total:
            return {}
        self._seen.append((now, total - sum(_wanted(load) + load.leaving for load in loads)))
        while self._seen[0][0] < now - STEADY:
            self._seen.popleft()
        claims = [_claim(load, 0, 0 if load.drained else load.spares) for load in loads]
        return _allocated(max(0, min(rest for _, rest in self._seen)), claims)


def _claim(load: PoolLoad, leased: int, wanted: int) -> Claim:
    return Claim(
        pool=str(load.pool_id),
        team=load.team_id,
        weight=1.0,
        leased=leased,
        wanted=wanted,
        price=float(load.rate),
        waited=load.oldest_wait,
    )


def _allocated(total: int, claims: Sequence[Claim]) -> dict[UUID, int]:
    weights = {team.team_id: team.capacity_weight for team in teams.all_limits()}
    weighed = [replace(claim, weight=weights.get(claim.team, 1.0)) for claim in claims]
    return {UUID(pool): number for pool, number in allocate(total, weighed).items()}


def _wanted(load: PoolLoad) -> int:
    if load.drained:
        return load.active
    demand = load.active + -(-load.waiting // load.concurrency)
    return min(load.max_size, max(load.target_size, load.min_size if load.warm_up else 0, demand))
