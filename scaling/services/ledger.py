"""The ledger: what agents cost, metered from their lives, and what part of that runs were at work for.

Metered second by second up to a mark that is written with it, so every second is counted once. Does not: look
prices up (`pools` does), or count budgets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from pools.facade import api as pools
from pools.facade.contracts import Lived
from scaling.domain.bins import BIN, bin_of
from scaling.domain.money import cost
from scaling.facade.contracts import Worked
from scaling.models import CapacitySpend, Meter, WorkSpend

KEPT = timedelta(days=800)
_MS = timedelta(milliseconds=1)


def pieces(since: datetime, until: datetime) -> Iterator[tuple[datetime, int]]:
    """(bin, milliseconds) of a time; together exactly its length in whole milliseconds."""
    start, whole, told = since, max(0, (until - since) // _MS), 0
    while told < whole:
        end = min(bin_of(start) + BIN, until)
        upto = whole if end == until else (end - since) // _MS
        if upto > told:
            yield bin_of(start), upto - told
        told, start = upto, end


class Metering:
    """One controller's. It knows the price of an agent from its last look, should the pool be gone by now."""

    def __init__(self) -> None:
        self._rates: dict[UUID, Decimal] = {}

    def meter(self, now: datetime) -> datetime:
        """Counts all agents up to `now`; from when it had not been counted. Another that counted meanwhile
        makes this a no-op."""
        mark, made = Meter.objects.get_or_create(
            instance=settings.AFLOW_INSTANCE, defaults={"until": now.astimezone(UTC)}
        )
        since = mark.until
        if made or now <= since:
            return since
        found = pools.lived(since, now)
        with transaction.atomic():
            if Meter.objects.filter(pk=mark.pk, until=since).update(until=now):
                self._add(found)
        self._rates = {one.agent_id: one.rate for one in found if one.rate is not None}
        return since

    def _add(self, found: Iterable[Lived]) -> None:
        sums: dict[tuple[int, str, str, datetime], list[int]] = defaultdict(lambda: [0, 0])
        for one in found:
            rate = one.rate if one.rate is not None else self._rates.get(one.agent_id, Decimal(0))
            for place, milliseconds in pieces(one.since, one.until):
                entry = sums[one.team_id, one.pool, one.workflow or "", place]
                entry[0] += milliseconds
                entry[1] += cost(milliseconds, rate)
        for (team, pool, workflow, place), (milliseconds, nanos) in sums.items():
            row, _ = CapacitySpend.objects.get_or_create(
                team_id=team, pool=pool, workflow=workflow, bin=place
            )
            CapacitySpend.objects.filter(pk=row.pk).update(
                milliseconds=F("milliseconds") + milliseconds, nanos=F("nanos") + nanos
            )


def charge(work: Iterable[Worked]) -> None:
    """Adds what runs were at work for. In the caller's transaction, which notes that it was told."""
    for one in work:
        row, _ = WorkSpend.objects.get_or_create(
            team_id=one.team_id,
            owner_id=one.owner_id,
            workflow=one.workflow,
            pool=one.pool,
            own=one.own,
            bin=bin_of(one.at),
        )
        WorkSpend.objects.filter(pk=row.pk).update(
            milliseconds=F("milliseconds") + one.milliseconds, nanos=F("nanos") + one.nanos
        )


def forget(now: datetime) -> None:
    """Bins that lie longer back than any figure is asked of."""
    for table in (CapacitySpend, WorkSpend):
        table.objects.filter(bin__lt=now - KEPT).delete()
