"""Writing policies, and which one counts for a pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from aflow_site.kernel.errors import Conflict, Fault, InvalidInput, NotFound
from pools.facade import api as pools
from pools.facade.contracts import PoolLoad
from scaling.domain.policies import DEFAULT_PRESET, NAMES, PRESETS, Mode, Policy, faults_of
from scaling.models import ScalingPolicy
from teams.facade import api as teams

SETTABLE = NAMES - {"mode"}


def policy_of(preset: str, values: Mapping[str, Any], mode: str, **base: Any) -> Policy:
    """`base` fills in what neither the preset nor the values say."""
    merged = {**base, **PRESETS[preset], **values, "mode": mode}
    if "prediction" in merged:
        merged["prediction"] = merged["prediction"] in (True, "on")
    if "metrics" in merged:
        merged["metrics"] = tuple(merged["metrics"])
    return Policy(**merged)


def effective(row: ScalingPolicy | None, load: PoolLoad) -> Policy:
    """The policy of a pool, inside the pool's own limits. An agent's idle time-out is never cut short."""
    preset, values, mode = (row.preset, row.values, row.mode) if row else (DEFAULT_PRESET, {}, Mode.ACT.value)
    policy = policy_of(preset, values, mode, min=load.min_size, max=load.max_size)
    most = min(policy.max, load.max_size)
    return replace(
        policy,
        max=most,
        min=min(max(policy.min, load.min_size), most),
        down_window=max(policy.down_window, load.idle_timeout),
    )


def all_policies() -> dict[tuple[int, str, str], ScalingPolicy]:
    """By team, kind (`pool` or `workflow`) and name."""
    return {
        (row.team_id, "pool" if row.pool else "workflow", row.pool or row.workflow or ""): row
        for row in ScalingPolicy.objects.all()
    }


def for_load(rows: Mapping[tuple[int, str, str], ScalingPolicy], load: PoolLoad) -> ScalingPolicy | None:
    """The pool's own policy, else that of the workflow that made it, else of those that count on it the one
    with the shortest waits. None: nobody wrote one."""
    own = rows.get((load.team_id, "pool", load.name))
    if own is not None:
        return own
    if load.workflow is not None:
        return rows.get((load.team_id, "workflow", load.workflow))
    users = [row for name in load.used_by if (row := rows.get((load.team_id, "workflow", name)))]
    return min(users, key=_generosity, default=None)


def _generosity(row: ScalingPolicy) -> tuple[bool, float]:
    policy = policy_of(row.preset, row.values, row.mode)
    return policy.mode == Mode.OFF, policy.target_utilization


@dataclass(frozen=True, slots=True)
class InForce:
    """What counts for a pool now. `row`: None when nobody wrote a policy for it; `steered`: whether its size
    is decided at all, or follows the work at hand."""

    pool: str
    row: ScalingPolicy | None
    policy: Policy
    steered: bool


def in_force(team_id: int) -> list[InForce]:
    """Of every pool of the team. Raises `ConnectionError` without Redis."""
    rows = all_policies()
    found = []
    for load in pools.load():
        if load.team_id == team_id:
            row = for_load(rows, load)
            steered = row.mode != Mode.OFF if row else load.warm_up
            found.append(InForce(load.name, row, effective(row, load), steered))
    return sorted(found, key=lambda one: one.pool)


# --- written by people ------------------------------------------------------------------------------------


def create(team_id: int, data: Mapping[str, Any], *, author: str) -> ScalingPolicy:
    """`data`: pool or workflow, and any of preset, mode and a policy's fields.

    Raises InvalidInput, Conflict, NotFound."""
    row = ScalingPolicy(team_id=team_id, pool=data.get("pool"), workflow=data.get("workflow"))
    if (row.pool is None) == (row.workflow is None):
        fault = Fault("pool", "Name the pool, or else the workflow, that the policy is for.")
        raise InvalidInput("The policy is not valid.", faults=[fault])
    if row.pool is not None:
        pools.get_pool(team_id, row.pool)  # raises NotFound
    _fill(row, data)
    try:
        with transaction.atomic():
            row.save()
            _audit(row, "created", author)
    except IntegrityError as exc:
        raise Conflict(f"{row.pool or row.workflow} has a policy already; change that one.") from exc
    return row


def change(team_id: int, policy_id: UUID, data: Mapping[str, Any], *, author: str) -> ScalingPolicy:
    """What is not named stays; a field that is set to None goes back to the preset's. Raises InvalidInput."""
    with transaction.atomic():
        row = ScalingPolicy.objects.select_for_update().filter(team_id=team_id, pk=policy_id).first()
        if row is None:
            raise NotFound("There is no such policy.")
        _fill(row, data)
        row.save()
        _audit(row, "changed", author)
    return row


def delete(team_id: int, policy_id: UUID, *, author: str) -> None:
    """The default policy counts from then on. Raises NotFound."""
    with transaction.atomic():
        row = ScalingPolicy.objects.filter(team_id=team_id, pk=policy_id).first()
        if row is None:
            raise NotFound("There is no such policy.")
        _audit(row, "deleted", author)
        row.delete()


def set_for_workflow(team_id: int, workflow: str, data: Mapping[str, Any] | None) -> None:
    """The policy that a workflow's document states; None: it states none. Raises InvalidInput."""
    rows = ScalingPolicy.objects.filter(team_id=team_id, workflow=workflow)
    if data is None:
        rows.delete()
        return
    row = rows.first() or ScalingPolicy(team_id=team_id, workflow=workflow)
    row.values = {}
    _fill(row, data)
    row.save()


def check(data: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with the values, each by its field; limits of a pool are not known here."""
    try:
        _fill(ScalingPolicy(), data)
    except InvalidInput as exc:
        return list(exc.faults)
    return []


def _fill(row: ScalingPolicy, data: Mapping[str, Any]) -> None:
    row.preset = data.get("preset") or row.preset
    row.mode = data.get("mode") or row.mode
    values = dict(row.values)
    for name in SETTABLE & data.keys():
        if data[name] is None:
            values.pop(name, None)
        else:
            values[name] = _stored(name, data[name])
    row.values = values
    base = {"max": 10_000} if "max" not in values else {}
    if faults := faults_of(policy_of(row.preset, values, row.mode, **base)):
        raise InvalidInput("The policy is not valid.", faults=faults)


def _stored(name: str, value: Any) -> Any:
    """As JSON holds it, and as people wrote it: a YAML document's `on` is true."""
    match name:
        case "metrics":
            return list(value)
        case "prediction":
            return "on" if value in (True, "on") else "off"
    return value


def _audit(row: ScalingPolicy, verb: str, author: str) -> None:
    kind = "pool" if row.pool else "workflow"
    teams.audit(
        row.team_id, actor=author, action=f"policy.{verb}", target=f"{kind}/{row.pool or row.workflow}"
    )
