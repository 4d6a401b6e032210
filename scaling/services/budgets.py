"""Writing budgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import IntegrityError, transaction

from aflow_site.kernel.errors import Conflict, Fault, InvalidInput, NotFound
from pools.facade import api as pools
from pools.facade.contracts import PoolNotFound
from scaling.domain.budgets import Scope
from scaling.models import Budget
from scaling.selectors.budgets import sentence_of
from teams.facade import api as teams

CHANGEABLE = ("limit", "mode", "timezone")
_workflows: list[Callable[[int, str], bool]] = []  # whoever has them, above, says whether a team has one
MOST = Decimal(10**6)  # of the currency; the ledger's whole numbers hold nine times that


def ask_for_workflows(exists: Callable[[int, str], bool]) -> None:
    """`exists`: whether the team has a workflow of that name."""
    _workflows.append(exists)


def create(team_id: int, data: Mapping[str, Any], *, author: str) -> Budget:
    """Raises InvalidInput with every fault, Conflict."""
    row = Budget(
        team_id=team_id,
        scope=data["scope"],
        target=data.get("target") or "",
        period=data["period"],
        timezone=data.get("timezone", "UTC"),
        currency=data.get("currency", settings.AFLOW_CURRENCY),
        limit=data["limit"],
        mode=data.get("mode", Budget._meta.get_field("mode").default),
    )
    _check(row, new=True)
    try:
        with transaction.atomic():
            row.save()
            _audit(row, "created", author)
    except IntegrityError as exc:
        raise Conflict(f"There is a budget of {sentence_of(row)} already; change that one.") from exc
    return row


def change(team_id: int, budget_id: UUID, data: Mapping[str, Any], *, author: str) -> Budget:
    """What is not named stays. Raises InvalidInput, NotFound."""
    with transaction.atomic():
        row = Budget.objects.select_for_update().filter(team_id=team_id, pk=budget_id).first()
        if row is None:
            raise NotFound("There is no such budget.")
        for name in CHANGEABLE:
            setattr(row, name, data.get(name, getattr(row, name)))
        _check(row, new=False)
        row.save()
        _audit(row, "changed", author)
    return row


def delete(team_id: int, budget_id: UUID, *, author: str) -> None:
    """What waits for it goes on. Raises NotFound."""
    with transaction.atomic():
        row = Budget.objects.filter(team_id=team_id, pk=budget_id).first()
        if row is None:
            raise NotFound("There is no such budget.")
        _audit(row, "deleted", author)
        row.delete()


def _check(row: Budget, *, new: bool) -> None:
    faults = []
    if row.scope == Scope.TEAM and row.target:
        faults.append(Fault("target", "A team's budget has no target: leave it out."))
    if row.scope != Scope.TEAM and not row.target:
        faults.append(Fault("target", f"Name the {row.scope} that it is for."))
    if row.target and new:
        faults += _target_faults(row)
    try:
        ZoneInfo(row.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        faults.append(
            Fault("timezone", f"{row.timezone[:60]!r} is no time zone; write one such as Europe/Berlin.")
        )
    if row.currency != settings.AFLOW_CURRENCY:
        faults.append(
            Fault("currency", f"Prices here are in {settings.AFLOW_CURRENCY}, and nothing is converted.")
        )
    if not 0 <= row.limit <= MOST:
        faults.append(Fault("limit", f"From 0 to {MOST}."))
    if faults:
        raise InvalidInput("The budget is not valid.", faults=faults)


def _target_faults(row: Budget) -> list[Fault]:
    """Whether there is such a pool or workflow now; a budget stays when it goes."""
    sentence = f"There is no {row.scope} {row.target} in this team."
    if row.scope == Scope.WORKFLOW and not all(exists(row.team_id, row.target) for exists in _workflows):
        return [Fault("target", sentence)]
    if row.scope == Scope.POOL:
        try:
            pool = pools.get_pool(row.team_id, row.target)
        except PoolNotFound:
            return [Fault("target", sentence)]
        if pool.team_id != row.team_id:
            return [Fault("target", f"Pool {row.target} belongs to team {pool.team}, which pays.")]
    return []


def _audit(row: Budget, verb: str, author: str) -> None:
    teams.audit(row.team_id, actor=author, action=f"budget.{verb}", target=sentence_of(row))
