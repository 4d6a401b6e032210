"""How many agents each pool may have when the installation has a limit for all (`AFLOW_MAX_AGENTS`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.conf import settings

from pools.facade.contracts import PoolLoad
from scaling.domain.allocation import Claim, allocate
from teams.facade import api as teams


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


def spares(loads: Sequence[PoolLoad]) -> dict[UUID, int]:
    """How many replacements of agents that still serve each pool may have: of what all pools leave. Nothing
    where nothing limits them."""
    total = settings.AFLOW_MAX_AGENTS
    if not total:
        return {}
    rest = total - sum(_wanted(load) + load.leaving for load in loads)
    claims = [_claim(load, 0, 0 if load.drained else load.spares) for load in loads]
    return _allocated(max(0, rest), claims)


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
