"""How many agents each pool may have when the installation has a limit for all (`AFLOW_MAX_AGENTS`)."""

from __future__ import annotations

from collections.abc import Sequence
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
    weights = {team.team_id: team.capacity_weight for team in teams.all_limits()}
    claims = [
        Claim(
            pool=str(load.pool_id),
            team=load.team_id,
            weight=weights.get(load.team_id, 1.0),
            leased=load.active,
            wanted=_wanted(load),
            price=float(load.rate),
            waited=load.oldest_wait,
        )
        for load in loads
    ]
    leaving = sum(load.leaving for load in loads)  # these take up their places until they are gone
    if sum(claim.wanted for claim in claims) + leaving <= total:
        return {}
    return {UUID(pool): number for pool, number in allocate(max(0, total - leaving), claims).items()}


def spares(loads: Sequence[PoolLoad]) -> dict[UUID, int]:
    """How many replacements of agents that still serve each pool may make ahead: what all pools leave, shared
    by those at work, whose agents wear. Nothing where nothing limits them."""
    total = settings.AFLOW_MAX_AGENTS
    if not total:
        return {}
    rest = max(0, total - sum(_wanted(load) + load.leaving for load in loads))
    at_work = [load.pool_id for load in loads if load.active]
    each, more = divmod(rest, len(at_work)) if at_work else (0, 0)
    shares = {pool_id: each + (place < more) for place, pool_id in enumerate(at_work)}
    return {load.pool_id: shares.get(load.pool_id, 0) for load in loads}


def _wanted(load: PoolLoad) -> int:
    if load.drained:
        return load.active
    demand = load.active + -(-load.waiting // load.concurrency)
    return min(load.max_size, max(load.target_size, load.min_size if load.warm_up else 0, demand))
