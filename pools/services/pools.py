"""Writes about pools: made, changed, deleted, resized. The row is the truth; Redis and the controller are
told after the commit, and find out by themselves when that message is lost."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from aflow_site.kernel.errors import Conflict, Fault, InvalidInput
from aflow_site.kernel.requirements import canonical_all
from pools.domain.agents import EndReason
from pools.domain.limits import MOST_AGENTS, faults_of_name
from pools.domain.settings import DEFAULTS, PRESETS, faults_of
from pools.facade.contracts import PoolNotFound, PoolSpec
from pools.leases.store import Leases
from pools.models import Pool, PoolShare, PoolUse
from pools.runtime.base import BUILT_IN_IMAGE
from pools.runtime.choose import NO_REQUIREMENTS
from pools.services.lease_rules import rules_of
from teams.facade.api import team_ids

log = logging.getLogger(__name__)


LEAST_WEIGHT, MOST_WEIGHT = 0.01, 100.0
MOST_PRICE = 100_000.0


def settings_of(spec: PoolSpec) -> dict[str, Any]:
    """The settings that the spec makes, by name or by its preset."""
    values = {name: getattr(spec, name) for name in DEFAULTS}
    preset = PRESETS[spec.preset] if spec.preset is not None else {}
    return _in_form({**preset, **{name: value for name, value in values.items() if value is not None}})


def _in_form(values: Mapping[str, Any]) -> dict[str, Any]:
    """Requirements as rows have them; those that have no such form are told by `_validate`."""
    found = dict(values)
    if "requirements" in found:
        with contextlib.suppress(ValueError):
            found["requirements"] = list(canonical_all(found["requirements"]))
    return found


def _validate(values: Mapping[str, Any], *more: Fault) -> None:
    """All faults at once. Raises `InvalidInput`."""
    faults = [*more, *faults_of(values)]
    if faults:
        raise InvalidInput("The pool's settings are not valid.", faults=faults)


def _faults_here(values: Mapping[str, Any]) -> list[Fault]:
    """Of settings that this site's runtime cannot give its agents."""
    here = settings.AFLOW_RUNTIME
    faults = []
    if values.get("requirements") and here in NO_REQUIREMENTS:
        faults.append(Fault("requirements", NO_REQUIREMENTS[here]))
    return faults


def find(team_id: int, name: str, rows: QuerySet[Pool] | None = None) -> Pool:
    """`rows`: where to look; the team's own pools when left out."""
    rows = Pool.objects.filter(team_id=team_id) if rows is None else rows
    pool = rows.filter(name=name, deleted_at__isnull=True).first()
    if pool is None:
        raise PoolNotFound(f"There is no pool named {name} in this team.")
    return pool


def _new_values(spec: PoolSpec) -> dict[str, Any]:
    """The settings of a new pool."""
    values = {"image": spec.image or BUILT_IN_IMAGE, **DEFAULTS, **settings_of(spec)}
    if spec.max_size is None:
        values["max_size"] = min(MOST_AGENTS, max(values["max_size"], values["min_size"]))
    return values


def create(team_id: int, spec: PoolSpec, leases: Leases, *, workflow: str | None = None) -> Pool:
    """Raises `Conflict` when the name is taken, `InvalidInput` with every fault."""
    values = _new_values(spec)
    _validate(values, *faults_of_name(spec.name, of_a_step=workflow is not None), *_faults_here(values))
    first_size = values["min_size"] if values["warm_up"] else 0
    try:
        with transaction.atomic():
            pool = Pool.objects.create(
                team_id=team_id,
                name=spec.name,
                target_size=first_size,
                workflow=workflow,
                weight=_weight(spec.weight),
                price=_price(spec.price),
                **values,
            )
            _set_shares(pool, spec.shares)
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
    _check_owner(pool, workflow)
    if all(getattr(pool, name) == value for name, value in changes.items()):
        return pool
    return update(team_id, spec.name, changes, leases)


