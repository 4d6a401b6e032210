"""What is known of the use of a pool's agents: written by the controller, applied by people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from aflow_site.kernel.errors import Conflict
from pools.domain.right_sizing import PoolUse
from pools.leases.store import Leases
from pools.models import Pool, PoolUsage
from pools.selectors.usage import advice_for
from pools.services import pools as services


def load(images: Mapping[UUID, str]) -> dict[UUID, PoolUse]:
    """Of pools whose rows are about the image that they have now."""
    rows = PoolUsage.objects.filter(pool_id__in=list(images))
    return {row.pool_id: PoolUse.of(row.content) for row in rows if row.image == images[row.pool_id]}


def save(found: Iterable[tuple[UUID, str, PoolUse]]) -> None:
    for pool_id, image, use in found:
        if Pool.objects.filter(pk=pool_id).exists():
            PoolUsage.objects.update_or_create(
                pool_id=pool_id, defaults={"image": image, "content": use.as_json()}
            )


def apply_advice(team_id: int, name: str, leases: Leases) -> Pool:
    """Sets what is advised; agents are replaced as after any change of resources. Raises `PoolNotFound`, and
    `Conflict` when there is nothing to change."""
    pool = services.find(team_id, name)
    advice = advice_for(pool)
    if not advice.changes:
        raise Conflict(f"There is nothing to change in pool {name}. {advice.sentence}")
    return services.update(team_id, name, advice.changes, leases)
