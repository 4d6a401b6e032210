"""From a pool's row to the rules by which it is leased."""

from __future__ import annotations

from pools.leases.rules import LeaseRules
from pools.models import Pool


def rules_of(pool: Pool) -> LeaseRules:
    return LeaseRules(team_id=pool.team_id, max_uses=pool.max_uses, closed=pool.deleted_at is not None)