def check(team_id: int, spec: PoolSpec, *, workflow: str | None = None) -> None:
    """Raises what `ensure` would raise, and changes nothing."""
    values = _new_values(spec)
    _validate(values, *faults_of_name(spec.name, of_a_step=workflow is not None), *_faults_here(values))
    pool = Pool.objects.filter(team_id=team_id, name=spec.name, deleted_at__isnull=True).first()
    if pool is not None:
        _check_owner(pool, workflow)


def _check_owner(pool: Pool, workflow: str | None) -> None:
    if workflow is not None and pool.workflow != workflow:
        owner = f"belongs to the workflow {pool.workflow}" if pool.workflow else "was not made by a workflow"
        raise Conflict(
            f"A step of {workflow} needs a pool of its own named {pool.name}, but the pool of that name "
            f"{owner}. Rename the step, or delete that pool."
        )


def update(team_id: int, name: str, changes: Mapping[str, Any], leases: Leases) -> Pool:
    """Changes settings. When they change what agents are made of, the old agents are replaced as they end."""
    changes = _in_form(changes)
    preset, shares = changes.pop("preset", None), changes.pop("shares", None)
    if "weight" in changes:
        _weight(changes["weight"])
    if "price" in changes:
        changes["price"] = _price(changes["price"])
    changes = {**(PRESETS[preset] if preset else {}), **changes}
    with transaction.atomic():
        pool = find(team_id, name, Pool.objects.select_for_update().filter(team_id=team_id))
        recipe, template = pool.recipe, pool.template
        for field, value in changes.items():
            setattr(pool, field, value)
        if "max_size" in changes and "min_size" not in changes:
            pool.min_size = min(pool.min_size, pool.max_size)
        elif "min_size" in changes and "max_size" not in changes:
            pool.max_size = max(pool.max_size, pool.min_size)
        _validate({"image": pool.image, **pool.settings}, *_faults_here(changes))
        floor = pool.min_size if pool.warm_up else 0
        pool.target_size = max(floor, min(pool.target_size, pool.max_size))
        if pool.recipe != recipe:
            pool.problem = pool.problem_kind = None  # what was known of the other image, or place
        pool.save()
        _set_shares(pool, shares)
    _tell(pool, leases, remade=pool.template != template)
    return pool


def _weight(weight: float | None) -> float:
    if weight is not None and not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
        fault = Fault("weight", f"It must be between {LEAST_WEIGHT:g} and {MOST_WEIGHT:g}.")
        raise InvalidInput("The pool's settings are not valid.", faults=[fault])
    return 1.0 if weight is None else weight


def _price(price: float | None) -> Decimal | None:
    if price is not None and not 0 <= price <= MOST_PRICE:
        fault = Fault("price", f"It must be between 0 and {MOST_PRICE:g}.")
        raise InvalidInput("The pool's settings are not valid.", faults=[fault])
    return None if price is None else Decimal(str(price)).quantize(Decimal("0.000001"))


def _set_shares(pool: Pool, shares: Mapping[str, float] | None) -> None:
    """The teams that may lease from the pool, beside its own; None leaves them as they are."""
    if shares is None:
        return
    teams = team_ids(shares)
    faults = []
    for slug, weight in shares.items():
        if slug not in teams:
            faults.append(Fault(f"shares.{slug}", f"There is no team {slug}."))
        elif teams[slug] == pool.team_id:
            faults.append(Fault(f"shares.{slug}", "The pool is this team's own; set its weight instead."))
        elif not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
            sentence = f"The weight must be between {LEAST_WEIGHT:g} and {MOST_WEIGHT:g}."
            faults.append(Fault(f"shares.{slug}", sentence))
    if faults:
        raise InvalidInput("The pool's settings are not valid.", faults=faults)
    pool.shares.all().delete()
    PoolShare.objects.bulk_create(
        PoolShare(pool=pool, team_id=teams[slug], weight=weight) for slug, weight in shares.items()
    )


