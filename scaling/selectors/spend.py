"""Reads of the ledger. Amounts in billionths of the currency, times in milliseconds of agents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, Sum

from scaling.domain.budgets import Scope
from scaling.models import Budget, CapacitySpend, WorkSpend


@dataclass(frozen=True, slots=True)
class Line:
    """`busy` of the whole was at work; the rest lay idle. Never below zero: work is counted when its run
    ended, or, where its workflow has a budget, as it goes."""

    name: str
    milliseconds: int
    nanos: int
    busy_milliseconds: int
    busy_nanos: int

    @property
    def idle_milliseconds(self) -> int:
        return self.milliseconds - self.busy_milliseconds

    @property
    def idle_nanos(self) -> int:
        return self.nanos - self.busy_nanos


def _line(name: str, whole: tuple[int, int], busy: tuple[int, int]) -> Line:
    return Line(name, max(whole[0], busy[0]), max(whole[1], busy[1]), *busy)


def _sums(rows: object, by: str) -> dict[str, tuple[int, int]]:
    found = rows.values_list(by).order_by(by).annotate(Sum("milliseconds"), Sum("nanos"))  # type: ignore[attr-defined]
    return {name: (milliseconds, nanos) for name, milliseconds, nanos in found}


def by_pool(team_id: int, since: datetime, until: datetime) -> list[Line]:
    """What the team's pools cost, the dearest first."""
    within = {"bin__gte": since, "bin__lt": until}
    whole = _sums(CapacitySpend.objects.filter(team_id=team_id, **within), "pool")
    busy = _sums(WorkSpend.objects.filter(owner_id=team_id, **within), "pool")
    lines = [_line(name, whole.get(name, (0, 0)), busy.get(name, (0, 0))) for name in {*whole, *busy}]
    return sorted(lines, key=lambda line: (-line.nanos, line.name))


def by_workflow(team_id: int, since: datetime, until: datetime) -> list[Line]:
    """What the team's workflows used: all that their own pools cost, and their work in others'."""
    within = {"bin__gte": since, "bin__lt": until}
    own = _sums(CapacitySpend.objects.filter(team_id=team_id, **within).exclude(workflow=""), "workflow")
    rows = WorkSpend.objects.filter(team_id=team_id, **within).exclude(workflow="")
    inside, outside = _sums(rows.filter(own=True), "workflow"), _sums(rows.filter(own=False), "workflow")
    lines = []
    for name in {*own, *inside, *outside}:
        mine, there = inside.get(name, (0, 0)), outside.get(name, (0, 0))
        whole = own.get(name, (0, 0))
        whole = (max(whole[0], mine[0]) + there[0], max(whole[1], mine[1]) + there[1])
        lines.append(_line(name, whole, (mine[0] + there[0], mine[1] + there[1])))
    return sorted(lines, key=lambda line: (-line.nanos, line.name))


def of_team(team_id: int, name: str, since: datetime, until: datetime) -> Line:
    """The sum of its pools."""
    return total(name, by_pool(team_id, since, until))


def total(name: str, lines: Sequence[Line]) -> Line:
    return Line(
        name,
        sum(line.milliseconds for line in lines),
        sum(line.nanos for line in lines),
        sum(line.busy_milliseconds for line in lines),
        sum(line.busy_nanos for line in lines),
    )


class Tally:
    """What budgets have paid, at one look: budgets of a team with the same times share a reading."""

    def __init__(self) -> None:
        self._read: dict[tuple[object, ...], list[tuple[str, str, int, int]]] = {}

    def paid(self, budget: Budget, start: datetime, lately: datetime, end: datetime) -> tuple[int, int]:
        """Up to `end`: since `start`, and since `lately`."""
        times = (budget.team_id, start, lately, end)
        found = [
            (nanos, recent)
            for pool, workflow, nanos, recent in self._sums(CapacitySpend.objects.all(), "capacity", *times)
            if budget.scope == Scope.TEAM
            or budget.target == (pool if budget.scope == Scope.POOL else workflow)
        ]
        if budget.scope == Scope.WORKFLOW:
            elsewhere = self._sums(WorkSpend.objects.filter(own=False), "work", *times)
            found += [(nanos, recent) for _, name, nanos, recent in elsewhere if name == budget.target]
        return sum(nanos for nanos, _ in found), sum(recent for _, recent in found)

    def _sums(
        self, rows: QuerySet[Any], table: str, team_id: int, start: datetime, lately: datetime, end: datetime
    ) -> list[tuple[str, str, int, int]]:
        """(pool, workflow, nanos since `start`, nanos since `lately`)"""
        key = (table, team_id, start, lately, end)
        if key not in self._read:
            within = rows.filter(team_id=team_id, bin__gte=min(start, lately), bin__lt=end)
            groups = within.order_by().values_list("pool", "workflow")
            self._read[key] = [
                (pool, workflow, nanos or 0, recent or 0)
                for pool, workflow, nanos, recent in groups.annotate(
                    since=Sum("nanos", filter=Q(bin__gte=start)),
                    recent=Sum("nanos", filter=Q(bin__gte=lately)),
                )
            ]
        return self._read[key]


def burn(budget: Budget, since: datetime, until: datetime) -> list[tuple[datetime, int]]:
    """(bin, what it added), in order; bins without any are left out."""
    sums: dict[datetime, int] = {}
    capacity = CapacitySpend.objects.filter(_paid_by(budget), bin__gte=since, bin__lt=until)
    rows = list(capacity.values_list("bin").order_by("bin").annotate(Sum("nanos")))
    if budget.scope == Scope.WORKFLOW:
        work = WorkSpend.objects.filter(team_id=budget.team_id, workflow=budget.target, own=False)
        work = work.filter(bin__gte=since, bin__lt=until)
        rows += list(work.values_list("bin").order_by("bin").annotate(Sum("nanos")))
    for place, nanos in rows:
        sums[place] = sums.get(place, 0) + nanos
    return sorted(sums.items())


def _paid_by(budget: Budget) -> Q:
    mine = Q(team_id=budget.team_id)
    if budget.scope == Scope.POOL:
        return mine & Q(pool=budget.target)
    return mine & Q(workflow=budget.target) if budget.scope == Scope.WORKFLOW else mine
