"""The failures of a map, grouped by their cause."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from workflows.domain.causes import title_of
from workflows.domain.states import StepState
from workflows.models import Item, Step

SAMPLES = 3
MOST = 50


def by_cause(step: Step) -> list[dict[str, Any]]:
    """The MOST frequent ones: `{"cause", "title", "count", "samples": [{"index", "error"}]}` each."""
    failed = Item.objects.filter(step=step, state=StepState.FAILED)
    groups = failed.values("cause").annotate(count=Count("id")).order_by("-count", "cause")[:MOST]
    return [_group(step, group["cause"], group["count"]) for group in groups]


def _group(step: Step, cause: str | None, count: int) -> dict[str, Any]:
    items = Item.objects.filter(step=step, state=StepState.FAILED, cause=cause).order_by("index")[:SAMPLES]
    found = list(items.values_list("index", "error"))
    title = title_of(found[0][1] or {}) if found else ""
    samples = [{"index": index, "error": error} for index, error in found]
    return {"cause": cause or "", "title": title, "count": count, "samples": samples}