def note_uses(team_id: int, workflow: str, names: Iterable[str]) -> None:
    """Which pools the workflow counts on, from now on. Inside the transaction that saves it."""
    wanted = set(names)
    known = PoolUse.objects.filter(team_id=team_id, workflow=workflow)
    known.exclude(pool__in=wanted).delete()
    missing = wanted - set(known.values_list("pool", flat=True))
    PoolUse.objects.bulk_create(
        (PoolUse(team_id=team_id, workflow=workflow, pool=name) for name in missing), ignore_conflicts=True
    )


def users_of(team_id: int, name: str) -> list[str]:
    """The workflows that count on the pool, by name."""
    uses = PoolUse.objects.filter(team_id=team_id, pool=name).order_by("workflow")
    return list(uses.values_list("workflow", flat=True))


def check_unused(team_id: int, name: str) -> None:
    """Raises `Conflict` while a workflow counts on the pool, `PoolNotFound`."""
    find(team_id, name)
    users = users_of(team_id, name)
    if users:
        named = ", ".join(users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
        raise Conflict(
            f"Pool {name} is used by {named}, and their steps would fail without it. Save them with another "
            "pool first, or delete it all the same with ?force=true."
        )


def delete(team_id: int, name: str, leases: Leases) -> None:
    """No new leases from now on; running ones finish; the row goes with the last agent."""
    pool = find(team_id, name)
    pool.deleted_at = datetime.now(UTC)
    pool.save(update_fields={"deleted_at", "updated_at"})
    _tell(pool, leases)


def drain(team_id: int, name: str, within: float | None, leases: Leases) -> Pool:
    """No new leases until it is resumed; running ones finish, within so many seconds where a limit is set."""
    now = datetime.now(UTC)
    by = None if within is None else now + timedelta(seconds=within)
    return _change(team_id, name, leases, drained_at=now, drain_by=by)


def resume(team_id: int, name: str, leases: Leases) -> Pool:
    """Takes a drain back."""
    return _change(team_id, name, leases, drained_at=None, drain_by=None)


def recycle(team_id: int, name: str, leases: Leases) -> Pool:
    """Every agent is replaced: idle ones now, leased ones after their lease."""
    pool = find(team_id, name)
    leases.drain_all(pool.pk, EndReason.RECYCLED)
    _nudge(pool, leases)
    return pool


def _change(team_id: int, name: str, leases: Leases, **values: Any) -> Pool:
    pool = find(team_id, name)
    for field, value in values.items():
        setattr(pool, field, value)
    pool.save(update_fields={*values, "updated_at"})
    _tell(pool, leases)
    return pool


def set_target(pool_id: UUID, size: int, leases: Leases) -> int:
    """Clamped to the pool's limits; returns the size that was set."""
    with transaction.atomic():
        pool = Pool.objects.select_for_update().filter(pk=pool_id, deleted_at__isnull=True).first()
        if pool is None:
            raise PoolNotFound("The pool is gone.")
        floor = pool.min_size if pool.warm_up else 0
        pool.target_size = max(floor, min(size, pool.max_size))
        pool.save(update_fields={"target_size", "updated_at"})
    transaction.on_commit(lambda: _nudge(pool, leases))
    return pool.target_size


def _nudge(pool: Pool, leases: Leases) -> None:
    with contextlib.suppress(redis.RedisError):  # the controller's timer will do
        leases.nudge(str(pool.pk))


def _tell(pool: Pool, leases: Leases, *, remade: bool = False) -> None:
    transaction.on_commit(lambda: _tell_now(pool, leases, remade=remade))


def _tell_now(pool: Pool, leases: Leases, *, remade: bool) -> None:
    try:
        if remade:
            leases.drain_all(pool.pk, EndReason.RECYCLED)
        leases.put_pool(pool.pk, rules_of(pool))
        leases.nudge(str(pool.pk))
    except redis.RedisError as exc:
        log.warning("Redis was not told of pool %s (%s); the controller will tell it", pool.name, exc)
