"""What agents were at work for single runs and steps: by the rows of the steps themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from aflow_site.kernel.errors import InvalidInput, NotFound
from scaling.facade.budgets import Line
from workflows.models import Run, Step

MOST_RUNS = 500


def by_run(team_id: int, since: datetime, until: datetime, workflow: str | None) -> list[Line]:
    """Of the last runs that ended in that time, the dearest first."""
    found = Run.objects.filter(team_id=team_id, finished_at__gte=since, finished_at__lt=until)
    if workflow:
        found = found.filter(workflow__name=workflow)
    ids = list(found.order_by("-finished_at").values_list("pk", flat=True)[:MOST_RUNS])
    sums: dict[str, list[float]] = {str(run_id): [0.0, 0] for run_id in ids}
    for run_id, usage in Step.objects.filter(run_id__in=ids).values_list("run_id", "usage"):
        _add(sums[str(run_id)], usage)
    return _lines(sums)


def by_step(team_id: int, run: str) -> list[Line]:
    """Of one run. Raises InvalidInput, NotFound."""
    try:
        run_id = UUID(run)
    except ValueError:
        raise InvalidInput("Name the run whose steps are asked for: run=ID.") from None
    if not Run.objects.filter(team_id=team_id, pk=run_id).exists():
        raise NotFound("There is no such run.")
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0])
    for key, usage in Step.objects.filter(run_id=run_id).values_list("key", "usage"):
        _add(sums[key], usage)
    return _lines(sums)


def _add(entry: list[float], usage: dict[str, Any]) -> None:
    for ms, nanos in usage.get("spent", {}).values():
        entry[0] += ms
        entry[1] += nanos


def _lines(sums: dict[str, list[float]]) -> list[Line]:
    whole = ((name, round(ms), int(nanos)) for name, (ms, nanos) in sums.items())
    return sorted(_busy(whole), key=lambda line: (-line.nanos, -line.milliseconds, line.name))


def _busy(found: Iterable[tuple[str, int, int]]) -> Iterable[Line]:
    return (Line(name, ms, nanos, ms, nanos) for name, ms, nanos in found)
