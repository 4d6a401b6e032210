"""Writes about pools: made, changed, deleted, resized. The row is the truth; Redis and the controller are
told after the commit, and find out by themselves when that message is lost."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import redis
from django.db import IntegrityError, transaction

from aflow_site.kernel.errors import Conflict, Fault, InvalidInput
from pools.domain.agents import EndReason
from pools.facade.contracts import PoolNotFound, PoolSpec
from pools.leases.store import Leases
from pools.models import Pool
from pools.models.pools import NAME_PATTERN
from pools.runtime.base import BUILT_IN_IMAGE

log = logging.getLogger(__name__)

MOST_AGENTS = 1000
DEFAULTS: Mapping[str, Any] = {
    "min_size": 0,
    "max_size": 10,
    "warm_up": True,
    "max_uses": 100,
    "idle_timeout": 300.0,
}


def settings_of(spec: PoolSpec) -> dict[str, Any]:
    """The fields that the spec sets."""
    values = {name: getattr(spec, name) for name in DEFAULTS}
    return {name: value for name, value in values.items() if value is not None}


def validate(values: Mapping[str, Any], name: str | None = None) -> None:
    """All faults at once. Raises `InvalidInput`."""
    faults = []
    if name is not None and not re.match(NAME_PATTERN, name):
        faults.append(
            Fault(
                "name",
                "Use 1 to 128 letters, digits, dots, dashes, underscores; start with a letter or digit.",
            )
        )
    if values["min_size"] < 0:
        faults.append(Fault("min_size", "It must be 0 or more."))
    if not 1 <= values["max_size"] <= MOST_AGENTS:
        faults.append(Fault("max_size", f"It must be between 1 and {MOST_AGENTS}."))
    if values["min_size"] > values["max_size"]:
        faults.append(Fault("min_size", f"It must not be above max_size ({values['max_size']})."))
    if values["max_uses"] < 1:
        faults.append(Fault("max_uses", "It must be 1 or more."))
    if not 0 < values["idle_timeout"] <= 30 * 86400:
        faults.append(Fault("idle_timeout", "It must be more than 0 seconds and at most 30 days."))
    if faults:
        raise InvalidInput("The pool's settings are not valid.", faults=faults)


def find(team_id: int, name: str) -> Pool:
    pool = Pool.objects.filter(team_id=team_id, name=name, deleted_at__isnull=True).first()
    if pool is None:
        raise PoolNotFound(f"There is no pool named {name} in this team.")
    return pool


def create(team_id: int, spec: PoolSpec, leases: Leases, *, workflow: str | None = None) -> Pool:
    """Raises `Conflict` when the name is taken."""
    values = {**DEFAULTS, **settings_of(spec)}
    if spec.max_size is None:
        values["max_size"] = max(values["max_size"], values["min_size"])
    validate(values, spec.name)
    first_size = values["min_size"] if values["warm_up"] else 0
    try:
        with transaction.atomic():
            pool = Pool.objects.create(
                team_id=team_id,
                name=spec.name,
                image=spec.image or BUILT_IN_IMAGE,
                target_size=first_size,
                workflow=workflow,
                **values,
            )
    except IntegrityError as exc:
        raise Conflict(f"There is a pool named {spec.name} already.") from exc
    _tell(pool, leases)
    return pool


def ensure(team_id: int, spec: PoolSpec, leases: Leases, *, workflow: str | None = None) -> Pool:
    """Makes the pool, or brings it to what the spec sets; what the spec leaves out stays as it is.

    Raises `Conflict` when a workflow asks for a pool that is not its own.
    """
    pool = Pool.objects.filter(team_id=team_id, name=spec.name, deleted_at__isnull=True).first()
    if pool is None:
        try:
            return create(team_id, spec, leases, workflow=workflow)
        except Conflict:
            pool = find(team_id, spec.name)  # made by somebody else at this moment
    changes = {**settings_of(spec), "image": spec.image or BUILT_IN_IMAGE}
    if workflow is not None and pool.workflow != workflow:
        owner = f"belongs to the workflow {pool.workflow}" if pool.workflow else "was not made by a workflow"
        raise Conflict(
            f"A step of {workflow} needs a pool of its own named {spec.name}, but the pool of that name "
            f"{owner}. Rename the step, or delete that pool."
        )
    if all(getattr(pool, name) == value for name, value in changes.items()):
        return pool
    return update(team_id, spec.name, changes, leases)


def update(team_id: int, name: str, changes: Mapping[str, Any], leases: Leases) -> Pool:
    """Changes settings (and the image: agents of the old one are replaced as they end)."""
    with transaction.atomic():
        pool = find(team_id, name)
        pool = Pool.objects.select_for_update().get(pk=pool.pk)
        before = pool.image
        for field, value in changes.items():
            setattr(pool, field, value)
        if "max_size" in changes and "min_size" not in changes:
            pool.min_size = min(pool.min_size, pool.max_size)
        elif "min_size" in changes and "max_size" not in changes:
            pool.max_size = max(pool.max_size, pool.min_size)
        validate({name: getattr(pool, name) for name in DEFAULTS})
        floor = pool.min_size if pool.warm_up else 0
        pool.target_size = max(floor, min(pool.target_size, pool.max_size))
        pool.save()
    _tell(pool, leases, new_image=pool.image != before)
    return pool


def delete(team_id: int, name: str, leases: Leases) -> None:
    """No new leases from now on; running ones finish; the row goes with the last agent."""
    pool = find(team_id, name)
    pool.deleted_at = datetime.now(UTC)
    pool.save(update_fields={"deleted_at", "updated_at"})
    _tell(pool, leases)


def set_target(pool_id: UUID, size: int, leases: Leases) -> int:
    """Clamped to the pool's limits; returns the size that was set."""
    with transaction.atomic():
        pool = Pool.objects.select_for_update().filter(pk=pool_id, deleted_at__isnull=True).first()
        if pool is None:
            raise PoolNotFound("The pool is gone.")
        floor = pool.min_size if pool.warm_up else 0
        pool.target_size = max(floor, min(size, pool.max_size))
        pool.save(update_fields={"target_size", "updated_at"})
    leases.nudge(str(pool.pk))
    return pool.target_size


def _tell(pool: Pool, leases: Leases, *, new_image: bool = False) -> None:
    try:
        if new_image:
            leases.drain_all(pool.pk, EndReason.RECYCLED)
        leases.put_pool(pool.pk, pool.team_id, pool.max_uses, closed=pool.deleted_at is not None)
        leases.nudge(str(pool.pk))
    except redis.RedisError as exc:
        log.warning("Redis was not told of pool %s (%s); the controller will tell it", pool.name, exc)
