"""What teams are alerted of about their pools: that agents cannot be made, and that too many wait for them.

Looks at how things stand, so that nothing depends on having seen them change. Does not: send alerts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from uuid import UUID

from pools.domain.saturation import Saturation, SaturationRule
from pools.leases.scripts import QueueFigures
from pools.leases.store import AsyncLeases
from pools.models import Pool
from pools.services.controller.registry import Registry, in_database
from teams.facade import alerts
from teams.facade.alerts import AlertKind, Cause

EVERY = 2.0  # seconds
KINDS = (AlertKind.CREATION, AlertKind.SATURATION)


class Alarms:
    def __init__(self, registry: Registry, leases: AsyncLeases, rule: SaturationRule) -> None:
        self._registry = registry
        self._leases = leases
        self.rule = rule
        self._saturations: dict[UUID, Saturation] = {}

    async def look(self) -> None:
        """Raises ConnectionError; nothing is said then, and what was said stays."""
        pools = [pool for pool in self._registry.pools.values() if pool.deleted_at is None]
        figures = await self._leases.figures([pool.pk for pool in pools]) if pools else {}
        known = await in_database(alerts.open_subjects, AlertKind.SATURATION)
        now = time.monotonic()
        causes = [_creation(pool) for pool in pools if pool.problem is not None]
        for pool in pools:
            seen = figures.get(pool.pk, QueueFigures())
            if self._saturation(pool, known).see(seen.waiting, now, self.rule):
                causes.append(_saturation(pool, seen, self.rule))
        self._forget({pool.pk: pool for pool in pools})
        await in_database(partial(alerts.settle, KINDS, causes))

    def _saturation(self, pool: Pool, known: set[tuple[int, str]]) -> Saturation:
        """A controller that begins goes on from what the one before it said."""
        found = self._saturations.get(pool.pk)
        if found is None:
            was = (pool.team_id, subject_of(pool)) in known
            found = self._saturations[pool.pk] = Saturation(saturated=was)
        return found

    def _forget(self, pools: Mapping[UUID, Pool]) -> None:
        for pool_id in set(self._saturations) - set(pools):
            del self._saturations[pool_id]


def subject_of(pool: Pool) -> str:
    return f"pool/{pool.name}"


def _creation(pool: Pool) -> Cause:
    facts = {
        "sentence": f"Pool {pool.name} cannot make agents: {pool.problem}",
        "pool": pool.name,
        "problem": pool.problem_kind,
    }
    return Cause(pool.team_id, AlertKind.CREATION, subject_of(pool), facts)


def _saturation(pool: Pool, seen: QueueFigures, rule: SaturationRule) -> Cause:
    facts = {
        "sentence": (
            f"{seen.waiting} wait for agents of pool {pool.name}, which has {pool.max_size} at most; the "
            f"first of them for {seen.oldest_ms / 1000:.0f} s."
        ),
        "pool": pool.name,
        "waiting": seen.waiting,
        "threshold": rule.waiting,
        "for_seconds": rule.seconds,
    }
    return Cause(pool.team_id, AlertKind.SATURATION, subject_of(pool), facts)
