"""Advice on a pool's resources, out of what its agents used."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pools.domain.right_sizing import Advice, PoolUse, advise
from pools.models import Pool, PoolUsage


def advice_for(pool: Pool) -> Advice:
    return _advice(pool, _use_of(pool))


def advice_shape(pool: Pool) -> dict[str, Any]:
    """For people and programs: memory in bytes, CPU in cores."""
    use = _use_of(pool)
    advice = _advice(pool, use)
    return {
        "pool": pool.name,
        "since": datetime.fromtimestamp(use.began, UTC) if use.began is not None else None,
        "cpu": {**asdict(advice.cpu), "differs": advice.cpu.differs},
        "memory": {**asdict(advice.memory), "differs": advice.memory.differs},
        "sentence": advice.sentence,
        "changes": advice.changes,
    }


def _use_of(pool: Pool) -> PoolUse:
    row = PoolUsage.objects.filter(pool=pool, image=pool.image).first()
    return PoolUse.of(row.content) if row is not None else PoolUse()


def _advice(pool: Pool, use: PoolUse) -> Advice:
    return advise(
        use,
        cpu=pool.cpu,
        memory=pool.memory,
        memory_threshold=pool.memory_threshold,
        concurrency=pool.concurrency,
    )
