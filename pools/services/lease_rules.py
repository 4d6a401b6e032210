"""From a pool's row to the rules by which it is leased."""

from __future__ import annotations

from pools.domain.settings import Isolation
from pools.leases.rules import LeaseRules
from pools.models import Pool


def rules_of(pool: Pool) -> LeaseRules:
    """Asks the database for the teams that share it, unless they were fetched with the row."""
    return LeaseRules(
        team_id=pool.team_id,
        max_uses=pool.max_uses,
        max_size=pool.max_size,
        closed=pool.deleted_at is not None,
        drained=pool.drained_at is not None,
        assignment=pool.assignment,
        errors=pool.error_threshold,
        max_age=pool.max_age,
        mixes=pool.isolation == Isolation.SHARED,
        weight=pool.weight,
        shares={share.team_id: share.weight for share in pool.shares.all()},
    )
