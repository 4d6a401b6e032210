"""Ends of runs that rows tell no longer: kept, so that the counters of /metrics only rise."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import F

from workflows.models import PastEnds


def keep(ends: Mapping[str, int]) -> None:
    """`ends`: how many, by final state. Inside the transaction that deletes these runs, or takes them up
    again."""
    for state, number in sorted(ends.items()):
        PastEnds.objects.get_or_create(state=state)
        PastEnds.objects.filter(state=state).update(number=F("number") + number)
